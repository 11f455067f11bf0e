import type { Config } from './config.ts';
import {
  type ApiValues,
  type ConfigReading,
  finishReading,
  type Origin,
  resolveSettings,
  type SettingSources,
} from './read-config.ts';
import { type SettingName, type SettingValues, settingEntries } from './settings.ts';
import type { Problem } from './settings-file.ts';
import { changedStructures } from './structures.ts';

export type ChangedSetting = { readonly key: string; readonly before: unknown; readonly after: unknown };

/** What would come of other sources or other values of the API: decided whole before anything of it is done. */
export type ConfigChange = {
  /** When there is one, nothing may be applied. */
  readonly problems: readonly Problem[];
  readonly notices: readonly Problem[];
  /** Runtime settings that get another value now. */
  readonly changed: readonly ChangedSetting[];
  /** Keys that a restart would give another value. */
  readonly needsRestart: readonly string[];
  readonly next: LiveState;
};

type LiveState = {
  readonly sources: SettingSources;
  readonly api: ApiValues;
  /** What this process runs with. */
  readonly inForce: ConfigReading;
  /** What a start would run with now. */
  readonly afterRestart: ConfigReading;
};

/** The configuration of a running process: runtime settings follow, everything else stays as it was at the start. */
export type LiveConfig = {
  config(): Config;
  state(): LiveState;
  plan(change: { sources?: SettingSources; api?: ApiValues }): ConfigChange;
  /** @throws TypeError when the plan has problems */
  apply(change: ConfigChange): void;
  /** Told after every change of a runtime setting. */
  onChange(listener: (now: Config, before: Config) => void): void;
};

/**
 * @param api values that were kept from an earlier life; when they no longer go together with the rest they are left out
 *            with a notice, since a start must not fail on what no file shows
 */
export function createLiveConfig(started: ConfigReading, api: ApiValues): LiveConfig {
  const listeners: ((now: Config, before: Config) => void)[] = [];
  let state = decideState(started, started.sources, api);
  if (state.inForce.problems.length > 0) {
    const without = decideState(started, started.sources, new Map());
    const notices = state.inForce.problems.map(({ place, message }) => ({
      place,
      message: `${message}; the values that were set over the API are left out`,
      mend: 'Set them again, or reset them.',
    }));
    state = { ...without, inForce: { ...without.inForce, notices: [...without.inForce.notices, ...notices] } };
  }
  return {
    config: () => state.inForce.config,
    state: () => state,
    plan(change) {
      const next = decideState(started, change.sources ?? state.sources, change.api ?? state.api);
      const before = state.inForce.values;
      const after = next.inForce.values;
      return {
        problems: next.afterRestart.problems.length > 0 ? next.afterRestart.problems : next.inForce.problems,
        notices: next.afterRestart.notices,
        changed: settingEntries.flatMap(([name, { key }]) =>
          isSame(before[name], after[name]) ? [] : [{ key, before: before[name] ?? null, after: after[name] ?? null }],
        ),
        needsRestart: findPending(next),
        next,
      };
    },
    apply(change) {
      if (change.problems.length > 0) throw new TypeError('a change with problems is never applied');
      const before = state.inForce.config;
      state = change.next;
      if (change.changed.length > 0) for (const listener of listeners) listener(state.inForce.config, before);
    },
    onChange(listener) {
      listeners.push(listener);
    },
  };
}

const isSame = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);

/** Runtime settings from what stands there now, the others from the start; the profile in force is that of the start. */
function decideState(started: ConfigReading, sources: SettingSources, api: ApiValues): LiveState {
  const afterRestart = resolveSettings(sources, api);
  const now = resolveSettings(sources, api, started.values.profile);
  const values: Record<string, unknown> = {};
  const origins: Record<string, Origin> = {};
  for (const [name, { runtime }] of settingEntries) {
    const from = runtime ? now : started;
    values[name] = from.values[name];
    origins[name] = from.origins[name];
  }
  const inForce = finishReading(
    started.sources,
    // Every name has its value from one of two readings.
    values as SettingValues,
    origins as Record<SettingName, Origin>,
    started.structure,
    [],
    sources.notices,
  );
  return { sources, api, inForce, afterRestart };
}

function findPending({ inForce, afterRestart }: LiveState): readonly string[] {
  const scalars = settingEntries.flatMap(([name, { key }]) =>
    isSame(inForce.values[name], afterRestart.values[name]) ? [] : [key],
  );
  return [...scalars, ...changedStructures(inForce.structure, afterRestart.structure)];
}
