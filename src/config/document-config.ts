import type { Origins } from './read-config.ts';
import type { SettingValues } from './settings.ts';
import type { Problem } from './settings-file.ts';

export type DocumentConfig = {
  readonly stuckAfterMs: number;
  readonly noProgressAfterMs: number;
  readonly reprocess: { readonly enabled: boolean; readonly mostPerDay: number };
  readonly follow: { readonly most: number; readonly longestMs: number };
};

export type CanaryConfig = {
  readonly question: string;
  readonly expected: string;
  /** Undefined: nothing can be planted; the answer lies in a document of the operator's own. */
  readonly document: string | undefined;
  readonly mode: SettingValues['canaryMode'];
  readonly intervalMs: number;
  readonly timeoutMs: number;
};

export const buildDocuments = (values: SettingValues): DocumentConfig => ({
  stuckAfterMs: values.stuckAfterSeconds * 1000,
  noProgressAfterMs: values.noProgressAfterSeconds * 1000,
  reprocess: { enabled: values.reprocessStuck, mostPerDay: values.reprocessMostPerDay },
  follow: { most: values.followMost, longestMs: values.followHours * 3_600_000 },
});

/** Undefined: nobody asks. */
export function buildCanary(values: SettingValues, origins: Origins, problems: Problem[]): CanaryConfig | undefined {
  const { canaryQuestion: question, canaryExpected: expected, canaryDocument: document } = values;
  if (question === undefined || expected === undefined) {
    for (const name of ['canaryQuestion', 'canaryExpected', 'canaryDocument'] as const)
      if (values[name] !== undefined)
        problems.push({
          place: origins[name].place,
          message: 'a canary needs a question and what must be found for it',
          mend: 'Set both RAGWARDEN_CANARY_QUESTION and RAGWARDEN_CANARY_EXPECTED, or remove it.',
        });
    return undefined;
  }
  if (document !== undefined && !document.includes(expected))
    problems.push({
      place: origins.canaryDocument.place,
      message: 'the document does not hold the text that is expected in it',
      mend: 'Write the text of RAGWARDEN_CANARY_EXPECTED into it, letter by letter.',
    });
  return {
    question,
    expected,
    document,
    mode: values.canaryMode,
    intervalMs: values.canaryIntervalSeconds * 1000,
    timeoutMs: values.canaryTimeoutSeconds * 1000,
  };
}
