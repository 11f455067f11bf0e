/** In the unit of the setting; null when there is none, and always for a secret. */
export type SettingValue = string | number | boolean | readonly string[] | Readonly<Record<string, string>> | null;

/** One setting in force. */
export type SettingBody = {
  /** As it stands in `ragwarden.yaml`. */
  readonly key: string;
  readonly description: string;
  readonly value: SettingValue;
  readonly default: SettingValue;
  readonly unit: string | null;
  readonly origin: {
    readonly kind: 'flag' | 'environment' | 'api' | 'file' | 'profile' | 'default';
    /** The flag, the variable, file:line. */
    readonly place: string;
  };
  readonly environment: readonly string[];
  readonly flag: string | null;
  readonly secret: boolean;
  /** There is a value, told or not. */
  readonly is_set: boolean;
  /** May be changed while ragwarden runs. */
  readonly runtime: boolean;
  /** A restart would give it another value. */
  readonly needs_restart: boolean;
  readonly pending_value: SettingValue;
  /** Flag or variable that counts more than the API. */
  readonly fixed_by: string | null;
};

export type SettingChange = { readonly key: string; readonly before: SettingValue; readonly after: SettingValue };
export type SettingProblem = { readonly place: string; readonly message: string; readonly mend: string };

/** What reading the sources again would do, or did. */
export type SettingsCheckBody = {
  readonly valid: boolean;
  readonly file: string | null;
  readonly problems: readonly SettingProblem[];
  /** What is allowed and yet probably not meant. */
  readonly notices: readonly SettingProblem[];
  /** Runtime settings with another value. */
  readonly changed: readonly SettingChange[];
  /** Settings that a restart would give another value. */
  readonly needs_restart: readonly string[];
};
