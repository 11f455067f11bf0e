import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type EventLog, eventBody } from '../events/index.ts';
import type { Health } from '../health/index.ts';
import { createMetricsHandler } from '../metrics/index.ts';
import { AppError } from '../platform/errors.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import type { Jobs } from '../platform/jobs.ts';
import { productVersion } from '../platform/product-version.ts';
import {
  type BundlePart,
  type Cache,
  createCaches,
  createLogs,
  folderUse,
  type Growth,
  type Logs,
  makeBundle,
  readTail,
  type SettingsControl,
  secretsIn,
  systemRoutes,
  systemWorkRoutes,
  validateConfiguration,
} from '../system/index.ts';
import { createLightragDocuments, type WatchedTarget } from '../targets/index.ts';
import { judgeProjectSettings } from '../tuning/index.ts';
import type { Ground } from './ground.ts';
import type { RememberedCallers } from './remembered-callers.ts';
import { settingsFileOf } from './settings-file-of.ts';
import type { Watch } from './watch-target.ts';

export type SystemWiring = { readonly logs: Logs; readonly systemRoutes: readonly RoutePlugin[] };

/** Work on ragwarden itself: logs, caches, jobs, the configuration of both sides, and the bundle for whoever helps. */
export function createSystemWiring(
  ground: Ground,
  parts: {
    readonly watch: Watch | undefined;
    readonly targets: readonly WatchedTarget[];
    readonly callers: RememberedCallers;
    readonly settings: SettingsControl;
    readonly jobs: Jobs;
    readonly growth: Growth;
    readonly health: Pick<Health, 'report'>;
    readonly reopenLog: () => void;
  },
): SystemWiring {
  const { live, clock, db, events, operations, children, logOf } = ground;
  const { watch, targets, callers, settings, jobs } = parts;
  const config = live.config();
  const logs = createLogs({
    file: config.logs.file,
    reopen: parts.reopenLog,
    folders: config.logs.folders,
    settings: () => live.config().logs,
    intervalMs: config.logs.intervalMs,
    ...{ operations, events, db, children, clock },
    log: logOf('system'),
  });
  const caches = createCaches({ caches: cachesOf(ground, watch, callers), db, events, clock });
  const envFile = config.tuning.environmentFile;

  return {
    logs,
    systemRoutes: [
      systemRoutes({
        caches,
        validate: (options) =>
          validateConfiguration(
            {
              check: () => settings.check(),
              environments: envFile === undefined ? [] : [{ file: envFile }],
              projects: targets.flatMap((one) => {
                const file = settingsFileOf(one);
                return file === undefined ? [] : [{ file, judge: judgeProjectSettings }];
              }),
            },
            options,
          ),
      }),
      systemWorkRoutes({
        logs,
        operations,
        async restart({ actor, ...options }) {
          const restarted = await jobs.restart(options);
          const late = restarted.filter(({ outcome }) => outcome === 'waiting');
          await db.unit(async (tx) => {
            await events.audit(tx, {
              actor,
              action: 'system.restart',
              object: (options.names ?? ['all']).join(',').slice(0, 1_000),
              outcome: 'done',
              data: { force: options.force, restarted: restarted.slice(0, 200) },
            });
            await events.record(tx, {
              type: 'system.services-restarted',
              severity: late.length > 0 ? 'warning' : 'info',
              message:
                late.length > 0
                  ? `Background jobs begin anew; ${late.map(({ name }) => name).join(', ')} when what runs there has ended.`
                  : `${restarted.length === 1 ? 'One background job was' : `${restarted.length} background jobs were`} begun anew.`,
              data: { names: options.names ?? null, force: options.force, actor },
            });
          });
          return restarted;
        },
        async bundle(actor) {
          await db.unit((tx) => events.audit(tx, { actor, action: 'system.bundle', object: '', outcome: 'done' }));
          return makeBundle({
            parts: bundleParts(ground, { ...parts, targets }),
            secrets: () => secretsOf(ground),
            clock,
          });
        },
      }),
    ],
  };
}

function cachesOf(
  { live, operations }: Ground,
  watch: Watch | undefined,
  callers: RememberedCallers,
): readonly Cache[] {
  const { dataDir } = live.config();
  const folder = join(dataDir, 'cache');
  const own: Cache[] = [
    {
      id: 'repository',
      about: 'what restic keeps of the repository',
      consequence:
        'The next backup, check or restore fetches it again, which takes longer where the repository is remote.',
      dear: false,
      measure: () => folderUse(folder),
      async clear() {
        if ((await operations.list({ state: 'running', limit: 1 })).length > 0)
          throw new AppError(
            'conflict/state',
            'Long work is under way that may be using it. Try again when it has ended.',
          );
        for (const name of await readdir(folder).catch(() => []))
          await rm(join(folder, name), { recursive: true, force: true });
      },
    },
    {
      id: 'callers',
      about: 'who was let in a moment ago, for the time in which the state is away',
      consequence: 'While the state database is away nobody gets in until it is back.',
      dear: false,
      measure: async () => ({ bytes: null, entries: callers.size() }),
      clear: async () => callers.forget(),
    },
  ];
  // What has no connection of LightRAG has no such cache.
  if (!watch?.connection) return own;
  const { target } = watch.watched;
  const workspace = target.workspaces[0] ?? '';
  const root = target.stores[0]?.path;
  const documents = createLightragDocuments(watch.connection);
  return [
    ...own,
    {
      id: 'backend-llm',
      about: `answers of models that the backend of ${target.id} keeps, of questions and of extraction`,
      consequence:
        'Every question and every extraction is paid again, and a document that is deleted afterwards leaves merged descriptions behind that the backend can no longer rebuild.',
      dear: true,
      async measure() {
        if (root === undefined) return { bytes: null, entries: null };
        const file = join(root, workspace, 'kv_store_llm_response_cache.json');
        const size = (await stat(file).catch(() => undefined))?.size;
        return { bytes: size ?? null, entries: null };
      },
      clear: (signal) => documents.clearCache(signal),
    },
  ];
}

/** Values that must not leave, wherever they are found: of settings, of the environment by its names, of our own files. */
async function secretsOf({ live }: Ground): Promise<readonly string[]> {
  const config = live.config();
  const { sources } = live.state();
  const files = ['local-token', 'admin-token', 'repository-password', 'seal.key'].map((name) =>
    join(config.dataDir, name),
  );
  const contents = await Promise.all(
    [...files, config.backup.passwordFile].map((file) => readFile(file, 'utf8').catch(() => '')),
  );
  const environment = config.tuning.environmentFile;
  const backend = environment === undefined ? '' : await readFile(environment, 'utf8').catch(() => '');
  const assigned = [...backend.matchAll(/^\s*(?:export\s+)?(\w+)\s*=\s*["']?([^"'\n#]*)/gm)].flatMap(
    ([, name = '', value = '']) => secretsIn(value.trim(), name),
  );
  return [
    ...secretsIn(live.state().inForce.values),
    ...secretsIn(config),
    ...secretsIn({ ...sources.env }),
    ...contents,
    ...assigned,
  ];
}

function bundleParts(
  ground: Ground,
  parts: {
    readonly targets: readonly WatchedTarget[];
    readonly settings: SettingsControl;
    readonly jobs: Jobs;
    readonly growth: Growth;
    readonly health: Pick<Health, 'report'>;
  },
): readonly BundlePart[] {
  const { live, clock, operations, registry } = ground;
  const eventLog: EventLog = ground.eventLog;
  const config = live.config();
  const lastEvents = async (): Promise<string> =>
    (await eventLog.list({ limit: 1_000 }))
      .reverse()
      .map((event) => `${JSON.stringify(eventBody(event))}\n`)
      .join('');
  return [
    {
      name: 'README.txt',
      read: async () =>
        `Support bundle of ragwarden ${productVersion()}, made ${new Date(clock.now()).toISOString()}.\nSecrets are replaced by ***; look through it all the same before you hand it on.\nNames of documents, workspaces and people may be in it.\n`,
    },
    {
      name: 'versions.json',
      read: async () => ({
        ragwarden: productVersion(),
        node: process.versions,
        platform: process.platform,
        arch: process.arch,
        state: config.state.place.kind,
        backends: parts.targets.map((one) => ({
          id: one.target.id,
          core_version: one.observation()?.coreVersion ?? null,
          status: one.status(),
        })),
      }),
    },
    { name: 'settings.json', read: async () => parts.settings.list() },
    { name: 'settings-check.json', read: async () => parts.settings.check() },
    { name: 'health.json', read: async () => parts.health.report() },
    { name: 'jobs.json', read: async () => parts.jobs.states(clock.now()) },
    { name: 'growth.json', read: async () => parts.growth.lines() },
    { name: 'operations.json', read: async () => operations.list({ limit: 50 }) },
    { name: 'events.ndjson', read: lastEvents },
    { name: 'metrics.txt', read: async () => (await createMetricsHandler(registry)(undefined)).body },
    {
      name: 'log.ndjson',
      read: async () =>
        config.logs.file === undefined
          ? 'ragwarden logs to standard error: see whoever keeps that (journalctl -u ragwarden, docker logs).\n'
          : readTail(config.logs.file),
    },
  ];
}
