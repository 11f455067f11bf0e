import {
  type ApiValues,
  type ConfigReading,
  findNearestName,
  findSettingByKey,
  type LiveConfig,
  type Origin,
  settingEntries,
  settings,
} from '../config/index.ts';
import type { ErrorCode, Violation } from '../platform/errors.ts';

export type ShownSetting = {
  readonly key: string;
  readonly about: string;
  /** In the setting's own unit; null when there is none, and always for a secret. */
  readonly value: unknown;
  readonly fallback: unknown;
  readonly unit: string | null;
  readonly origin: Origin;
  readonly env: readonly string[];
  readonly flag: string | null;
  readonly secret: boolean;
  readonly set: boolean;
  readonly runtime: boolean;
  /** A restart would give it another value, which for a secret is not told. */
  readonly needsRestart: boolean;
  readonly pendingValue: unknown;
  /** Where a value stands that the API cannot change. */
  readonly fixedBy: string | null;
};

/** Every setting as it is in force. */
export function showSettings(live: LiveConfig): readonly ShownSetting[] {
  const { inForce, afterRestart } = live.state();
  return settingEntries.map(([name, one]) => {
    const secret = one.secret === true;
    const value: unknown = inForce.values[name] ?? null;
    const pending: unknown = afterRestart.values[name] ?? null;
    const needsRestart = JSON.stringify(value) !== JSON.stringify(pending);
    return {
      key: one.key,
      about: one.about,
      value: secret ? null : value,
      fallback: secret ? null : (one.fallback ?? null),
      unit: one.unit ?? null,
      origin: inForce.origins[name],
      env: one.env.map((variable) => variable.name),
      flag: one.flag === undefined ? null : `--${one.flag}`,
      secret,
      set: value !== null,
      runtime: one.runtime === true,
      needsRestart,
      pendingValue: needsRestart && !secret ? pending : null,
      fixedBy: fixedBy(inForce.origins[name]),
    };
  });
}

const fixedBy = (origin: Origin): string | null =>
  origin.kind === 'flag' || origin.kind === 'environment' ? origin.place : null;

export type PatchDecision =
  | { readonly ok: true; readonly api: ApiValues }
  | {
      readonly ok: false;
      readonly code: ErrorCode;
      readonly detail: string;
      readonly violations: readonly Violation[];
    };

/**
 * What a patch would leave as values of the API: a value sets, null resets. All of it or nothing.
 * @param patch key → JSON value
 */
export function decidePatch(
  patch: Readonly<Record<string, unknown>>,
  reading: ConfigReading,
  present: ApiValues,
): PatchDecision {
  const api = new Map(present);
  const invalid: Violation[] = [];
  const notRuntime: Violation[] = [];
  const fixed: Violation[] = [];
  for (const [key, value] of Object.entries(patch)) {
    const at = `body.${key}`;
    const name = findSettingByKey(key);
    if (name === undefined) {
      const nearest = findNearestName(
        key,
        settingEntries.map(([, one]) => one.key),
      );
      invalid.push({ at, message: `is not a setting${nearest === undefined ? '' : `; did you mean ${nearest}?`}` });
      continue;
    }
    const one = settings[name];
    const isRuntime = 'runtime' in one && one.runtime;
    const parsed = value === null || !isRuntime ? undefined : one.parser.accept(value);
    const place = fixedBy(reading.origins[name]);
    if (!isRuntime)
      notRuntime.push({ at, message: 'can be changed in the file or the environment only, with a restart' });
    else if (parsed?.ok === false) invalid.push({ at, message: parsed.complaint });
    else if (place !== null) fixed.push({ at, message: `is fixed by ${place}, which counts more than the API` });
    else if (parsed === undefined) api.delete(key);
    else api.set(key, parsed.value);
  }
  if (invalid.length > 0)
    return {
      ok: false,
      code: 'request/invalid',
      detail: 'Nothing was changed: see each violation.',
      violations: [...invalid, ...notRuntime, ...fixed],
    };
  if (notRuntime.length > 0)
    return {
      ok: false,
      code: 'settings/needs-restart',
      detail: 'Nothing was changed: some of these settings cannot change while ragwarden runs.',
      violations: [...notRuntime, ...fixed],
    };
  if (fixed.length > 0)
    return {
      ok: false,
      code: 'settings/fixed',
      detail:
        'Nothing was changed: a flag or the environment fixes some of these settings. Change it there, or remove it there.',
      violations: fixed,
    };
  return { ok: true, api };
}
