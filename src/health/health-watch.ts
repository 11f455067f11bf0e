import type { Clock } from '../platform/clock.ts';
import type { Logger } from '../platform/logging.ts';
import { createReconciler, type Reconciler } from '../platform/reconciler.ts';
import type { Trouble } from '../platform/trouble.ts';
import { type CheckChange, troubleOf } from './check-runner.ts';
import type { Health } from './health.ts';
import type { HealthCheck, HealthWord } from './health-check.ts';
import type { SeenWords } from './seen-words.ts';
import { noteLook, type Steadiness, unseen } from './steady-word.ts';
import type { Verdict } from './verdict.ts';

const intervalMs = 15_000;

/**
 * Notices changes of what nobody looks at here: of the checks that the slices read from memory, and of the verdicts over all. What was
 * never known is no change.
 */
export function createHealthWatch(options: {
  checks: readonly HealthCheck[];
  health: Health;
  /** Where what is read is noted. */
  words: Pick<SeenWords, 'note'>;
  clock: Clock;
  log: Logger;
  onChange(change: CheckChange): Promise<void>;
}): Reconciler {
  const { health, clock, log } = options;
  const seen = new Map<string, Steadiness>();
  const told = new Map<string, Steadiness['word']>();
  /** What was handed on since, and could not be told. */
  const untold = new Map<string, HealthWord>();
  const troubles = new Map<string, Trouble>();

  const note = async (name: string, targetId: string | undefined, status: HealthWord, message: string) => {
    const after = noteLook(seen.get(name) ?? unseen, status, clock.now());
    seen.set(name, after);
    const { word, flapping } = after;
    const last = told.get(name);
    const before = untold.get(name);
    if (word === undefined || (word === last && before === undefined)) return;
    try {
      await options.onChange({ name, targetId, before: last, status: word, message, flapping, untold: before });
      told.set(name, word);
      untold.delete(name);
      troubles.get(name)?.ended();
      troubles.delete(name);
    } catch (err) {
      // The word stands all the same; the next run tells it, and this one goes on with the others.
      untold.set(name, word);
      const trouble = troubles.get(name) ?? troubleOf({ name, targetId }, clock, log);
      troubles.set(name, trouble);
      trouble.failed(err);
    }
  };

  return createReconciler({
    name: 'health watch',
    intervalMs,
    runAtStart: false,
    clock,
    log,
    async run() {
      for (const check of options.checks) {
        const { status, message } = check.read();
        options.words.note(check.name, status, clock.now());
        if (check.tellsChanges) continue;
        await note(check.name, check.targetId, status, message);
      }
      const { answer, ingest } = health.report();
      await note('can answer', undefined, wordOf(answer), messageOf(answer));
      await note('can ingest', undefined, wordOf(ingest), messageOf(ingest));
    },
  });
}

const wordOf = ({ can }: Verdict): HealthWord => (can === undefined ? 'unknown' : can ? 'healthy' : 'unhealthy');
const messageOf = ({ can, reasons }: Verdict): string => (can ? '' : reasons.map(({ message }) => message).join(' '));
