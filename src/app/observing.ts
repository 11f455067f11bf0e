import { connectPostgres, connectToAsk } from '../backup/index.ts';
import { findPortHolder } from '../platform/http/index.ts';
import {
  createObserver,
  createPostgresSessionsSource,
  createProcessFinder,
  createProcessReader,
  createProcessSource,
  createRedisClientsSource,
  type ObservedSource,
  type Observer,
} from '../resources/index.ts';
import type { Ground } from './ground.ts';
import { connectionOf } from './postgres-store.ts';
import type { Watching } from './watching.ts';

/** Who is looked at for leaks: ragwarden itself, the backend and its databases, and what the settings name. */
export function createObserving(ground: Ground, { watch, targetConfig }: Watching): Observer {
  const { config, live, db, events, clock, logOf } = ground;
  const reader = createProcessReader({ monotonic: () => clock.monotonic() });
  const sources: ObservedSource[] = [createProcessSource({ subject: 'ragwarden', find: () => process.pid, reader })];
  if (watch)
    sources.push(
      createProcessSource({ subject: `backend ${watch.watched.target.id}`, find: () => watch.process.pid(), reader }),
    );
  for (const one of config.resources.processes)
    sources.push(
      createProcessSource({
        subject: one.name,
        find: createProcessFinder({ of: one, portHolder: findPortHolder, monotonic: () => clock.monotonic() }),
        temporaryFolder: one.temporaryFolder,
        reader,
      }),
    );
  const { postgres, redis } = config.targetDatabases;
  if (config.target !== undefined && postgres !== undefined) {
    const connect = () => connectPostgres(connectionOf(postgres), { failsAs: 'target/inspection-failed' });
    sources.push(createPostgresSessionsSource({ name: `database of ${targetConfig?.id}`, connect }));
  }
  if (config.target !== undefined && redis !== undefined) {
    const connect = () => connectToAsk(redis.url);
    sources.push(createRedisClientsSource({ name: `redis of ${targetConfig?.id}`, connect }));
  }
  const observer = createObserver({
    ...{ sources, db, events, clock },
    intervalMs: config.resources.observe.intervalMs,
    instance: config.state.instance,
    log: logOf('resources'),
  });
  live.onChange((now) => observer.setIntervalMs(now.resources.observe.intervalMs));
  return observer;
}
