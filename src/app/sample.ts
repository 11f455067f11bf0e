import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { PlaceId, TargetConfig } from '../config/index.ts';
import { type ChildProcesses, systemSearchPath } from '../platform/child-processes/index.ts';
import { AppError } from '../platform/errors.ts';
import type { Logger } from '../platform/logging.ts';
import { productRoot } from '../platform/product-version.ts';
import { createSupervisedDriver, type SupervisedDriver, type TargetTimings } from '../targets/index.ts';

export type SampleSize = 'tiny' | 'small';

/** Its second place stands in another folder of the data folder, and is only started when it is failed over to. */
export type Sample = {
  readonly config: TargetConfig;
  readonly drivers: Readonly<Record<PlaceId, SupervisedDriver>>;
};

/**
 * The bundled sample backend: a server with LightRAG's HTTP API over a real workspace in the data folder, which is generated
 * once. Afterwards the folder is the user's to damage; it is brought back from a recovery point, never generated again.
 */
export async function prepareSample(options: {
  dataDir: string;
  size: SampleSize;
  children: ChildProcesses;
  timings: TargetTimings;
  log: Logger;
}): Promise<Sample> {
  const { children, log } = options;
  const home = join(options.dataDir, 'sample');
  const workingDir = join(home, 'rag_storage');
  const inputDir = join(home, 'inputs');
  const marker = join(home, 'generated');
  if (!existsSync(marker)) {
    await mkdir(home, { recursive: true, mode: 0o700 });
    log.info({ folder: home }, 'the sample workspace is generated');
    const result = await children.run({
      program: process.execPath,
      args: [programFile('generate-workspace'), '--dir', workingDir, '--input-dir', inputDir, '--size', options.size],
      env: { PATH: systemSearchPath },
      purpose: 'generate the sample workspace',
      timeoutMs: 120_000,
    });
    if (result.exitCode !== 0)
      throw new AppError('child/failed', 'The sample workspace could not be generated.', {
        context: { stderr: result.stderr },
      });
    await writeFile(marker, 'Generated once. Delete this folder as a whole to get a fresh sample.\n');
  }
  const home2 = join(options.dataDir, 'sample-standby');
  const standby = { workingDir: join(home2, 'rag_storage'), inputDir: join(home2, 'inputs') };
  const [port, standbyPort] = await findFreePorts(2);
  const driverAt = (at: number | undefined, folders: { workingDir: string; inputDir: string }): SupervisedDriver =>
    createSupervisedDriver({
      children,
      graceMs: 5_000,
      spec: {
        program: process.execPath,
        args: [
          programFile('sample-backend'),
          ...['--port', String(at), '--working-dir', folders.workingDir, '--input-dir', folders.inputDir],
        ],
        env: { PATH: systemSearchPath },
        purpose: 'sample backend',
        onStderrLine: (line) => log.debug({ program: 'sample backend' }, line),
      },
    });
  return {
    drivers: { home: driverAt(port, { workingDir, inputDir }), standby: driverAt(standbyPort, standby) },
    config: {
      id: 'sample',
      kind: 'lightrag',
      kindFrom: 'settings',
      url: `http://127.0.0.1:${port}`,
      apiKey: undefined,
      username: undefined,
      password: undefined,
      workspace: '',
      workingDir,
      inputDir,
      userDataDir: workingDir,
      lifecycle: undefined,
      commandEnvironment: {},
      configFiles: [],
      paths: {},
      standby: {
        ...standby,
        url: `http://127.0.0.1:${standbyPort}`,
        ...{ apiKey: undefined, lifecycle: undefined, zone: 'second folder', shared: [] },
      },
      // Of the settings; see target-timings.ts.
      ...options.timings,
    },
  };
}

/** The bundled program; in a source tree that runs without a build, its source. */
function programFile(name: 'sample-backend' | 'generate-workspace'): string {
  const built = join(productRoot(), 'dist', `${name}.js`);
  if (!import.meta.filename.endsWith('.ts') || existsSync(built)) return built;
  return join(productRoot(), 'examples/sample-backend', name === 'sample-backend' ? 'main.ts' : 'generate-main.ts');
}

/** The sample keeps its ports over restarts, so they are chosen first and given to it; all at once, so that they differ. */
async function findFreePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  try {
    return await Promise.all(
      servers.map(
        (server) =>
          new Promise<number>((resolve, reject) => {
            server.once('error', reject);
            server.listen({ host: '127.0.0.1', port: 0 }, () => {
              const address = server.address();
              if (typeof address === 'object' && address !== null) resolve(address.port);
              else reject(new Error('no port was given'));
            });
          }),
      ),
    );
  } finally {
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  }
}
