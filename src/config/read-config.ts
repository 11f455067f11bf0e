import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { AppError, systemCode } from '../platform/errors.ts';
import { buildConfig, type Config } from './config.ts';
import { findNearestName } from './nearest-name.ts';
import { developmentDefaults, type Setting, type SettingName, type SettingValues, settings } from './settings.ts';
import { type Problem, readSettingsFile, type SettingsFile } from './settings-file.ts';

export type Environment = Readonly<Record<string, string | undefined>>;
export type Flags = Readonly<Record<string, string | undefined>>;

/** Where an effective value came from: `flag --port`, `RAGWARDEN_PORT`, `ragwarden.yaml:3`, `default`. */
export type Origins = Readonly<Record<SettingName, string>>;

export type ConfigReading = {
  readonly config: Config;
  readonly values: SettingValues;
  readonly origins: Origins;
  readonly problems: readonly Problem[];
  readonly file: string | undefined;
};

/** Own variables that are no settings: they steer the tools around the product. */
const otherOwnVariables = new Set(['RAGWARDEN_CONFIG', 'RAGWARDEN_URL', 'RAGWARDEN_TOKEN', 'RAGWARDEN_NO_INSTALL']);

/**
 * Reads flags, environment and file once, in this order of precedence, and reports every problem together.
 * @param flags values of `--name` flags without the dashes
 */
export function readConfig(sources: { env: Environment; flags?: Flags; cwd: string }): ConfigReading {
  const { env, cwd } = sources;
  const flags = sources.flags ?? {};
  const problems: Problem[] = [];
  const wanted = flags.config ?? env.RAGWARDEN_CONFIG;
  const path = resolve(cwd, wanted ?? 'ragwarden.yaml');
  const file = readSettingsFile(path);
  if (wanted !== undefined && !file)
    problems.push({ place: path, message: 'there is no such file', mend: 'Check --config or RAGWARDEN_CONFIG.' });
  if (file) problems.push(...file.problems);
  reportUnknownVariables(env, problems);

  const values: Record<string, unknown> = {};
  const origins: Record<string, string> = {};
  for (const [name, definition] of Object.entries(settings) as [SettingName, Setting][]) {
    const found = findValue(definition, flags, env, file, problems);
    values[name] = found?.value ?? definition.fallback;
    origins[name] = found?.origin ?? 'default';
  }
  if (values.profile === 'development')
    for (const [name, value] of Object.entries(developmentDefaults))
      if (origins[name] === 'default') {
        values[name] = value;
        origins[name] = 'profile development';
      }

  // Each value went through the parser of its own setting just above.
  const typed = values as SettingValues;
  const built = buildConfig(typed, file?.target ?? {}, cwd, origins as Origins, env, file?.path);
  problems.push(...built.problems);
  return { config: built.config, values: typed, origins: origins as Origins, problems, file: file?.path };
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

type Found = { readonly value: unknown; readonly origin: string };

function findValue(
  definition: Setting,
  flags: Flags,
  env: Environment,
  file: SettingsFile | undefined,
  problems: Problem[],
): Found | undefined {
  const parse = (raw: string, origin: string, perUnit = 1): Found | undefined => {
    const parsed = definition.parser.parse(perUnit === 1 ? raw : scaled(raw, perUnit));
    if (parsed.ok) return { value: parsed.value, origin };
    const shown = definition.secret ? 'is not usable' : parsed.complaint;
    problems.push({
      place: origin,
      // A line of the file does not say which setting it holds; a variable does.
      message: origin.includes(':') ? `${definition.key} ${shown}` : shown,
      mend:
        perUnit === 1
          ? `Write ${definition.parser.describe}.`
          : `This name counts in units of ${perUnit} ${definition.unit ?? ''}; in ${definition.unit ?? 'units'} it must be a ${definition.parser.describe}.`,
    });
    return undefined;
  };
  const flagValue = definition.flag === undefined ? undefined : flags[definition.flag];
  if (flagValue !== undefined) return parse(flagValue, `--${definition.flag}`);

  const given: Found[] = [];
  for (const { name, perUnit } of definition.env) {
    const raw = definition.secret ? readSecret(name, env, problems) : env[name];
    // An empty variable counts as unset, as compose files write it.
    if (raw === undefined || raw === '') continue;
    const found = parse(raw, name, perUnit);
    if (found) given.push(found);
  }
  const [first, ...others] = given;
  if (first) {
    for (const other of others)
      if (other.value !== first.value)
        problems.push({
          place: `${first.origin} and ${other.origin}`,
          message: 'are two names of one setting with different values',
          mend: 'Set one of them, or both alike.',
        });
    return first;
  }
  const written = file?.values.get(definition.key);
  return written ? parse(written.raw, written.place) : undefined;
}

function scaled(raw: string, perUnit: number): string {
  const value = Number(raw.trim());
  return raw.trim() === '' || !Number.isFinite(value) ? raw : String(value * perUnit);
}

function readSecret(name: string, env: Environment, problems: Problem[]): string | undefined {
  const path = env[`${name}_FILE`];
  if (path === undefined || path === '') return env[name];
  try {
    const secret = readFileSync(path, 'utf8').replace(/\r?\n$/, '');
    if (env[name] && env[name] !== secret)
      problems.push({ place: `${name} and ${name}_FILE`, message: 'hold different values', mend: 'Set one of them.' });
    return secret;
  } catch (err) {
    problems.push({
      place: `${name}_FILE`,
      message: `names a file that cannot be read (${systemCode(err) ?? 'unknown error'})`,
      mend: 'Check the path and its permissions.',
    });
    return undefined;
  }
}

function reportUnknownVariables(env: Environment, problems: Problem[]): void {
  const known = new Set(otherOwnVariables);
  for (const definition of Object.values(settings) as Setting[])
    for (const { name } of definition.env) {
      known.add(name);
      if (definition.secret) known.add(`${name}_FILE`);
    }
  for (const name of Object.keys(env)) {
    if (!name.startsWith('RAGWARDEN_') || known.has(name)) continue;
    const nearest = findNearestName(name, known);
    problems.push({
      place: name,
      message: 'is not a setting',
      mend: nearest ? `Did you mean ${nearest}?` : 'Remove it.',
    });
  }
}
