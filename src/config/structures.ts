import type { z } from 'zod';
import { alertsStructure } from './alert-structure.ts';
import { cleanupStructure } from './cleanup-settings.ts';
import { gatewayStructure } from './gateway-config.ts';
import { healthStructure } from './health-config.ts';
import { logStructure } from './log-config.ts';
import { metricsStructure } from './metrics-structure.ts';
import { notifyStructure } from './notify-config.ts';
import { quotasStructure } from './quota-config.ts';
import { replicationStructure } from './replication-config.ts';
import { backupStructure } from './repository-config.ts';
import { resourcesStructure } from './resource-settings.ts';
import { targetStructure } from './target-config.ts';
import { trafficStructure } from './traffic-config.ts';
import { tuningStructure } from './tuning-structure.ts';

/**
 * What cannot be said in one scalar, by the section of the file it stands in; the scalars are in settings.ts. It comes from the file
 * only. One more line here is one more section that may have structures; each key of a schema is one structured setting.
 */
const structures = {
  target: targetStructure,
  metrics: metricsStructure,
  traffic: trafficStructure,
  gateway: gatewayStructure,
  resources: resourcesStructure,
  alerts: alertsStructure,
  health: healthStructure,
  notify: notifyStructure,
  cleanup: cleanupStructure,
  quotas: quotasStructure,
  tuning: tuningStructure,
  replication: replicationStructure,
  backup: backupStructure,
  logs: logStructure,
} as const;
type Section = keyof typeof structures;

export type Structure = { readonly [S in Section]: z.infer<(typeof structures)[S]> };

export const noStructure: Structure = {
  target: {},
  metrics: {},
  traffic: {},
  gateway: {},
  alerts: {},
  health: {},
  notify: {},
  resources: {},
  cleanup: {},
  quotas: {},
  tuning: {},
  replication: {},
  backup: {},
  logs: {},
};

// Object.entries forgets that the names are these.
export const structureEntries = Object.entries(structures) as readonly (readonly [
  Section,
  (typeof structures)[Section],
])[];

/** Keys that hold more than one value. */
export const structuredKeys: ReadonlySet<string> = new Set(
  structureEntries.flatMap(([section, schema]) => Object.keys(schema.shape).map((name) => `${section}.${name}`)),
);

/** What stands below a structured key: the structure with it, or what is wrong. */
export function takeStructure(
  structure: Structure,
  key: string,
  value: unknown,
): { readonly structure: Structure } | { readonly complaints: readonly string[] } {
  const dot = key.indexOf('.');
  // Only keys of the set above come here.
  const section = key.slice(0, dot) as Section;
  const parsed = structures[section].safeParse({ ...structure[section], [key.slice(dot + 1)]: value });
  if (parsed.success) return { structure: { ...structure, [section]: parsed.data } };
  return {
    complaints: parsed.error.issues.map(({ path, message }) => `${section}.${path.map(String).join('.')}: ${message}`),
  };
}

/** Variables that structures name, as `bearer_token_env: NAME`: they are ours, whatever they are called. */
export function variablesOf(structure: unknown): readonly string[] {
  if (typeof structure !== 'object' || structure === null) return [];
  return Object.entries(structure).flatMap(([key, value]) =>
    key.endsWith('_env') && typeof value === 'string' ? [value] : variablesOf(value),
  );
}

/** Structured keys that one has otherwise than the other. */
export const changedStructures = (one: Structure, other: Structure): readonly string[] =>
  structureEntries.flatMap(([section, schema]) => {
    const before: Readonly<Record<string, unknown>> = one[section];
    const after: Readonly<Record<string, unknown>> = other[section];
    return Object.keys(schema.shape).flatMap((name) =>
      JSON.stringify(before[name]) === JSON.stringify(after[name]) ? [] : [`${section}.${name}`],
    );
  });
