import { readFile } from 'node:fs/promises';
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import type { OfflineWork } from './cli/index.ts';
import { AppError, systemCode } from './platform/errors.ts';

/** npm and terminals tell of one Ctrl-C more than once; a second press of a person takes longer. */
const samePressMs = 500;
const serves = ['serve', 'up'].includes(commandWord(process.argv.slice(2)) ?? '');

/** The first word that is neither an option nor the value of one of those that may stand before the command. */
function commandWord(words: readonly string[]): string | undefined {
  return words.find(
    (word, index) => !word.startsWith('-') && !['--data-dir', '--config'].includes(words[index - 1] ?? ''),
  );
}

// What V8 compiled is kept beside the bundle: two fifths of the CPU time to ready. A build fills it for the
// user who builds (tools/compile-ahead.mjs); without that, this process does when it ends, where it may write there. A new build begins anew.
if (!import.meta.filename.endsWith('.ts')) enableCompileCache(join(import.meta.dirname, 'compiled'));

type StopSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';

// Heard before anything else is loaded: until then nothing has begun that would have to be stopped.
let tellToStop = (signal: StopSignal): void => process.exit(serves && signal !== 'SIGINT' ? 0 : 130);
let interruptedAtMs: number | undefined;
process.on('SIGINT', () => {
  // Children end with this process, so leaving at once leaves nobody behind.
  if (interruptedAtMs !== undefined && performance.now() - interruptedAtMs > samePressMs) process.exit(130);
  interruptedAtMs ??= performance.now();
  tellToStop('SIGINT');
});
process.on('SIGTERM', () => tellToStop('SIGTERM'));
// A terminal that is closed is a wish to stop; a server without one is asked to read its settings again.
const atTerminal = process.stdin.isTTY === true || process.stdout.isTTY === true;
let tellToReload: (() => void) | undefined;
let reloadAsked = false;
process.on('SIGHUP', () => {
  if (!serves || atTerminal) tellToStop('SIGHUP');
  else if (tellToReload) tellToReload();
  else reloadAsked = true;
});

// Whoever read the output may go first (`| head`). A server works on; anything else has nobody left to work for.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', () => {
    if (!serves) process.exit(0);
  });

/** What needs the slices is loaded when it is called, so that a command that only asks a server is quick. */
const offline: OfflineWork = {
  async createWarden(options) {
    const { createWarden } = await import('./app/index.ts');
    const warden = createWarden(options);
    return {
      stop: (reason) => warden.stop(reason),
      async start() {
        const started = await warden.start();
        const { giveBackStartupMemory } = await import('./platform/startup-memory.ts');
        giveBackStartupMemory();
        return {
          api: started.api,
          metrics: started.metrics,
          gateway: started.gateway,
          sample: started.sample,
          targetIds: started.targetIds,
          reload: async () => void (await started.settings.reload('SIGHUP')),
          createLoginCode: async () =>
            (
              await started.access.createLoginLink('local:admin', {
                subject: 'local:admin',
                role: 'admin',
                workspaces: 'all',
              })
            ).code,
        };
      },
    };
  },
  async createGatewayAlone(options) {
    const { createGatewayAlone } = await import('./app/index.ts');
    return createGatewayAlone(options);
  },
  async keepAdminToken(dataDir, token) {
    const { adminTokenFile, writeSecretFile } = await import('./access/index.ts');
    const path = adminTokenFile(dataDir);
    await writeSecretFile(path, token);
    return path;
  },
  async localTokenFile(dataDir) {
    const { localTokenFile } = await import('./access/index.ts');
    return localTokenFile(dataDir);
  },
  async recover(config, options) {
    const { recoverOffline } = await import('./app/index.ts');
    return recoverOffline(config, options);
  },
  async rebuildCatalogue(config, options) {
    const { rebuildCatalogueOffline } = await import('./app/index.ts');
    return rebuildCatalogueOffline(config, options);
  },
  async lookAtStores(config, signal) {
    const { lookAtStores } = await import('./app/index.ts');
    return lookAtStores(config, signal);
  },
  async foldRestored(folder) {
    const { foldRestored } = await import('./backup/index.ts');
    return foldRestored(folder);
  },
  async recoveryKit(config) {
    const { backup } = config;
    const [{ parseRepositoryLocation, recoveryKit }, { repositoryVariables }] = await Promise.all([
      import('./backup/index.ts'),
      import('./app/index.ts'),
    ]);
    return recoveryKit({
      repositories: [
        {
          location: parseRepositoryLocation(backup.location, 'environment'),
          environmentNames: repositoryVariables(config),
          caFile: backup.caFile,
        },
      ],
      password: await readPassword(backup.passwordFile),
      formatVersion: 1,
      createdAtMs: Date.now(),
    });
  },
};

async function readPassword(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).replace(/\r?\n$/, '');
  } catch (err) {
    throw new AppError(
      'repository/missing',
      systemCode(err) === 'ENOENT'
        ? `There is no repository password yet (${path}). It is made at the first start; or name the right data folder with --data-dir.`
        : `The repository password ${path} cannot be read (${systemCode(err) ?? 'unknown error'}).`,
      { cause: err },
    );
  }
}

const { Interrupted, runCli } = await import('./cli/index.ts');
const { processEnvironment } = await import('./config/index.ts');
const stop = new AbortController();
tellToStop = (signal) => stop.abort(new Interrupted(signal));
const code = await runCli({
  argv: process.argv.slice(2),
  env: processEnvironment(),
  cwd: process.cwd(),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  signal: stop.signal,
  onReloadAsked(listener) {
    tellToReload = listener;
    if (reloadAsked) listener();
  },
  offline,
});
tellToStop = () => process.exit(code);
// What a pipe did not take yet waits in this process: leaving at once would cut it off. A server does not wait for who reads its log.
const written = Promise.all(
  [process.stdout, process.stderr].map(
    (stream) => new Promise<void>((done) => (stream.writableLength > 0 ? stream.write('', () => done()) : done())),
  ),
);
await (serves ? Promise.race([written, new Promise((done) => setTimeout(done, 1_000))]) : written);
process.exit(code);
