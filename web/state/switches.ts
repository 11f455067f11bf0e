/** A setting that decides whether there is a part, as the server tells of it. */
export type Switch = {
  readonly key: string;
  readonly value: unknown;
  readonly environment: readonly string[];
};

/** Are no settings: there are several ways to name a target, and something that the gateway could lead to. */
const anyTarget = 'targets';
const anyUpstream = 'gateway leads somewhere';

type Part = {
  /** Begins the sentence. */
  readonly name: string;
  /** Settings that must all be on. */
  readonly needs: readonly string[];
  /** What then only answers 409 `feature/disabled`, from the page's own folder; none: what was known goes on to be told. */
  readonly paths?: RegExp;
  /** Off unless somebody asks for it: that it is off is no news. */
  readonly isExtra?: true;
  /** Instead of what switches it on. */
  readonly says?: string;
};

/**
 * Parts that an installation may do without. The page asks for nothing that is sure to be refused: the browser would tell of each
 * as an error, again and again. `src/app/switches.test.ts` holds the table to what the server refuses.
 */
const parts: readonly Part[] = [
  { name: 'Monitoring', needs: ['monitoring.enabled'], paths: /^api\/v1\/monitoring\/(health|system)\b/ },
  { name: 'Looking at the backend', needs: ['monitoring.enabled', 'health.enabled'] },
  { name: 'Cleanup', needs: ['cleanup.enabled'] },
  {
    name: 'The look at open files and connections',
    needs: ['monitoring.enabled', 'resources.observe_enabled'],
    paths: /^api\/v1\/metrics\/resources\/observed\b/,
  },
  { name: 'Recording of metrics', needs: ['metrics.enabled'], paths: /^api\/v1\/metrics\/(definitions|query|top)\b/ },
  {
    name: 'Alerting',
    needs: ['alerts.enabled', 'metrics.enabled'],
    paths: /^api\/v1\/metrics\/alerts\/(active|history|rules)\b/,
  },
  { name: 'Analysis', needs: ['analytics.enabled', 'metrics.enabled'], paths: /^api\/v1\/metrics\/analytics\// },
  { name: 'The event log', needs: ['events.enabled'], paths: /^api\/v1\/events\b/ },
  { name: 'Backup', needs: ['backup.enabled'], paths: /^api\/v1\/(backup\/|repository\b)/ },
  {
    name: 'Drilling',
    needs: ['recovery.enabled', 'backup.enabled'],
    paths: /^api\/v1\/recovery\/(objectives|drills)\b/,
  },
  { name: 'The gateway', needs: ['gateway.enabled'], paths: /^api\/v1\/gateway\/status\b/ },
  {
    name: 'Taking points of others',
    needs: ['replication.receive_enabled'],
    paths: /^api\/v1\/backup-replication\/backup\/snapshots\/received\b/,
    isExtra: true,
  },
  {
    name: 'The target',
    needs: [anyTarget],
    paths: /^api\/v1\/(backup\/(status|timeline|sources)|tuning\/plan)\b/,
    isExtra: true,
    says: 'No target is configured. Set RAGWARDEN_TARGET_URL and WORKING_DIR, and restart ragwarden.',
  },
  {
    name: 'What the gateway leads to',
    needs: [anyUpstream],
    paths: /^api\/v1\/gateway\/status\b/,
    isExtra: true,
    says: 'There is nothing that the gateway could lead to: set RAGWARDEN_TARGET_URL, or name providers in `gateway.providers`, and restart ragwarden.',
  },
  {
    name: 'The canary',
    needs: ['target.canary.question'],
    paths: /^api\/v1\/targets\/[^/]+\/canary\b/,
    isExtra: true,
    says: 'There is no canary: set `target.canary.question` and `target.canary.expected`, and restart ragwarden.',
  },
];

/** Keys of the settings that decide, each once. */
export const switchKeys: readonly string[] = [...new Set(parts.flatMap(({ needs }) => needs))].filter(
  (key) => key !== anyTarget && key !== anyUpstream,
);

/** Whether something is watched at all, beside the settings. */
export const targetSwitch = (count: number): Switch => ({ key: anyTarget, value: count > 0, environment: [] });

/** Without a target the gateway listens only where it leads to providers of models. */
export const upstreamSwitch = (listens: boolean): Switch => ({ key: anyUpstream, value: listens, environment: [] });

const isOff = ({ value }: Switch): boolean => value === false || value === null;

/** Why a path would only be refused, and what switches its part on; undefined when it may be asked. */
export function findOff(path: string, switches: readonly Switch[]): string | undefined {
  for (const part of parts) {
    const said = part.paths?.test(path) ? sayOff(part, switches) : undefined;
    if (said !== undefined) return said;
  }
  return undefined;
}

/** Why a part does nothing; undefined when it is on. */
export function findPartOff(
  name: 'Cleanup' | 'The event log' | 'Recording of metrics' | 'Drilling' | 'Analysis',
  switches: readonly Switch[],
): string | undefined {
  const part = parts.find((one) => one.name === name);
  return part && sayOff(part, switches);
}

/** What is off of what is on unless somebody switches it off, a sentence each. */
export const listOff = (switches: readonly Switch[]): string[] =>
  parts.filter(({ isExtra }) => isExtra !== true).flatMap((part) => sayOff(part, switches) ?? []);

function sayOff({ name, needs, says }: Part, switches: readonly Switch[]): string | undefined {
  const off = switches.filter((one) => needs.includes(one.key) && isOff(one));
  if (off.length === 0) return undefined;
  const named = off.map(({ key, environment: [variable] }) => (variable === undefined ? key : `${variable} (${key})`));
  return says ?? `${name} is switched off: set ${named.join(' and ')} to true, and restart ragwarden.`;
}
