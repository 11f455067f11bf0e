/**
 * `ragwarden/embedded`: the whole product in one's own process. Importing it does nothing and works on any Node.js; what
 * needs Node.js 24 is loaded by `start`. It installs no signal handlers and never ends the process.
 */
export { createWarden, type StartedWarden, startResourceSystems, type Warden } from './embedded-warden.ts';
export type { LogLine, SettingsTree, SettingsValue, WardenOptions } from './options.ts';
