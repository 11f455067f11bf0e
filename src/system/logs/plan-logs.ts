import type { FoundLog } from './log-files.ts';

export type LogAction = 'rotate' | 'compress' | 'delete' | 'leave';
export type PlannedLog = { readonly file: FoundLog; readonly action: LogAction; readonly reason: string };

export type RotationLimits = {
  readonly overBytes: number;
  /** 0: size alone decides. */
  readonly afterMs: number;
  /** Every live log that holds something, whatever its size. */
  readonly all: boolean;
};

/** What is done with each log, and why. Links are never followed, and what others set aside is theirs. */
export const planRotation = (
  files: readonly FoundLog[],
  limits: RotationLimits,
  nowMs: number,
): readonly PlannedLog[] => files.map((file) => ({ file, ...decideRotation(file, limits, nowMs) }));

const leave = (reason: string): Omit<PlannedLog, 'file'> => ({ action: 'leave', reason });

function decideRotation(file: FoundLog, limits: RotationLimits, nowMs: number): Omit<PlannedLog, 'file'> {
  if (!file.regular) return leave('is a link, or no file');
  switch (file.kind) {
    case 'compressed':
      return leave('is set aside and compressed');
    case 'of-others':
      return leave('was set aside by its own writer or another program');
    case 'leftover':
      return { action: 'delete', reason: 'is what a compression left that did not end' };
    case 'rotated':
      return { action: 'compress', reason: 'is set aside and not compressed yet' };
    case 'live':
      if (file.rotatedByOthers) return leave('its own writer or another program sets it aside');
      if (file.bytes === 0) return leave('is empty');
      if (limits.all) return { action: 'rotate', reason: 'was asked for' };
      if (file.bytes > limits.overBytes)
        return { action: 'rotate', reason: `is larger than ${limits.overBytes} bytes` };
      if (limits.afterMs > 0 && nowMs - file.begunMs > limits.afterMs)
        return { action: 'rotate', reason: 'was begun long enough ago' };
      return leave('is small enough');
  }
}

const dayMs = 86_400_000;

/** Logs that nobody has written to for so many days. */
export const planCleanup = (files: readonly FoundLog[], keepDays: number, nowMs: number): readonly PlannedLog[] =>
  files.map((file) => ({ file, ...decideCleanup(file, keepDays, nowMs) }));

function decideCleanup(file: FoundLog, keepDays: number, nowMs: number): Omit<PlannedLog, 'file'> {
  if (!file.regular) return leave('is a link, or no file');
  if (file.kind === 'of-others' || file.rotatedByOthers)
    return leave('its own writer or another program decides how many are kept');
  const ageMs = nowMs - file.writtenMs;
  if (ageMs <= keepDays * dayMs) return leave('is young enough');
  return { action: 'delete', reason: `nobody has written to it for ${Math.floor(ageMs / dayMs)} days` };
}
