import {
  type ApiValues,
  type ChangedSetting,
  type ConfigChange,
  type LiveConfig,
  type Problem,
  readSources,
} from '../config/index.ts';
import type { EventRecorder } from '../events/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import { AppError, type Violation } from '../platform/errors.ts';
import { etagOf } from '../platform/http/index.ts';
import type { Logger } from '../platform/logging.ts';
import { deleteRuntimeSetting, writeRuntimeSetting } from './runtime-setting-store.ts';
import { decidePatch, type ShownSetting, showSettings } from './settings.ts';

/** An event holds no more; the answer and the log hold them all. */
const toldProblems = 50;

export type SettingsCheck = {
  readonly file: string | null;
  readonly problems: readonly Problem[];
  readonly notices: readonly Problem[];
  readonly changed: readonly ChangedSetting[];
  readonly needsRestart: readonly string[];
};

/** Reads and changes the settings of this process; changes come one after the other. */
export type SettingsControl = {
  list(): readonly ShownSetting[];
  /** Of what `list` answers. */
  etag(): string;
  /**
   * @param admit called with the present tag before anything is decided; throws to refuse
   * @throws AppError `request/invalid`, `settings/needs-restart`, `settings/fixed`; nothing is changed then
   */
  patch(
    patch: Readonly<Record<string, unknown>>,
    by: { actor: string; admit?(etag: string): void },
  ): Promise<readonly ChangedSetting[]>;
  /** What stands in file and `_FILE`s now, and what reading it again would do; does nothing. */
  check(): SettingsCheck;
  /** @throws AppError `config/invalid` with every problem; nothing is changed then */
  reload(actor: string): Promise<SettingsCheck>;
};

export function createSettingsControl(deps: {
  live: LiveConfig;
  db: Database;
  events: EventRecorder;
  clock: Clock;
  log: Logger;
}): SettingsControl {
  const { live, db, events, clock, log } = deps;
  let last: Promise<unknown> = Promise.resolve();
  /** Deciding and doing are one step: nobody else changes anything in between. */
  const oneByOne = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  };

  const list = (): readonly ShownSetting[] => showSettings(live);
  const etag = (): string => etagOf(JSON.stringify(list()));

  const planReload = (): ConfigChange => {
    return live.plan({ sources: readSources(live.state().sources) });
  };

  return {
    list,
    etag,
    check: () => shapeCheck(planReload()),
    patch: (patch, { actor, admit }) =>
      oneByOne(async () => {
        admit?.(etag());
        const { inForce, api } = live.state();
        const decision = decidePatch(patch, inForce, api);
        if (!decision.ok) throw new AppError(decision.code, decision.detail, { violations: decision.violations });
        const change = live.plan({ api: decision.api });
        if (change.problems.length > 0)
          throw new AppError('request/invalid', 'Nothing was changed: these values do not go together.', {
            violations: change.problems.map(violationOf),
          });
        if (sameValues(api, decision.api)) return [];
        const changedMs = clock.now();
        await db.unit(async (tx) => {
          for (const key of Object.keys(patch)) {
            if (!decision.api.has(key)) await deleteRuntimeSetting(tx, key);
            else await writeRuntimeSetting(tx, { key, value: decision.api.get(key), changedMs, changedBy: actor });
          }
          await events.audit(tx, {
            actor,
            action: 'settings.patch',
            object: Object.keys(patch).join(',').slice(0, 1_000),
            outcome: 'done',
            data: { changes: change.changed },
          });
          if (change.changed.length > 0)
            await events.record(tx, {
              type: 'settings.changed',
              severity: 'info',
              message: sentence(change.changed, `by ${actor}`),
              data: { changes: change.changed, actor },
            });
        });
        live.apply(change);
        return change.changed;
      }),
    reload: (actor) =>
      oneByOne(async () => {
        const change = planReload();
        const check = shapeCheck(change);
        const valid = change.problems.length === 0;
        await db.unit(async (tx) => {
          await events.audit(tx, {
            actor,
            action: 'settings.reload',
            object: check.file ?? '',
            outcome: valid ? 'done' : 'refused',
            data: { changes: change.changed, needs_restart: change.needsRestart, problems: change.problems.length },
          });
          await events.record(tx, {
            type: valid ? 'settings.reloaded' : 'settings.reload-failed',
            severity: valid ? 'info' : 'error',
            message: valid
              ? `The settings were read again: ${sentence(change.changed, restartSentence(change.needsRestart))}`
              : `The settings were read again and are not right; nothing was changed. ${change.problems.length === 1 ? 'One problem' : `${change.problems.length} problems`}: ${change.problems.map(({ place, message }) => `${place}: ${message}`).join('; ')}`,
            data: valid
              ? { changes: change.changed, needs_restart: change.needsRestart, actor }
              : { problems: change.problems.slice(0, toldProblems), problem_count: change.problems.length, actor },
          });
        });
        if (!valid) {
          for (const { place, message, mend } of change.problems) log.error({ place }, `${place}: ${message}. ${mend}`);
          throw new AppError('config/invalid', 'Nothing was changed: mend what is listed, and reload again.', {
            violations: change.problems.map(violationOf),
          });
        }
        live.apply(change);
        for (const { place, message, mend } of change.notices) log.warn({ place }, `${place}: ${message}. ${mend}`);
        log.info(
          { changed: change.changed.map(({ key }) => key), needsRestart: change.needsRestart },
          'the settings were read again',
        );
        return check;
      }),
  };
}

const shapeCheck = (change: ConfigChange): SettingsCheck => ({
  file: change.next.sources.given ? null : (change.next.sources.file?.path ?? null),
  problems: change.problems,
  notices: change.notices,
  changed: change.problems.length > 0 ? [] : change.changed,
  needsRestart: change.problems.length > 0 ? [] : change.needsRestart,
});

const violationOf = ({ place, message, mend }: Problem): Violation => ({ at: place, message: `${message}. ${mend}` });

const sameValues = (one: ApiValues, other: ApiValues): boolean =>
  one.size === other.size && [...one].every(([key, value]) => JSON.stringify(other.get(key)) === JSON.stringify(value));

const sentence = (changed: readonly ChangedSetting[], end: string): string =>
  `${changed.length === 0 ? 'no setting changed' : changed.map(({ key, before, after }) => `${key} is ${JSON.stringify(after)} (was ${JSON.stringify(before)})`).join(', ')}${end === '' ? '' : ` ${end}`}.`;

const restartSentence = (keys: readonly string[]): string =>
  keys.length === 0 ? '' : `(${keys.join(', ')}: with a restart)`;
