import { isoInstant } from '../platform/clock.ts';
import type { Manifest } from './manifest.ts';
import type { RecoveryPoint } from './point.ts';
import type { RestorePart } from './restore-parts.ts';

/** The result of a restore as the source documents name its fields, and what they do not know beside it. */
export type RestoreResult = {
  readonly backup_id: string;
  readonly start_time: string;
  readonly end_time: string;
  /** Seconds. */
  readonly duration: number;
  readonly status: 'success' | 'partial';
  readonly user_data: {
    readonly status: 'success' | 'skipped';
    readonly user_count: number;
    readonly total_size_bytes: number;
    readonly file_count: number;
  };
  readonly database: {
    readonly status: 'success' | 'skipped';
    readonly size_bytes: number;
    readonly components: readonly string[];
  };
  readonly safety_backup_id: string | null;
  /** Where the former state lies until the next restore; bytes are null where they were not measured. */
  readonly undo: readonly { readonly folder: string; readonly bytes: number | null }[];
  readonly notes: readonly string[];
};

export function resultOf(facts: {
  point: RecoveryPoint;
  manifest: Manifest;
  parts: readonly RestorePart[];
  startedMs: number;
  endedMs: number;
  safety: string | null;
  undo: RestoreResult['undo'];
  notes: readonly string[];
  problem?: string;
}): RestoreResult {
  const { manifest, parts } = facts;
  const files = parts.flatMap((part) => (part.kind === 'files' ? part.entries : []));
  const plain = files.filter((entry) => entry.kind === 'file');
  const stores = parts.filter((part) => part.kind === 'store');
  return {
    backup_id: facts.point.id,
    start_time: isoInstant(facts.startedMs),
    end_time: isoInstant(facts.endedMs),
    duration: (facts.endedMs - facts.startedMs) / 1000,
    status: facts.problem === undefined ? 'success' : 'partial',
    user_data: {
      status: parts.some((part) => part.kind === 'files') ? 'success' : 'skipped',
      user_count: manifest.workspace === undefined ? manifest.target.workspaces.length : 1,
      total_size_bytes: plain.reduce((sum, entry) => sum + entry.bytes, 0),
      file_count: plain.length,
    },
    database: {
      status: stores.length > 0 ? 'success' : 'skipped',
      size_bytes: stores.reduce((sum, part) => sum + part.component.bytes, 0),
      components: stores.map((part) => part.component.name),
    },
    safety_backup_id: facts.safety,
    undo: facts.undo,
    notes: facts.notes,
  };
}
