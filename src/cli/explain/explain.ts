import { findNearestName, type Setting, settings } from '../../config/index.ts';
import { type ErrorCode, errorCatalogue } from '../../platform/errors.ts';
import { isErrorCode } from '../exit-code.ts';
import { explanations } from './explanations.ts';
import { statusWords } from './words.ts';

/** Everything that is known of one name; what does not apply is left out. */
export type Explained =
  | {
      readonly kind: 'error';
      readonly code: string;
      readonly title: string;
      readonly means: string;
      readonly causes: readonly string[];
      readonly mend: readonly string[];
      readonly status: number;
      readonly exit_code: number;
      readonly retryable: boolean;
      readonly runbook: string | null;
    }
  | {
      readonly kind: 'setting';
      readonly key: string;
      readonly env: readonly string[];
      readonly flag: string | null;
      readonly about: string;
      readonly value: string;
      readonly default: string | null;
      readonly unit: string | null;
    }
  | { readonly kind: 'word'; readonly word: string; readonly means: string; readonly mend: string | null };

export type Sought =
  | { readonly found: Explained }
  | { readonly found: undefined; readonly nearest: string | undefined };

/** @param name an error code, a setting by its key, variable or flag, or a word of a state, as somebody typed it */
export function explainName(name: string): Sought {
  if (isErrorCode(name)) return { found: explainCode(name) };
  for (const setting of Object.values<Setting>(settings))
    if (namesOf(setting).includes(name)) return { found: explainSetting(setting) };
  const word = name.toLowerCase();
  const told = Object.hasOwn(statusWords, word) ? statusWords[word] : undefined;
  if (told) return { found: { kind: 'word', word, means: told.means, mend: told.mend ?? null } };
  return { found: undefined, nearest: findNearestName(name, explainableNames()) };
}

/** Everything that can be asked for, error codes first. */
export const explainableNames = (): readonly string[] => [
  ...Object.keys(errorCatalogue),
  ...Object.values<Setting>(settings).flatMap(namesOf),
  ...Object.keys(statusWords),
];

const namesOf = (setting: Setting): readonly string[] => [
  setting.key,
  ...setting.env.flatMap(({ name }) => (setting.secret ? [name, `${name}_FILE`] : [name])),
  ...(setting.flag === undefined ? [] : [`--${setting.flag}`]),
];

function explainCode(code: ErrorCode): Explained {
  const { status, title, exitCode, retryable } = errorCatalogue[code];
  const { means, causes, mend, runbook } = explanations[code];
  return {
    kind: 'error',
    code,
    title,
    means,
    causes,
    mend,
    status,
    exit_code: exitCode,
    retryable,
    runbook: runbook === undefined ? null : `docs/runbooks/${runbook}`,
  };
}

const explainSetting = (setting: Setting): Explained => ({
  kind: 'setting',
  key: setting.key,
  env: namesOf(setting).filter((name) => /^[A-Z]/.test(name)),
  flag: setting.flag === undefined ? null : `--${setting.flag}`,
  about: setting.about,
  value: setting.parser.describe,
  default: setting.fallback === undefined ? null : String(setting.fallback),
  unit: setting.unit ?? null,
});

/** Every code as a page; `docs/errors.md` is this text, which a test holds. */
export function errorReference(): string {
  const families = Map.groupBy(Object.keys(errorCatalogue).filter(isErrorCode), (code) => code.split('/')[0] ?? '');
  const lines = [
    '# Error codes',
    '',
    'A code is stable: it stands in `code` of every problem document of the API and in brackets behind what the command line says. `ragwarden explain CODE` prints the same as this page.',
    '*Retryable* means that the same request may succeed later without anything being changed.',
  ];
  for (const [family, codes] of families) {
    lines.push('', `## ${family}`);
    for (const code of codes) {
      const { status, title, exitCode, retryable } = errorCatalogue[code];
      const { means, causes, mend, runbook } = explanations[code];
      lines.push(
        '',
        `### ${code}`,
        '',
        `${title}. HTTP ${status}, exit code ${exitCode}${retryable ? ', retryable' : ''}.`,
        '',
        means,
        '',
        ...causes.map((cause) => `- *Cause:* ${cause}`),
        ...mend.map((step) => `- *Do:* ${step}`),
        ...(runbook === undefined ? [] : [`- *Runbook:* [${runbook}](runbooks/${runbook})`]),
      );
    }
  }
  return `${lines.join('\n')}\n`;
}
