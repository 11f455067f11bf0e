import type { FaultSeverity } from './inspector/report.ts';
import type { TargetFact } from './observation.ts';

/**
 * What a look into the files of a target found that is no LightRAG workspace. Stores that refer to each other in ways known here,
 * and so an audit, there are none.
 */
export type FolderInspection = {
  readonly kind: 'graphrag' | 'custom';
  /** The project, or the folder that all are named below; of several folders the first. */
  readonly folder: string;
  readonly atMs: number;
  readonly durationMs: number;
  readonly bytesRead: number;
  /** Nothing was ever stored there. */
  readonly isFresh: boolean;
  readonly files: readonly FolderFile[];
  /** Rows of tables, or files in folders, by name. */
  readonly counts: Readonly<Record<string, number>>;
  readonly facts: readonly TargetFact[];
  /** What lies there and is of no more use. */
  readonly leftOver: { readonly total: number; readonly bytes: number };
  readonly faults: readonly FolderFault[];
  /** Parts of it that lie elsewhere. */
  readonly outside: readonly { readonly part: string; readonly where: string }[];
};

export type FolderFile = {
  readonly name: string;
  readonly kind: string;
  readonly bytes: number;
  readonly state: 'ok' | 'missing' | 'empty' | 'torn' | 'invalid' | 'changing' | 'unreadable';
  readonly detail?: string | undefined;
};

export type FolderFault = { readonly code: string; readonly severity: FaultSeverity; readonly message: string };
