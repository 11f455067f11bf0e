import { isAbsolute, resolve } from 'node:path';
import { z } from 'zod';
import { env, setting } from './setting.ts';
import { decimal, file, wholeNumber } from './value-parsers.ts';

/** `*` stands for any letters within one name; nothing else is special. */
const namePattern = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[^/\0]+$/, 'must be a name without a folder, in which * stands for any letters');

/** What of the logs cannot be said in one scalar. */
export const logStructure = z.strictObject({
  folders: z
    .array(
      z.strictObject({
        path: z.string().min(1).max(4_096),
        /** Which files are logs that are being written. */
        pattern: namePattern.optional(),
        /** `rename` for programs that open their log anew; `copy-truncate` for those that keep it open. */
        how: z.enum(['rename', 'copy-truncate']).optional(),
        /** Folders in it too. */
        recursive: z.boolean().optional(),
      }),
    )
    .max(100)
    .optional(),
});
export type LogStructure = z.infer<typeof logStructure>;

export type LogFolderConfig = {
  /** Absolute. */
  readonly path: string;
  readonly pattern: string;
  readonly how: 'rename' | 'copy-truncate';
  readonly recursive: boolean;
};

export type LogsConfig = {
  /** Our own log, where it does not go to standard error. Absolute. */
  readonly file: string | undefined;
  readonly folders: readonly LogFolderConfig[];
  readonly rotateOverBytes: number;
  /** 0: size alone decides. */
  readonly rotateAfterMs: number;
  readonly keepDays: number;
  readonly intervalMs: number;
};

export const logSettings = {
  logFile: setting({
    key: 'log.file',
    env: env('RAGWARDEN_LOG_FILE'),
    parser: file,
    fallback: undefined,
    example: '/var/log/ragwarden/ragwarden.log',
    about:
      'The log goes to this file instead of standard error, and is rotated by ragwarden itself. SIGHUP opens it anew, for a rotation by others.',
  }),
  logsRotateOverBytes: setting({
    key: 'logs.rotate_over_bytes',
    env: env('RAGWARDEN_LOGS_ROTATE_OVER_BYTES'),
    parser: wholeNumber(4_096, Number.MAX_SAFE_INTEGER),
    fallback: 104_857_600,
    unit: 'bytes',
    runtime: true,
    about: 'A log (of `log.file`, or in one of `logs.folders`) that is larger is set aside and compressed.',
  }),
  logsRotateAfterHours: setting({
    key: 'logs.rotate_after_hours',
    env: env('RAGWARDEN_LOGS_ROTATE_AFTER_HOURS'),
    parser: decimal(0, 87_600),
    fallback: 0,
    unit: 'hours',
    runtime: true,
    about: 'And one that was begun so long ago, whatever its size. 0: size alone decides.',
  }),
  logsKeepDays: setting({
    key: 'logs.keep_days',
    env: env('RAGWARDEN_LOGS_KEEP_DAYS'),
    parser: wholeNumber(1, 36_500),
    fallback: 30,
    unit: 'days',
    runtime: true,
    about: 'Logs that nobody has written to for so long are deleted.',
  }),
  logsIntervalSeconds: setting({
    key: 'logs.interval_seconds',
    env: env('RAGWARDEN_LOGS_INTERVAL'),
    parser: decimal(10, 86_400),
    fallback: 3_600,
    unit: 'seconds',
    about: 'Time between two looks at the logs; without `log.file` and `logs.folders` nothing looks.',
  }),
} as const;

type LogValues = {
  readonly logFile: string | undefined;
  readonly logsRotateOverBytes: number;
  readonly logsRotateAfterHours: number;
  readonly logsKeepDays: number;
  readonly logsIntervalSeconds: number;
};

export const buildLogs = (values: LogValues, { folders = [] }: LogStructure, cwd: string): LogsConfig => ({
  file: values.logFile === undefined ? undefined : resolve(cwd, values.logFile),
  folders: folders.map(({ path, pattern = '*.log', how = 'copy-truncate', recursive = false }) => ({
    path: isAbsolute(path) ? path : resolve(cwd, path),
    pattern,
    how,
    recursive,
  })),
  rotateOverBytes: values.logsRotateOverBytes,
  rotateAfterMs: values.logsRotateAfterHours * 3_600_000,
  keepDays: values.logsKeepDays,
  intervalMs: values.logsIntervalSeconds * 1_000,
});
