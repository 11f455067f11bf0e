import { developmentDefaults } from './profiles.ts';
import type { ConfigReading } from './read-config.ts';
import type { Setting } from './setting.ts';
import { settingEntries } from './settings.ts';

export type ShownSetting = {
  readonly key: string;
  readonly value: string | null;
  readonly origin: string;
  readonly env: readonly string[];
  readonly flag: string | null;
  readonly about: string;
  /** May be changed while ragwarden runs. */
  readonly runtime: boolean;
};

/** Effective settings with their origin, secrets replaced; what `ragwarden config show --origin` prints. */
export function describeConfig(reading: ConfigReading): readonly ShownSetting[] {
  return settingEntries.map(([name, definition]) => {
    const value: unknown = reading.values[name];
    return {
      key: definition.key,
      value: value === undefined ? null : definition.secret ? '(set)' : writtenValue(value),
      origin: reading.origins[name].place,
      env: definition.env.map((one) => one.name),
      flag: definition.flag === undefined ? null : `--${definition.flag}`,
      about: definition.about,
      runtime: definition.runtime === true,
    };
  });
}

/** As it would be written in the environment. */
export function writtenValue(value: unknown): string {
  if (Array.isArray(value)) return value.join(',');
  if (typeof value === 'object' && value !== null)
    return Object.entries(value)
      .map(([name, word]) => `${name}=${word}`)
      .join(',');
  return String(value);
}

/** The reference of every setting as Markdown, generated so that it cannot go stale. */
export function configReference(): string {
  const rows = settingEntries.map(([, one]) => {
    const names = one.env.map((env) => `\`${env.name}\`${env.perUnit === 3600 ? ' (hours)' : ''}`).join(', ');
    const unit = one.unit ? ` (${one.unit})` : '';
    return `| \`${one.key}\`${unit} | ${names} | ${one.flag ? `\`--${one.flag}\`` : ''} | ${one.parser.describe} | ${writtenFallback(one)} | ${one.runtime ? 'yes' : ''} | ${one.about}${one.secret ? ' Secret: environment or `_FILE` only.' : ''} |`;
  });
  const profiles = settingEntries.flatMap(([name, one]) =>
    developmentDefaults[name] === undefined
      ? []
      : [`| \`${one.key}\` | ${writtenFallback(one)} | \`${writtenValue(developmentDefaults[name])}\` |`],
  );
  return [
    '# Settings',
    '',
    'Order: flag, environment, API, `ragwarden.yaml`, profile, default. Two names in one row are one setting; different values refuse the start.',
    'The guide to them is [settings.md](settings.md). “Live” settings can be changed while ragwarden runs, over the API and by a reload; the others need a restart.',
    '',
    '| key in `ragwarden.yaml` | environment | flag | value | default | live | what it does |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
    'Only in the file, because they name programs and folders: `target.lifecycle.stop` and `target.lifecycle.start`',
    '(`command: [program, argument, …]`, `systemd: unit` or `webhook: URL`), `target.paths` (`/folder/as/the/backend/sees/it: /folder/here`),',
    '`target.sqlite` (a list of `name` and `path`: database files that are captured while they are in use) and `target.commands` (a list of `name`, `dump: [program, argument, …]`',
    'and, where wanted, `restore: [program, argument, …]`, `environment_file`, `online`, `consistent`: whatever writes a dump to its standard output).',
    '',
    'Only in the file, since they name servers and where secrets are: `metrics.remote_write`, a list of stores that get every metric. Each has `name` and `url` and, where wanted,',
    '`bearer_token_env` or `bearer_token_file`, `username` with `password_env` or `password_file`, `headers` (`Name: value`), `labels` (`name: value`), `interval_seconds` (10),',
    '`queue_mb` (256), `batch_samples` (2,000 of one request), `timeout_seconds` (30); and `metrics.read_back`, the one store that charts may ask: `url` (without `/api/v1`), credentials, `headers` and',
    '`timeout_seconds` as above, `match` (labels that our series have there, `job: ragwarden`) and `resolution_seconds` (15). See [metrics.md](metrics.md#to-another-store).',
    '`metrics.scrape`, a list of endpoints whose metrics are read: `job` and `url` and, where wanted, the same ways to say who we are and `headers`, `interval_seconds` (30), `timeout_seconds` (10, or the interval),',
    '`labels`, `sample_limit` (10,000), `body_limit_mb` (16), `keep` and `drop` (names of metrics, or beginnings of them followed by `*`). See [metrics.md](metrics.md#from-prometheus-endpoints).',
    '',
    'Also only in the file: `traffic.prices`, a list of `model` (a name, or a beginning of names followed by `*`), `input_usd` and, where wanted, `output_usd`,',
    '`cached_input_usd` and `provider`: what a model takes, in US dollars per million tokens. [traffic.md](traffic.md) tells more.',
    '',
    'Only in the file as well: `target.endpoints`, a list of further processes of the backend that the gateway leads to, each with `workspace` and `url` and, where wanted,',
    '`api_key_env` or `api_key_file`, `path_prefix`, `hosts`; and `gateway.providers`, a list of providers of models with `id`, `url`, `api` (`openai` or `ollama`)',
    'and, where wanted, `api_key_env` or `api_key_file`. See [gateway.md](gateway.md).',
    '',
    'And `target.custom`, which makes the target a backend of your own: `health` (`path` or `url`, `statuses`, `field` with `healthy` and `degraded`, `version_field`, `busy_field`), `folders` (a list of `name`, `path`, `writer`: `replaces` or `in-place`, `leave_out`)',
    'and `operations` (a list of `method`, `path`, `operation`: `query`, `search`, `insert`, `admin`, `read` or `llm`, and `writes`). See [pointing-at-a-backend.md](pointing-at-a-backend.md#a-backend-of-your-own).',
    '',
    'Only in the file, since they name folders: `cleanup.folders`, a list of folders that cleanups may touch, each with `id`, `path`, `use` (`temporary`, `logs`, `graphrag`) and, where wanted,',
    '`patterns` and `min_age_seconds` (60); and `cleanup.tasks`, a list of tasks as `POST /api/v1/metrics/cleanup/tasks` takes them. See [cleanup.md](cleanup.md).',
    '',
    '`backup.credentials` names the secrets of a repository elsewhere, and `replication.targets` the places that points are copied to: by `value_env` or `value_file`, under the names that the stores’ own tools read.',
    'See [backup-and-restore.md](backup-and-restore.md#a-repository-elsewhere) and [replication.md](replication.md#places).',
    '',
    '## Profiles',
    '',
    'What `profile: development` has in place of the defaults. A value that is set stays as it is set.',
    '',
    '| key | production | development |',
    '| --- | --- | --- |',
    ...profiles,
    '',
  ].join('\n');
}

function writtenFallback({ fallback }: Setting): string {
  if (fallback === undefined) return 'none';
  const written = writtenValue(fallback);
  return written === '' ? 'empty' : `\`${written}\``;
}
