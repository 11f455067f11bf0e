import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemCode } from '../platform/errors.ts';
import { judgeEnvironment, parseEnvFile, type SettingFinding } from '../targets/index.ts';
import { isSecretName } from './secret-values.ts';
import type { SettingsCheck } from './settings-control.ts';

export const configTypes = ['all', 'ragwarden', 'provider', 'graphrag', 'workspace'] as const;
export type ConfigType = (typeof configTypes)[number];

export type ConfigFinding = {
  readonly severity: 'error' | 'warning' | 'suggestion';
  /** Which settings it is of. */
  readonly of: 'ragwarden' | 'provider' | 'graphrag' | 'workspace';
  /** File and line, variable, or key. */
  readonly place: string;
  readonly message: string;
  readonly mend: string;
};

export type Validation = {
  readonly valid: boolean;
  readonly findings: readonly ConfigFinding[];
  /** What was read, with secrets as ***; null: there is no such file. */
  readonly values: Readonly<Record<string, string>> | null;
  readonly files: readonly { readonly file: string; readonly read: boolean }[];
};

/** A backend's environment file, where one is named. */
export type EnvironmentSource = { readonly file: string };

/** Settings of a GraphRAG project, and who knows its rules. */
export type ProjectSource = {
  readonly file: string;
  judge(
    text: string,
    environment: ReadonlySet<string> | undefined,
  ): readonly {
    readonly severity: ConfigFinding['severity'];
    readonly paths: readonly string[];
    readonly line: number | undefined;
    readonly message: string;
    readonly mend: string;
  }[];
};

/**
 * Ours as they are written now, and the backend's by the rules of the backend; reads files and changes nothing.
 * @param options.strict warnings count as errors
 */
export async function validateConfiguration(
  sources: {
    check(): SettingsCheck;
    readonly environments: readonly EnvironmentSource[];
    readonly projects?: readonly ProjectSource[];
  },
  options: { type: ConfigType; strict: boolean },
): Promise<Validation> {
  const wanted = (of: ConfigFinding['of']): boolean => options.type === 'all' || options.type === of;
  const findings: ConfigFinding[] = wanted('ragwarden') ? ownFindings(sources.check()) : [];
  const files: { file: string; read: boolean }[] = [];
  const values: Record<string, string> = {};
  if (options.type !== 'ragwarden')
    for (const { file } of sources.environments) {
      const text = await readOrTell(file, 'target.env_file', findings);
      files.push({ file, read: text !== undefined });
      if (text === undefined) continue;
      const parsed = parseEnvFile(text);
      findings.push(...fileFindings(file, text).filter(({ of }) => wanted(of)));
      for (const [name, value] of parsed.values())
        values[name] = isSecretName(name) && value !== '' ? '***' : hideUserInfo(value);
    }
  if (options.type !== 'ragwarden')
    for (const { file, judge } of sources.projects ?? []) {
      const text = await readOrTell(file, 'WORKING_DIR', findings);
      files.push({ file, read: text !== undefined });
      if (text === undefined) continue;
      const beside = await readFile(join(dirname(file), '.env'), 'utf8').catch(() => undefined);
      const names = beside === undefined ? undefined : new Set(parseEnvFile(beside).values().keys());
      findings.push(
        ...judge(text, names).flatMap(({ paths, line, ...found }): ConfigFinding[] => {
          const of = kindOfPath(paths[0] ?? '');
          const place = line === undefined ? file : `${file}:${line}`;
          return wanted(of) ? [{ ...found, of, place }] : [];
        }),
      );
    }
  const failing = findings.some(({ severity }) => severity === 'error' || (options.strict && severity === 'warning'));
  return { valid: !failing, findings, values: files.some(({ read }) => read) ? values : null, files };
}

/** Undefined, and a finding, where it cannot be read. */
async function readOrTell(file: string, setting: string, findings: ConfigFinding[]): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (err) {
    findings.push({
      severity: 'error',
      of: 'workspace',
      place: file,
      message: `cannot be read (${systemCode(err) ?? 'unknown error'})`,
      mend: `Name the file as it is here with ${setting}, and let the user of ragwarden read it.`,
    });
    return undefined;
  }
}

const kindOfPath = (path: string): ConfigFinding['of'] =>
  /^(completion_models|embedding_models|embed_text|concurrent_requests)\b/.test(path)
    ? 'provider'
    : /^(\w+_storage|vector_store|cache|reporting|table_provider)\b/.test(path)
      ? 'workspace'
      : 'graphrag';

function ownFindings(check: SettingsCheck): ConfigFinding[] {
  const of = 'ragwarden' as const;
  return [
    ...check.problems.map((one) => ({ ...one, severity: 'error' as const, of })),
    ...check.notices.map((one) => ({ ...one, severity: 'warning' as const, of })),
    ...check.needsRestart.map((key) => ({
      severity: 'suggestion' as const,
      of,
      place: key,
      message: 'has another value in the file than in force',
      mend: 'Restart ragwarden.',
    })),
  ];
}

function fileFindings(file: string, text: string): ConfigFinding[] {
  const parsed = parseEnvFile(text);
  const lines = text.split('\n');
  /** Where it stands last, which is what counts. */
  const placeOf = (name: string): string => {
    const at = lines.findLastIndex((line) => new RegExp(`^\\s*(export\\s+)?${name}\\s*=`).test(line));
    return at < 0 ? file : `${file}:${at + 1}`;
  };
  const broken = parsed.unreadable.map(
    ({ line }): ConfigFinding => ({
      severity: 'error',
      of: 'graphrag',
      place: `${file}:${line}`,
      message: 'is no NAME=value, or opens a quote that nothing closes',
      mend: 'Write NAME=value, or a # before it.',
    }),
  );
  return [
    ...broken,
    ...parsed.repeated.map((name) => ({
      severity: 'warning' as const,
      of: kindOf(name),
      place: placeOf(name),
      message: `${name} is set more than once, and this is the one that counts`,
      mend: 'Take the others out.',
    })),
    ...judgeEnvironment(parsed.values()).map((found) => shaped(found, placeOf)),
  ];
}

const shaped = (found: SettingFinding, placeOf: (name: string) => string): ConfigFinding => ({
  severity: found.severity,
  of: kindOf(found.names[0] ?? ''),
  // Where it stands, else where what it leans on stands.
  place: found.names.map(placeOf).find((place) => /:\d+$/.test(place)) ?? placeOf(found.names[0] ?? ''),
  message: found.message,
  mend: found.mend,
});

const kindOf = (name: string): ConfigFinding['of'] =>
  /^(EXTRACT_|KEYWORD_|QUERY_|VLM_)?(LLM|EMBEDDING|RERANK|OLLAMA|OPENAI|GEMINI|BEDROCK|AZURE|MAX_ASYNC)/.test(name)
    ? 'provider'
    : /^(WORKSPACE|WORKING_DIR|INPUT_DIR|LIGHTRAG_\w+_STORAGE|POSTGRES_|REDIS_)/.test(name)
      ? 'workspace'
      : 'graphrag';

const hideUserInfo = (value: string): string => value.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/@]*@/i, '$1***@');
