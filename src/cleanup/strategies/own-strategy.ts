import { z } from 'zod';
import { describeError } from '../../platform/errors.ts';
import { type Facts, mostItems, notData } from '../plan.ts';
import { type AnyStrategy, inParallel, notItsTurn, type Outcome } from '../strategy.ts';

/** What a program that has ragwarden in it brings along; the library has the same shape. */
export type GivenStrategy = {
  readonly name: string;
  readonly about?: string;
  find(params: Facts, signal: AbortSignal): Promise<readonly GivenItem[]> | readonly GivenItem[];
  /** False: it stays. */
  cleanUp(item: GivenItem, signal: AbortSignal): unknown;
};
type GivenItem = { readonly id: string; readonly what?: string; readonly why?: string; readonly bytes?: number };

/** A strategy of a program, as one of ours: planned, run, counted and told alike; only undone it cannot be. */
export function ownStrategy(given: GivenStrategy): AnyStrategy {
  const handed = new Map<string, GivenItem>();
  return {
    name: given.name,
    about: given.about ?? 'Brought along by the program that ragwarden is a part of.',
    undo: 'none',
    noUndo: 'The program that brought it along does what it does.',
    params: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
    async find(params: Facts, { signal }) {
      const found = await given.find(params, signal);
      handed.clear();
      const items = found.slice(0, mostItems).map((item) => {
        handed.set(item.id, item);
        return {
          ...{ key: item.id, what: item.what ?? item.id, why: item.why ?? 'as its program says' },
          ...{ bytes: item.bytes ?? null, risk: 'medium' as const, contained: notData, seen: { id: item.id } },
        };
      });
      return { items, kept: [], complete: found.length <= mostItems };
    },
    async begin(_: Facts, { signal, parallel }) {
      return {
        carryOut: (items) =>
          inParallel(items, parallel, async ({ key, bytes }): Promise<Outcome> => {
            if (signal.aborted) return notItsTurn;
            try {
              const done = await given.cleanUp(handed.get(key) ?? { id: key }, signal);
              return done === false ? { done: false, why: 'its program left it' } : { done: true, bytes: bytes ?? 0 };
            } catch (err) {
              return { failed: describeError(err) };
            }
          }),
        end: async () => undefined,
      };
    },
  };
}
