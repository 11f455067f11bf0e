import type { ConfigReading } from './read-config.ts';
import { type Setting, type SettingName, settings } from './settings.ts';

export type ShownSetting = {
  readonly key: string;
  readonly value: string | null;
  readonly origin: string;
  readonly env: readonly string[];
  readonly flag: string | null;
  readonly about: string;
};

/** Effective settings with their origin, secrets replaced; what `ragwarden config show --origin` prints. */
export function describeConfig(reading: ConfigReading): readonly ShownSetting[] {
  return (Object.entries(settings) as [SettingName, Setting][]).map(([name, definition]) => {
    const value: unknown = reading.values[name];
    return {
      key: definition.key,
      value:
        value === undefined
          ? null
          : definition.secret
            ? '(set)'
            : Array.isArray(value)
              ? value.join(',')
              : String(value),
      origin: reading.origins[name],
      env: definition.env.map((one) => one.name),
      flag: definition.flag === undefined ? null : `--${definition.flag}`,
      about: definition.about,
    };
  });
}

/** The reference of every setting as Markdown, generated so that it cannot go stale. */
export function configReference(): string {
  const rows = (Object.values(settings) as Setting[]).map((one) => {
    const names = one.env.map((env) => `\`${env.name}\`${env.perUnit === 3600 ? ' (hours)' : ''}`).join(', ');
    const fallback =
      one.fallback === undefined ? 'none' : Array.isArray(one.fallback) ? 'empty' : `\`${String(one.fallback)}\``;
    const secret = one.secret ? ' Secret: environment or `_FILE` only.' : '';
    const unit = one.unit ? ` (${one.unit})` : '';
    return `| \`${one.key}\`${unit} | ${names} | ${one.flag ? `\`--${one.flag}\`` : ''} | ${one.parser.describe} | ${fallback} | ${one.about}${secret} |`;
  });
  return [
    '# Settings',
    '',
    'Order: flag, environment, `ragwarden.yaml`, default. Two names in one row are one setting; different values refuse the start.',
    '',
    '| key in `ragwarden.yaml` | environment | flag | value | default | what it does |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
    'Only in the file, because they name programs and folders: `target.lifecycle.stop` and `target.lifecycle.start`',
    '(`command: [program, argument, …]`, `systemd: unit` or `webhook: URL`) and `target.paths` (`/folder/as/the/backend/sees/it: /folder/here`).',
    '',
  ].join('\n');
}
