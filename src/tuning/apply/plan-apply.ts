import { type Consequence, foresee, type IndexFacts } from '../consequence.ts';
import type { EffectiveValue } from '../effective.ts';
import { readValue, type TuningValue } from '../parameter.ts';
import type { Written } from '../watch/watch-store.ts';

/** How the file of a backend is read and written. */
export type SettingsFormat = {
  readonly backend: 'lightrag' | 'graphrag';
  /** In sentences: `The environment file` … */
  readonly name: string;
  /** What to do where nobody said which file it is. */
  readonly missing: string;
  parse(text: string): SettingsText;
};

export type SettingsText = {
  /** By variable or path. */
  values(): ReadonlyMap<string, string>;
  readonly unreadable: readonly { readonly line: number }[];
  /** The file with these and everything else as it was; null takes one away. @throws RangeError where that cannot be written */
  with(changes: Readonly<Record<string, string | null>>): string;
};

/** One variable that the environment file gets. Null: it does not stand there. */
export type FileChange = {
  readonly parameter: string;
  readonly variable: string;
  readonly before: string | null;
  /** Null: it is made a comment, since it was written here, nobody wants it any more, and nothing stood there before. */
  readonly after: string | null;
};

export type ApplyPlan = {
  readonly changes: readonly FileChange[];
  /** Of what the file says now against what it will say, for the index that is there. */
  readonly consequences: readonly Consequence[];
  /** Why it cannot be done; empty when it can. */
  readonly blockers: readonly string[];
};

/** The older of two names of one variable: LightRAG reads it only where the newer does not stand. */
const olderNames: Readonly<Record<string, string>> = { MAX_ASYNC_LLM: 'MAX_ASYNC' };

/**
 * What has to be written so that the backend's next start reads what somebody set. What nobody set stays as the file has it, and so
 * does a value that means the same there; what was written here, and nobody wants any more, becomes what it was.
 * @param written by variable; only what still stands in the file is taken back
 */
export function planApply(
  wanted: readonly EffectiveValue[],
  file: SettingsText,
  index: IndexFacts,
  written: readonly Written[] = [],
  format: Pick<SettingsFormat, 'backend' | 'name'> = { backend: 'lightrag', name: 'The environment file' },
): ApplyPlan {
  const values = file.values();
  const changes: FileChange[] = [];
  const before: Record<string, TuningValue | null> = {};
  const backTo: Record<string, TuningValue | null> = {};
  for (const { parameter, value, origin } of wanted) {
    const variable = parameter.backend === format.backend ? parameter.backendName : null;
    if (variable === null) continue;
    if (value === null || origin === 'built-in' || origin === 'user') {
      const ours = written.find((one) => one.variable === variable);
      if (ours === undefined || values.get(variable) !== ours.written) continue;
      changes.push({ parameter: parameter.name, variable, before: ours.written, after: ours.original });
      before[parameter.name] = readValue(parameter.kind, ours.written) ?? null;
      backTo[parameter.name] = ours.original === null ? null : (readValue(parameter.kind, ours.original) ?? null);
      continue;
    }
    const text = values.get(variable) ?? values.get(olderNames[variable] ?? variable);
    const found = text === undefined ? undefined : readValue(parameter.kind, text);
    if (found === value) continue;
    changes.push({ parameter: parameter.name, variable, before: text ?? null, after: String(value) });
    before[parameter.name] = found ?? null;
  }
  const consequences = foresee(
    wanted.flatMap(({ parameter: { name }, value }) =>
      name in before ? [{ parameter: name, before: before[name] ?? null, after: backTo[name] ?? value }] : [],
    ),
    index,
  );
  return { changes, consequences, blockers: blockersOf(file, changes, format.name) };
}

function blockersOf(file: SettingsText, changes: readonly FileChange[], name: string): string[] {
  const blockers = file.unreadable.map(
    ({ line }) =>
      `Line ${line} of ${name.charAt(0).toLowerCase()}${name.slice(1)} cannot be read; what is written might not be read either.`,
  );
  try {
    file.with(Object.fromEntries(changes.map(({ variable, after }) => [variable, after])));
  } catch (err) {
    if (!(err instanceof RangeError)) throw err;
    blockers.push(err.message);
  }
  return blockers;
}
