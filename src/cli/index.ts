/**
 * The command line: remote commands, which are clients of the HTTP API, and offline ones, whose work is handed in.
 * Owns the file `endpoint.json` of the data folder, which is there while a server runs. Invariants: what `--json` prints is
 * what the API returned; progress and words about the work go to standard error; every error has its exit code.
 */
export type { OfflineWork, RecoveryReport, StoreLook } from './cli.ts';
export { removeEndpoint, writeEndpoint } from './endpoint-file.ts';
export { Interrupted } from './exit-code.ts';
export { runCli } from './run-cli.ts';
