/** Settings as `ragwarden.yaml` has them: sections hold settings, and all names are those of the file. */
export type SettingsTree = { readonly [name: string]: SettingsValue };
export type SettingsValue = string | number | boolean | null | readonly SettingsValue[] | SettingsTree;

/** One line of the log: when, how grave, what, and facts under their own names. */
export type LogLine = {
  /** ISO 8601, UTC. */
  readonly time: string;
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';
  readonly msg: string;
  readonly [fact: string]: unknown;
};

export type WardenOptions = {
  /** Everything that ragwarden keeps lies here. It is made when missing; one warden at a time can have it. */
  readonly dataDir: string;
  /**
   * What `ragwarden.yaml` would hold, such as `{ target: { url, working_dir }, backup: { frequency_seconds: 3600 } }`.
   * No such file is read. Secrets do not belong here but into `env`, as they do beside a file.
   */
  readonly settings?: SettingsTree;
  /**
   * Variables to read settings from, which win over `settings`. The environment of the process counts only when it is handed
   * over: `env: process.env`. Lifecycle commands of the target get `PATH`, `HOME` and the like from here too.
   */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Port of API and page; any free one (0) unless told here. */
  readonly port?: number;
  /** Port of the metrics alone; any free one (0) unless told here. They are at `/metrics` of the API too. */
  readonly metricsPort?: number;
  /** Bring the bundled sample backend when `settings` name no target. Without it nothing is watched then. */
  readonly sample?: boolean;
  /** Told every line of the log, from `log.level` on. Unless given, nothing is logged. It must not throw. */
  readonly log?: (line: LogLine) => void;
};

const known = ['dataDir', 'settings', 'env', 'port', 'metricsPort', 'sample', 'log'];

/** @throws TypeError naming the option that is not as it should be */
export function checkOptions(options: WardenOptions): void {
  if (typeof options !== 'object' || options === null) throw new TypeError('createWarden needs `{ dataDir }`.');
  for (const name of Object.keys(options))
    if (!known.includes(name))
      throw new TypeError(`createWarden has no option \`${name}\`; it has ${known.join(', ')}.`);
  if (typeof options.dataDir !== 'string' || options.dataDir === '')
    throw new TypeError('`dataDir` is the path of a folder.');
  for (const name of ['port', 'metricsPort'] as const) {
    const port = options[name];
    if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 65_535))
      throw new TypeError(`\`${name}\` is a whole number from 0 to 65535.`);
  }
  if (options.log !== undefined && typeof options.log !== 'function')
    throw new TypeError('`log` is a function that is told each line.');
}
