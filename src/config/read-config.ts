import { resolve } from 'node:path';
import { AppError } from '../platform/errors.ts';
import { noticeKind } from './build-target.ts';
import { buildConfig, type Config } from './config.ts';
import { findUnknownVariables } from './environment-names.ts';
import { noticeJwt } from './jwt-config.ts';
import { readPlainFile } from './plain-file.ts';
import { developmentDefaults } from './profiles.ts';
import type { Setting } from './setting.ts';
import { type SettingName, type SettingValues, settingEntries } from './settings.ts';
import { type Problem, parseSettingsFile, readSettingsFile, type SettingsFile } from './settings-file.ts';
import { noStructure, type Structure, variablesOf } from './structures.ts';

export type Environment = Readonly<Record<string, string | undefined>>;
export type Flags = Readonly<Record<string, string | undefined>>;

/** Where an effective value came from. */
export type Origin = {
  readonly kind: 'flag' | 'environment' | 'api' | 'file' | 'profile' | 'default';
  /** `--port`, `RAGWARDEN_PORT`, `api`, `/etc/ragwarden.yaml:3`, `profile development`, `default`. */
  readonly place: string;
};
export type Origins = Readonly<Record<SettingName, Origin>>;

/** Values that were set over the API: key → JSON value. */
export type ApiValues = ReadonlyMap<string, unknown>;

/** Where settings are looked for. */
export type PlacesToRead = {
  readonly env: Environment;
  readonly flags?: Flags;
  readonly cwd: string;
  /** Stands in for the settings file, which is then not looked for. Named in problems instead of its path. */
  readonly given?: { readonly name: string; readonly content: string } | undefined;
};

/** What stands in flags, environment and files at one moment. */
export type SettingSources = {
  readonly env: Environment;
  readonly flags: Flags;
  readonly cwd: string;
  readonly file: SettingsFile | undefined;
  readonly given: PlacesToRead['given'];
  /** Content of the files that `<NAME>_FILE` names. */
  readonly secretFiles: ReadonlyMap<string, string>;
  /** What is wrong with the sources themselves, whatever the settings in them. */
  readonly problems: readonly Problem[];
  readonly notices: readonly Problem[];
};

export type ConfigReading = {
  readonly config: Config;
  readonly values: SettingValues;
  readonly origins: Origins;
  readonly structure: Structure;
  readonly problems: readonly Problem[];
  /** What is allowed and yet probably not meant. */
  readonly notices: readonly Problem[];
  readonly file: string | undefined;
  readonly sources: SettingSources;
};

/**
 * Reads flags, environment and file once, in this order of precedence, and reports every problem together.
 * @param flags values of `--name` flags without the dashes
 */
export function readConfig(sources: PlacesToRead): ConfigReading {
  return resolveSettings(readSources(sources));
}

const greatestSecretBytes = 65_536;

/** Opens the files; everything after this is computed. */
export function readSources(sources: PlacesToRead): SettingSources {
  const { env, cwd } = sources;
  const flags = sources.flags ?? {};
  const problems: Problem[] = [];
  const wanted = flags.config ?? (env.RAGWARDEN_CONFIG === '' ? undefined : env.RAGWARDEN_CONFIG);
  const path = resolve(cwd, wanted ?? 'ragwarden.yaml');
  const { given } = sources;
  const file = given ? parseSettingsFile(given.content, given.name) : readSettingsFile(path);
  if (wanted !== undefined && !file)
    problems.push({ place: path, message: 'there is no such file', mend: 'Check --config or RAGWARDEN_CONFIG.' });
  problems.push(...(file?.problems ?? []));
  const unknown = findUnknownVariables(env, variablesOf(file?.structure));
  problems.push(...unknown.problems);

  const secretFiles = new Map<string, string>();
  for (const [, definition] of settingEntries) {
    if (!definition.secret) continue;
    for (const { name } of definition.env) {
      const place = `${name}_FILE`;
      const named = env[place];
      if (named === undefined || named === '') continue;
      const read = readPlainFile(resolve(cwd, named), greatestSecretBytes);
      const secret = read.ok ? read.text.replace(/\r?\n$/, '') : '';
      if (!read.ok) problems.push({ place, message: `names a file that ${read.complaint}`, mend: read.mend });
      else if (secret === '')
        problems.push({ place, message: 'names an empty file', mend: 'Write the secret into it.' });
      else {
        secretFiles.set(name, secret);
        if (env[name] && env[name] !== secret)
          problems.push({ place: `${name} and ${place}`, message: 'hold different values', mend: 'Set one of them.' });
      }
    }
  }
  return { env, flags, cwd, file, given, secretFiles, problems, notices: unknown.notices };
}

/** Decides every setting from what was read, and what follows from all of them together. */
export function resolveSettings(
  sources: SettingSources,
  api: ApiValues = new Map(),
  profile?: SettingValues['profile'],
): ConfigReading {
  const { values, origins, structure, problems, notices } = decideSettings(sources, api, profile);
  return finishReading(sources, values, origins, structure, problems, notices);
}

/** Each setting by itself; its problems are those of one value, which is also all that the schema of the file can know. */
export type DecidedSettings = Pick<ConfigReading, 'values' | 'origins' | 'structure' | 'problems' | 'notices'>;

/**
 * Decides every setting from what was read: flag, environment, API, file, profile, default.
 * @param profile in force instead of the one that the sources name: it changes with a restart only
 */
export function decideSettings(
  sources: SettingSources,
  api: ApiValues = new Map(),
  profile?: SettingValues['profile'],
): DecidedSettings {
  const problems: Problem[] = [...sources.problems];
  const notices: Problem[] = [...sources.notices];
  const values: Record<string, unknown> = {};
  const origins: Record<string, Origin> = {};
  for (const [name, definition] of settingEntries) {
    const found = findValue(definition, sources, api, problems, notices);
    values[name] = found ? found.value : definition.fallback;
    origins[name] = found?.origin ?? { kind: 'default', place: 'default' };
  }
  if ((profile ?? values.profile) === 'development')
    for (const [name, value] of Object.entries(developmentDefaults))
      if (origins[name]?.kind === 'default') {
        values[name] = value;
        origins[name] = { kind: 'profile', place: 'profile development' };
      }

  return {
    // Each value went through the parser of its own setting just above.
    values: values as SettingValues,
    origins: origins as Origins,
    structure: sources.file?.structure ?? noStructure,
    problems,
    notices,
  };
}

/** The configuration of decided values, with what only shows between several of them. */
export function finishReading(
  sources: SettingSources,
  values: SettingValues,
  origins: Origins,
  structure: Structure,
  problems: readonly Problem[],
  notices: readonly Problem[],
): ConfigReading {
  const path = sources.given ? undefined : sources.file?.path;
  const built = buildConfig(values, structure, sources.cwd, origins, sources.env, path);
  return {
    config: built.config,
    values,
    origins,
    structure,
    problems: [...problems, ...built.problems],
    notices: [...notices, ...noticeJwt(values, origins), ...noticeKind(built.config, origins)],
    file: path,
    sources,
  };
}

/** @throws AppError `config/invalid` with every problem, its place and its mend */
export function requireConfig(reading: ConfigReading): Config {
  if (reading.problems.length === 0) return reading.config;
  throw new AppError(
    'config/invalid',
    `${reading.problems.length === 1 ? 'One setting is' : `${reading.problems.length} settings are`} not right; \`ragwarden config check\` shows them.`,
    { violations: reading.problems.map((one) => ({ at: one.place, message: `${one.message}. ${one.mend}` })) },
  );
}

type Found = { readonly value: unknown; readonly origin: Origin };

function findValue(
  definition: Setting,
  sources: SettingSources,
  api: ApiValues,
  problems: Problem[],
  notices: Problem[],
): Found | undefined {
  const { key, parser } = definition;
  const flagValue = definition.flag === undefined ? undefined : sources.flags[definition.flag];
  if (flagValue !== undefined) {
    const place = `--${definition.flag}`;
    const parsed = parser.parse(flagValue);
    if (parsed.ok) return { value: parsed.value, origin: { kind: 'flag', place } };
    problems.push({ place, message: parsed.complaint, mend: `Write ${parser.describe}.` });
    return undefined;
  }
  const variable = findVariable(definition, sources, problems);
  if (variable) return variable;

  if (definition.runtime && api.has(key)) {
    const parsed = parser.accept(api.get(key));
    if (parsed.ok) return { value: parsed.value, origin: { kind: 'api', place: 'api' } };
    // It was right when it was set; a newer version may have another range.
    notices.push({ place: 'api', message: `${key} ${parsed.complaint}`, mend: `Set it again: ${parser.describe}.` });
  }

  const written = sources.file?.values.get(key);
  if (!written) return undefined;
  const parsed = parser.accept(written.value);
  if (parsed.ok) return { value: parsed.value, origin: { kind: 'file', place: written.place } };
  // A line of the file does not say which setting it holds; a variable does.
  problems.push({
    place: written.place,
    message: `${key} ${parsed.complaint}`,
    mend: `Write ${parser.describe.replace(', separated by commas', '')}.`,
  });
  return undefined;
}

function findVariable(definition: Setting, sources: SettingSources, problems: Problem[]): Found | undefined {
  const { parser } = definition;
  const given: Found[] = [];
  for (const { name, perUnit = 1 } of definition.env) {
    const raw = sources.secretFiles.get(name) ?? sources.env[name];
    // An empty variable counts as unset, as compose files write it.
    if (raw === undefined || raw === '') continue;
    const parsed = parser.parse(perUnit === 1 ? raw : scaled(raw, perUnit));
    if (parsed.ok) given.push({ value: parsed.value, origin: { kind: 'environment', place: name } });
    else
      problems.push({
        place: name,
        message: parsed.complaint,
        mend:
          perUnit === 1
            ? `Write ${parser.describe}.`
            : `This name counts in units of ${perUnit} ${definition.unit ?? ''}; in ${definition.unit ?? 'units'} it must be a ${parser.describe}.`,
      });
  }
  const [first, ...others] = given;
  for (const other of others)
    if (JSON.stringify(other.value) !== JSON.stringify(first?.value))
      problems.push({
        place: `${first?.origin.place} and ${other.origin.place}`,
        message: 'are two names of one setting with different values',
        mend: 'Set one of them, or both alike.',
      });
  return first;
}

/** What is no number stays as it was written, so that the complaint shows it so. */
function scaled(raw: string, perUnit: number): string {
  const value = Number(raw.trim());
  return raw.trim() === '' || !Number.isFinite(value * perUnit) ? raw : String(value * perUnit);
}
