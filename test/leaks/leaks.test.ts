import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createEventLog } from '../../src/events/index.ts';
import { openTestState, type TestState } from '../../src/migrations/test-state.ts';
import { createFakeClock } from '../../src/platform/fake-clock.ts';
import { silentLogger } from '../../src/platform/logging.ts';
import {
  createObserver,
  createPostgresSessionsSource,
  createProcessReader,
  createProcessSource,
  type ObservedSource,
  type Observer,
} from '../../src/resources/index.ts';
import { memoryFolder } from '../setup/memory-folder.ts';
import { hasPart } from '../setup/parts.ts';
import { sharedPostgresUrl } from '../setup/shared-postgres.ts';

/** The watched time goes on by this with each step of the programs: three looks for a quarter of an hour. */
const stepMs = 300_000;
/** Two hours after the last leak was found: whoever is healthy still is. */
const stepsAfterwards = 24;
/** Ten hours. */
const mostSteps = 120;

/** What each leaking program has too much of. */
const measureOf = {
  memory: 'memory',
  descriptors: 'descriptors',
  sockets: 'sockets',
  threads: 'threads',
  children: 'children',
  files: 'temporary_files',
  sessions: 'idle_in_transaction',
} as const;
type Kind = keyof typeof measureOf;
const names = (Object.keys(measureOf) as Kind[]) // forgotten by Object.keys
  .filter((kind) => kind !== 'sessions' || hasPart('postgresql'));

// Of /proc alone.
describe.skipIf(process.platform !== 'linux')('programs that are watched', () => {
  const started: ChildProcess[] = [];
  const folders: string[] = [];
  const clock = createFakeClock(Date.parse('2026-03-01T00:00:00Z'));
  const beganMs = clock.now();
  let state: TestState;
  let observer: Observer;
  let events: ReturnType<typeof createEventLog>;

  beforeAll(async () => {
    state = await openTestState();
    events = createEventLog({ db: state.db, clock, instance: 'here' });
    const url = names.includes('sessions') ? await sharedPostgresUrl() : undefined;
    const sources: ObservedSource[] = [];
    for (const kind of names)
      for (const how of ['leak', 'healthy']) {
        const folder = memoryFolder('leaks');
        folders.push(folder);
        const place = kind === 'sessions' ? (url ?? '') : folder;
        const child = fork(join(import.meta.dirname, 'program.mjs'), [kind, how, place], {
          execArgv: ['--expose-gc'],
          stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
        });
        started.push(child);
        sources.push(
          createProcessSource({
            subject: `${kind} ${how}`,
            find: () => child.pid,
            temporaryFolder: kind === 'files' ? folder : undefined,
            reader: createProcessReader(),
          }),
        );
      }
    await Promise.all(started.map((child) => once(child, 'message')));
    if (url !== undefined) {
      sources.push(
        createPostgresSessionsSource({
          name: 'database',
          silent: 0,
          async connect() {
            const client = new pg.Client({ connectionString: url });
            await client.connect();
            return { rows: async (sql) => (await client.query(sql)).rows, close: () => client.end() };
          },
        }),
      );
    }
    /** Everything is as old as the watched time. */
    const inWatchedTime = ({ name, look }: ObservedSource): ObservedSource => ({
      name,
      look: async (signal) =>
        (await look(signal)).map((one) => ({ ...one, upSeconds: (clock.now() - beganMs) / 1_000 })),
    });
    observer = createObserver({
      ...{ events, db: state.db, instance: 'here', clock, log: silentLogger },
      sources: sources.map(inWatchedTime),
      intervalMs: 3_600_000,
    });
  });
  afterAll(async () => {
    for (const child of started) child.kill();
    await Promise.all(
      started.map((child) => child.exitCode === null && child.signalCode === null && once(child, 'exit')),
    );
    await state?.remove();
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  });

  const subjectOf = (kind: string, how: string): string =>
    kind === 'sessions' ? `database: ${how}-${process.pid}` : `${kind} ${how}`;
  const levelOf = (kind: Kind, how: string): string | undefined =>
    observer.find(subjectOf(kind, how), measureOf[kind])?.finding?.level;

  test('those that leak memory, descriptors, sockets, threads, children, files and sessions are found, and their healthy twins are not', async () => {
    const step = async (): Promise<void> => {
      await Promise.all(
        started.map((child) => {
          child.send('step');
          return once(child, 'message');
        }),
      );
      await clock.advance(stepMs);
      await observer.runOnce();
    };
    const areFound = (): boolean => names.every((kind) => levelOf(kind, 'leak') === 'confirmed');
    for (let steps = 0; steps < mostSteps && !areFound(); steps += 1) await step();
    for (let steps = 0; steps < stepsAfterwards; steps += 1) await step();
    expect(Object.fromEntries(names.map((kind) => [kind, levelOf(kind, 'leak')]))).toEqual(
      Object.fromEntries(names.map((kind) => [kind, 'confirmed'])),
    );
    const healthy = observer.series().filter(({ subject }) => subject.includes('healthy'));
    expect(healthy.filter(({ finding }) => finding?.level === 'confirmed')).toEqual([]);
    expect(healthy.length).toBeGreaterThan(6 * names.length);
    const told = await events.list({ limit: 500, order: 'oldest-first' });
    const confirmed = told.filter(({ type }) => type === 'resource.leak-confirmed').map(({ data }) => data.subject);
    expect(confirmed).toEqual(expect.arrayContaining(names.map((kind) => subjectOf(kind, 'leak'))));
  });
});
