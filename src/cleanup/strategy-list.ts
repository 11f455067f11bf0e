import { AppError } from '../platform/errors.ts';
import type { Facts } from './plan.ts';
import type { AnyStrategy } from './strategy.ts';

export type StrategyFacts = Pick<AnyStrategy, 'name' | 'about' | 'undo'> & {
  readonly noUndo: string | null;
  /** Why it cannot work here; null: it can. */
  readonly missing: string | null;
  readonly added: boolean;
};

/** Ours, and those that a program brings along. */
export type StrategyList = {
  facts(): readonly StrategyFacts[];
  /** @throws AppError `conflict/state` when the name is taken */
  add(strategy: AnyStrategy): void;
  /** Ours stay. */
  remove(name: string): void;
  has(name: string): boolean;
  /** @throws AppError `cleanup/unknown-strategy` */
  require(name: string): AnyStrategy;
  /** Parameters as the strategy takes them, with its defaults. @throws AppError `cleanup/unknown-strategy`, `request/invalid` */
  checkParams(name: string, params: unknown): Facts;
};

export function createStrategyList(ours: readonly AnyStrategy[]): StrategyList {
  const strategies = new Map(ours.map((one) => [one.name, one]));
  const added = new Set<string>();
  const requireStrategy = (name: string): AnyStrategy => {
    const found = strategies.get(name);
    if (found) return found;
    throw new AppError(
      'cleanup/unknown-strategy',
      `There is no way to clean up "${name.slice(0, 100)}". There are: ${[...strategies.keys()].join(', ')}.`,
    );
  };
  return {
    facts: () =>
      [...strategies.values()].map((one) => ({
        ...{ name: one.name, about: one.about, undo: one.undo, noUndo: one.noUndo ?? null },
        ...{ missing: one.missing?.() ?? null, added: added.has(one.name) },
      })),
    add(strategy) {
      if (!/^[a-z][a-z0-9-]{0,62}$/.test(strategy.name))
        throw new AppError('request/invalid', 'The name of a strategy is lower-case letters, digits and dashes.');
      if (strategies.has(strategy.name))
        throw new AppError('conflict/state', `There is a strategy "${strategy.name}" already.`);
      strategies.set(strategy.name, strategy);
      added.add(strategy.name);
    },
    remove(name) {
      if (added.delete(name)) strategies.delete(name);
    },
    has: (name) => strategies.has(name),
    require: requireStrategy,
    checkParams(name, params) {
      const parsed = requireStrategy(name).params.safeParse(params ?? {});
      if (parsed.success) return parsed.data as Facts; // each strategy's parameters are facts
      throw new AppError('request/invalid', `These parameters do not suit ${name}.`, {
        violations: parsed.error.issues.map(({ path, message }) => ({
          at: ['params', ...path.map(String)].join('.'),
          message,
        })),
      });
    },
  };
}
