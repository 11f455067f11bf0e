import { PassThrough } from 'node:stream';
import type { CliOptions } from './cli.ts';
import { runCli } from './run-cli.ts';

export type CliRun = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** Runs a command line in this process, with nobody at the terminal. */
export async function runInPipe(
  argv: readonly string[],
  options: Partial<Pick<CliOptions, 'env' | 'cwd' | 'signal' | 'offline'>> = {},
): Promise<CliRun> {
  const stdout: string[] = [];
  const stderr: string[] = [];
  const code = await runCli({
    argv,
    env: options.env ?? {},
    cwd: options.cwd ?? '/nonexistent',
    stdin: new PassThrough(),
    stdout: { write: (text) => stdout.push(text) },
    stderr: { write: (text) => stderr.push(text) },
    signal: options.signal ?? new AbortController().signal,
    offline: options.offline ?? {
      async createWarden() {
        throw new Error('no server is started here');
      },
      async createGatewayAlone() {
        throw new Error('no gateway is started here');
      },
      keepAdminToken: async () => '',
      localTokenFile: async (dataDir) => `${dataDir}/local-token`,
      recoveryKit: async () => 'the page',
      rebuildCatalogue: async () => undefined,
      lookAtStores: async () => [],
      recover: async () => {
        throw new Error('nothing is recovered here');
      },
      foldRestored: async () => ({ folded: 0, checked: 0, faults: [] }),
    },
  });
  return { code, stdout: stdout.join(''), stderr: stderr.join('') };
}
