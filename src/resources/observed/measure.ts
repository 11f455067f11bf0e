import type { ResourceType } from '../resource.ts';
import type { MeasureKind } from './stories.ts';

/** What is looked at of a process or a server. */
export const measures = {
  memory: {
    ...{ kind: 'bytes', unit: 'bytes', type: 'memory', words: 'memory' },
    action:
      'Take two heap snapshots an hour apart and compare them; until it is mended, restart the process before it meets its limit.',
  },
  descriptors: {
    ...{ kind: 'handles', unit: 'count', type: 'file_handle', words: 'open descriptors' },
    action: 'Look at what they point to (`ls -l /proc/PID/fd`); close them in a `finally` or with `using`.',
  },
  sockets: {
    ...{ kind: 'handles', unit: 'count', type: 'network_connection', words: 'sockets' },
    action: 'Look at their peers (`ss -tp`); read answers to their end, give connections back, set idle timeouts.',
  },
  sockets_close_wait: {
    ...{ kind: 'handles', unit: 'count', type: 'network_connection', words: 'sockets that the other side closed' },
    action: 'The other side has hung up and the process has not: close the connection when its end is read.',
  },
  threads: {
    ...{ kind: 'handles', unit: 'count', type: 'thread', words: 'threads' },
    action: 'Use a pool with a bound, and tell threads to end and wait for them.',
  },
  children: {
    ...{ kind: 'handles', unit: 'count', type: 'process', words: 'child processes' },
    action: 'Collect the exit codes of children, and end those that nobody waits for.',
  },
  temporary_files: {
    ...{ kind: 'handles', unit: 'count', type: 'temporary_file', words: 'temporary files' },
    action: 'Delete them when the work is over, also when it fails.',
  },
  database_sessions: {
    ...{ kind: 'sessions', unit: 'count', type: 'database_connection', words: 'database sessions' },
    action: 'Give sessions back to a pool with a bound, and close what is not of a pool.',
  },
  idle_in_transaction: {
    ...{ kind: 'handles', unit: 'count', type: 'database_connection', words: 'sessions idle in transaction' },
    action:
      'End transactions in a `finally`; set `idle_in_transaction_session_timeout`. They hold back vacuum meanwhile.',
  },
  redis_clients: {
    ...{ kind: 'sessions', unit: 'count', type: 'network_connection', words: 'Redis clients' },
    action: 'Share one client, and close the others; set `timeout` on the server.',
  },
} as const satisfies Record<
  string,
  { kind: MeasureKind; unit: 'bytes' | 'count'; type: ResourceType; words: string; action: string }
>;
export type MeasureName = keyof typeof measures;
// Object.keys forgets that the names are these.
export const measureNames = Object.keys(measures) as readonly MeasureName[];

/** One look at one thing. `upSeconds`: how long what holds it has been running. */
export type Reading = {
  readonly subject: string;
  readonly measure: MeasureName;
  readonly value: number;
  readonly upSeconds: number;
};
