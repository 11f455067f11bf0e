import type { Clock } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';
import type { Analysis } from './analyse.ts';

type Kept = { readonly atMs: number; readonly analysis: Promise<Analysis> };
type Looked = { readonly atMs: number; readonly analysis: Analysis };

/** Windows that may be looked at while one is kept: each is a look at all series, which anybody with a token may ask for. */
const mostLooks = 12;

/** After a look that failed nobody who asks makes another for so long. */
export const againMs = 60_000;

/** Looks of any window, each kept until the next is due; one at a time is made. */
export function createKeptLooks(options: {
  take(windowMs: number, nowMs: number): Promise<Analysis>;
  keepMs(): number;
  /** The window of the settings, for which nobody is refused. */
  ownMs(): number;
  clock: Pick<Clock, 'now'>;
}) {
  const { take, keepMs, ownMs, clock } = options;
  const kept = new Map<number, Kept>();
  /** When looks were made because somebody asked; those that failed count for a moment only. */
  let asked: { readonly atMs: number; hasFailed: boolean }[] = [];
  const countsMs = ({ hasFailed }: { readonly hasFailed: boolean }): number => (hasFailed ? againMs : keepMs());
  let queue: Promise<unknown> = Promise.resolve();

  const begin = (windowMs: number, nowMs: number): Kept => {
    // Of all windows together one look at a time.
    const analysis = queue.then(() => take(windowMs, nowMs));
    queue = analysis.catch(() => undefined);
    const one = { atMs: nowMs, analysis };
    kept.set(windowMs, one);
    analysis.catch(() => {
      if (kept.get(windowMs) === one) kept.delete(windowMs);
    });
    return one;
  };
  const told = async ({ atMs, analysis }: Kept): Promise<Looked> => ({ atMs, analysis: await analysis });

  return {
    /** Whatever is kept. */
    takeNow: (windowMs: number): Promise<Looked> => told(begin(windowMs, clock.now())),
    /** @throws AppError `analytics/too-many-looks` */
    async take(windowMs: number): Promise<Looked> {
      const nowMs = clock.now();
      const isOver = (atMs: number, forMs: number): boolean => nowMs - atMs >= forMs || nowMs < atMs;
      for (const [key, { atMs }] of kept) if (isOver(atMs, keepMs())) kept.delete(key);
      asked = asked.filter((one) => !isOver(one.atMs, countsMs(one)));
      const known = kept.get(windowMs);
      if (known) return told(known);
      if (windowMs === ownMs()) return told(begin(windowMs, nowMs));
      if (asked.length >= mostLooks) {
        const freeMs = Math.min(...asked.map((one) => one.atMs + countsMs(one)));
        throw new AppError(
          'analytics/too-many-looks',
          `${mostLooks} windows were looked at already. Ask for one of them, or without \`window_hours\`, or later.`,
          { retryAfterSeconds: Math.max(1, Math.ceil((freeMs - nowMs) / 1_000)) },
        );
      }
      const one = { atMs: nowMs, hasFailed: false };
      asked.push(one);
      const begun = begin(windowMs, nowMs);
      begun.analysis.catch(() => {
        one.hasFailed = true;
      });
      return told(begun);
    },
  };
}
