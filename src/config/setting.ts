import type { Parser } from './value-parsers.ts';

/** An environment variable of a setting; `perUnit` converts what is written there into the setting's own unit. */
export type EnvironmentName = { readonly name: string; readonly perUnit?: number };

export type Setting<T = unknown> = {
  /** Where it stands in `ragwarden.yaml`. */
  readonly key: string;
  readonly env: readonly EnvironmentName[];
  readonly flag?: string;
  readonly parser: Parser<T>;
  readonly fallback: T | undefined;
  /** Shown in the example of a settings file where there is no default. */
  readonly example?: T;
  /** What it is, and what a larger or smaller value costs; one line. */
  readonly about: string;
  readonly unit?: string;
  /** Read from `<NAME>_FILE` as well, never printed, never taken from the YAML file. */
  readonly secret?: boolean;
  /** May be changed while ragwarden runs; everything else needs a restart. */
  readonly runtime?: boolean;
};

type Definition<T, Fallback> = Omit<Setting<T>, 'fallback'> & { readonly fallback: Fallback };

export const setting = <T, const Fallback extends T | undefined>(
  definition: Definition<T, Fallback>,
): Definition<T, Fallback> => definition;

export const env = (...names: (string | EnvironmentName)[]): readonly EnvironmentName[] =>
  names.map((name) => (typeof name === 'string' ? { name } : name));
