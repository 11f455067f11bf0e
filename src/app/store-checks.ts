import { randomUUID } from 'node:crypto';
import { connectPostgres, openRedis, type PostgresConnection, readRedisUrl } from '../backup/index.ts';
import { createRedisLook, type LookingCheck, lookAtDatabase } from '../health/index.ts';
import { AppError } from '../platform/errors.ts';
import type { Observation, WatchedTarget } from '../targets/index.ts';
import type { Ground } from './ground.ts';
import { connectionOf } from './postgres-store.ts';

/** For connecting, and for each query: a look is over before the runner gives it up, so that it can say why. */
const limitMs = 3_000;
const timeoutMs = 12_000;

/** Looks at the databases that the backend keeps its stores in. */
export function storeChecks(ground: Ground, watched: WatchedTarget | undefined): readonly LookingCheck[] {
  const { config, clock } = ground;
  const { postgres, redis } = config.targetDatabases;
  const targetId = watched?.target.id ?? config.target?.id ?? 'default';
  const common = {
    about: 'watched',
    neededFor: ['answer', 'ingest'],
    targetId,
    timeoutMs,
  } as const;
  // As it is when it is read; nothing that is spread would stay one that is read.
  const atInterval = (check: Omit<LookingCheck, 'intervalMs'>): LookingCheck => ({
    ...check,
    get intervalMs() {
      return ground.config.health.intervalMs;
    },
  });
  const checks: LookingCheck[] = [];
  if (postgres !== undefined) {
    const connection = connectionOf(postgres);
    checks.push(
      atInterval({
        ...common,
        name: `database ${targetId}`,
        kind: 'database',
        look: () =>
          lookAtDatabase({
            open: () => openDatabase(connection),
            workspace: postgres.workspace ?? config.target?.workspace ?? '',
            isHere: isHere(connection.host),
            rules: {
              ...expectations(watched?.observation()),
              diskWarningPercent: ground.config.monitoring.thresholds.warning.diskPercent,
              diskCriticalPercent: ground.config.monitoring.thresholds.critical.diskPercent,
            },
            clock,
          }),
      }),
    );
  }
  if (redis !== undefined)
    checks.push(
      atInterval({
        ...common,
        name: `redis ${targetId}`,
        kind: 'cache',
        look: createRedisLook({
          clock,
          key: () => `ragwarden:health:${randomUUID()}`,
          async open(signal) {
            const opened = await openRedis(readRedisUrl(redis.url), signal, asCause, { ms: limitMs });
            return { call: (command, ...args) => opened.redis.call(command, ...args), close: opened.close };
          },
        }),
      }),
    );
  return checks;
}

const asCause = (cause: string, err: unknown): Error => new AppError('outgoing/failed', cause, { cause: err });

async function openDatabase(connection: PostgresConnection) {
  const session = await connectPostgres(connection, { failsAs: 'backup/capture-failed', limitMs });
  return {
    rows: <Row extends Record<string, unknown>>(sql: string, parameters?: readonly unknown[]) =>
      session.rows<Row>(sql, parameters),
    drop: () => session.drop(),
  };
}

const isHere = (host: string): boolean =>
  host.startsWith('/') || host === 'localhost' || host === '::1' || host.startsWith('127.');

/** What must be there, by the classes that the backend says its stores are of; nothing while it does not say. */
function expectations(seen: Observation | undefined) {
  const classes = Object.values(seen?.storageClasses ?? {});
  return {
    expectsTables: classes.some((name) => /^PG[A-Z]/.test(name)),
    expectsVector: classes.includes('PGVectorStorage'),
    expectsGraph: classes.includes('PGGraphStorage'),
  };
}
