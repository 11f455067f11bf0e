/**
 * Every setting: one table, read once from flags, environment and file, and the only reader of `process.env`.
 * Invariants: all problems are reported together with place and mend; the result is frozen; secrets are never shown.
 */
export type { Config, HostThresholds, TargetConfig } from './config.ts';
export { configReference, describeConfig, type ShownSetting } from './describe-config.ts';
export { type ConfigReading, type Environment, type Flags, readConfig, requireConfig } from './read-config.ts';
export { type Setting, settings } from './settings.ts';
export type { Problem } from './settings-file.ts';
export type { LifecycleStep } from './target-config.ts';

/** The environment of this process. */
export const processEnvironment = (): Readonly<Record<string, string | undefined>> => process.env;
