import { findProgram, SYSTEM_PARTS, whyUnusable } from '../../tools/system-packages.mjs';

/** Programs that tests use and npm does not bring; the table is in tools/system-packages.mjs. */
export type Part =
  | 'restic'
  | 'prometheus'
  | 'chromium'
  | 'postgresql'
  | 'redis'
  | 'alertmanager'
  | 'openssl'
  | 'ceph'
  | 'openssh'
  | 'rclone';

/**
 * Whether tests may use this part. Missing, they skip and say so; with `CI=true` that is an error, thrown when the test file loads.
 * Use it as `test.skipIf(!hasPart('restic'))(…)`.
 */
export function hasPart(name: Part): boolean {
  const reason = whyUnusable(requireRow(name));
  if (reason === undefined) return true;
  if (process.env.CI === 'true') throw new Error(`${reason}, and CI=true allows no skipping`);
  console.warn(`SKIPPED: tests that need ${name}: ${reason}`);
  return false;
}

/** Path of the program of a part, the first of its names that is there. @throws Error when none is */
export function programOf(name: Part): string {
  const found = requireRow(name)
    .programs.map((program) => findProgram(program))
    .find((file) => file !== undefined);
  if (found === undefined) throw new Error(`${name} is missing`);
  return found;
}

function requireRow(name: Part) {
  const row = SYSTEM_PARTS.find((part) => part.name === name);
  if (row === undefined) throw new Error(`tools/system-packages.mjs has no row for ${name}`);
  return row;
}
