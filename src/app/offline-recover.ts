import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import {
  chooseRecoverable,
  createResticRepository,
  describeMisdated,
  listRecoverable,
  parseRecoveryKit,
  planRecovery,
  type RecoverablePoint,
  type RecoveryPlan,
  type Restorer,
  recoverPoint,
} from '../backup/index.ts';
import type { OfflineWork, RecoveryReport } from '../cli/index.ts';
import type { Config } from '../config/index.ts';
import { type ChildProcesses, createChildProcesses } from '../platform/child-processes/index.ts';
import { type Clock, isoInstant, systemClock } from '../platform/clock.ts';
import { lockDataFolder } from '../platform/data-folder.ts';
import { AppError, systemCode } from '../platform/errors.ts';
import { createHttpClient, type HttpClient } from '../platform/http-client.ts';
import { createLifecycle } from '../platform/lifecycle.ts';
import { protectCommand, protectSqlite } from './file-stores.ts';
import { protectPostgres } from './postgres-store.ts';
import { protectQdrant } from './qdrant-store.ts';
import { protectRedis } from './redis-store.ts';
import { repositoryOptions } from './repository-options.ts';

/** As the command line asks for it. */
export type RecoverOptions = Parameters<OfflineWork['recover']>[1] & {
  /** Named boundaries of the work, for tests. */
  step?(name: string): void | Promise<void>;
};

const mostListed = 20;

/**
 * Brings a point back onto a machine that has nothing but the repository and its password: no catalogue, no server.
 * @throws AppError `storage/data-folder-in-use`, `restore/blocked`, and whatever plan and recovery throw
 */
export async function recoverOffline(config: Config, options: RecoverOptions): Promise<RecoveryReport> {
  const { log, signal } = options;
  const clock = systemClock;
  const lifecycle = createLifecycle(log);
  const scratchDir = join(config.dataDir, 'recover');
  try {
    const lock = lockDataFolder(config.dataDir, 'recover', clock.now());
    await lifecycle.begin({ name: 'data folder', stop: () => lock.release() });
    const children = createChildProcesses({ log, clock, recordDir: join(config.dataDir, 'children') });
    await lifecycle.begin({ name: 'child processes', stop: () => children.stop() });
    await children.endSurvivors();
    const http = createHttpClient();
    await lifecycle.begin({ name: 'outgoing calls', stop: () => http.close() });
    await rm(scratchDir, { recursive: true, force: true });
    await mkdir(scratchDir, { recursive: true, mode: 0o700 });
    const { location, password } = await findRepository(config, options);
    const passwordFile = join(scratchDir, 'password');
    await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
    const repository = createResticRepository({
      ...(await repositoryOptions(config, location)),
      passwordFile,
      cacheDir: join(config.dataDir, 'cache', 'restic'),
      children,
      log,
      clock,
    });
    const points = await listRecoverable(repository, clock.now(), signal);
    const point = chooseRecoverable(points, options);
    const stateFile = join(config.dataDir, 'state.sqlite');
    const plan = await planRecovery(
      { repository },
      point,
      {
        folders: options.folders,
        without: options.without,
        besideDir: options.besideDir,
        stateFile: existsSync(stateFile) || config.state.place.kind !== 'sqlite' ? undefined : stateFile,
        scratchDir,
        restorerOf: (component) =>
          restorerOf(component, { config, point, folders: options.folders, children, clock, http }),
      },
      signal,
    );
    const report = reportOf(plan, points, clock.now());
    if (!(await options.confirm(report)) || plan.blockers.length > 0) return report;
    const step = async (name: string): Promise<void> => options.step?.(name);
    await recoverPoint({ repository, log, scratchDir, step, tell: options.tell }, plan, signal);
    const kept = await keepPassword(config.backup.passwordFile, password);
    return { ...report, recovered: true, next: nextSteps(plan, { config, location, kept }) };
  } finally {
    await lifecycle.stop('the work is done');
    await rm(scratchDir, { recursive: true, force: true }).catch(() => undefined);
  }
}

/** Databases go where the settings say; an SQLite file where a flag says, else where it was captured from. */
function restorerOf(
  { name, kind, restore }: RecoverablePoint['manifest']['components'][number],
  facts: {
    config: Config;
    point: RecoverablePoint;
    folders: ReadonlyMap<string, string>;
    children: ChildProcesses;
    clock: Clock;
    http: HttpClient;
  },
): Restorer | undefined {
  const { config, point, children, clock, http } = facts;
  const { postgres, postgresDump, redis, qdrant, sqlite, commands } = config.targetDatabases;
  const workspace = point.manifest.workspace ?? point.manifest.target.workspaces[0] ?? '';
  switch (kind) {
    case 'postgres':
      return postgres && protectPostgres(postgres, { workspace, dump: postgresDump, whole: false, children }).restorer;
    case 'redis':
      return redis && protectRedis(redis, { workspace, children, clock }).restorer;
    case 'qdrant':
      return (
        qdrant && protectQdrant(qdrant, { workspace, workspaces: () => [], http, dataDir: config.dataDir }).restorer
      );
    case 'sqlite': {
      const captured = restore.by === 'restorer' ? restore.details.path : undefined;
      const path = facts.folders.get(name) ?? sqlite.find((one) => one.name === name)?.path ?? captured;
      return typeof path === 'string' && isAbsolute(path) ? protectSqlite({ name, path }).restorer : undefined;
    }
    case 'command': {
      const command = commands.find((one) => one.name === name);
      const environment = config.target?.commandEnvironment ?? {};
      return command && protectCommand(command, { children, dataDir: config.dataDir, environment }).restorer;
    }
    default:
      return undefined;
  }
}

/** Flags, then the kit, then the settings. */
async function findRepository(
  config: Config,
  options: Pick<RecoverOptions, 'repository' | 'passwordFile' | 'kitFile'>,
): Promise<{ location: string; password: string }> {
  const kit = options.kitFile === undefined ? undefined : parseRecoveryKit(await readText(options.kitFile));
  const location = options.repository ?? kit?.location ?? config.backup.location;
  if (options.passwordFile === undefined && kit) return { location, password: kit.password };
  const text = await readText(options.passwordFile ?? config.backup.passwordFile);
  return { location, password: text.replace(/\r?\n$/, '') };
}

async function readText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((err: unknown) => {
    throw new AppError(
      'repository/wrong-password',
      `${path} cannot be read (${systemCode(err) ?? 'unknown reason'}). Name the recovery kit with --kit, or the password with --password-file.`,
      { cause: err },
    );
  });
}

/** A password that is there is never replaced. */
async function keepPassword(path: string, password: string): Promise<boolean> {
  try {
    await writeFile(path, `${password}\n`, { mode: 0o600, flag: 'wx' });
    return true;
  } catch (err) {
    if (systemCode(err) === 'EEXIST') return (await readFile(path, 'utf8')).replace(/\r?\n$/, '') === password;
    throw err;
  }
}

const reportOf = (
  plan: RecoveryPlan,
  points: Awaited<ReturnType<typeof listRecoverable>>,
  nowMs: number,
): RecoveryReport => ({
  backup_id: plan.point.id,
  target_id: plan.point.targetId,
  taken_at: isoInstant(plan.point.takenMs),
  grade: plan.point.manifest.grade,
  partial: plan.point.manifest.partial,
  points: points
    .slice(0, mostListed)
    .map((one) => ({ backup_id: one.id, taken_at: isoInstant(one.takenMs), verified: one.verified })),
  parts: plan.parts.map((part) => ({
    component: part.component.name,
    kind: part.component.kind,
    place: part.kind === 'files' ? part.folder : part.kind === 'state' ? part.file : part.place,
    action: part.action,
    size_bytes: part.component.bytes,
    by_hand: part.kind === 'files' && part.beside,
  })),
  left_alone: [...plan.leftAlone],
  warnings: [...plan.warnings, ...describeMisdated(points, plan.point, nowMs)],
  blockers: [...plan.blockers],
  recovered: false,
  next: [],
});

function nextSteps(plan: RecoveryPlan, facts: { config: Config; location: string; kept: boolean }): string[] {
  const { config, location } = facts;
  const beside = plan.parts.flatMap((part) => (part.kind === 'files' && part.beside ? [part.folder] : []));
  const workspace = plan.parts.find((part) => part.kind === 'files' && part.component.name === 'workspace');
  return [
    ...(beside.length === 0
      ? []
      : [`Take what you need of the configuration from ${beside.join(', ')}; it may hold secrets, so remove it then.`]),
    ...(workspace?.kind === 'files'
      ? [`See that ${workspace.folder} belongs to the user that the backend runs as, and start the backend.`]
      : ['Start the backend.']),
    `Start ragwarden with BACKUP_DIR=${location} and the data folder ${config.dataDir}; it reads its list of points from the repository.`,
    ...(facts.kept
      ? []
      : [
          `${config.backup.passwordFile} holds another password than this repository's and was left as it is: name the right one in RAGWARDEN_REPOSITORY_PASSWORD_FILE.`,
        ]),
    'Take a point at once (`ragwarden backup create`), and rehearse it (`ragwarden drill run`).',
  ];
}
