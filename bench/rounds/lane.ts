import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateWorkspace } from '../../examples/sample-backend/generate.ts';
import { createWarden } from '../../src/app/index.ts';
import { makeLightRepository } from '../../src/backup/repository/light-key.fixture.ts';
import { readConfig } from '../../src/config/index.ts';
import { type Clock, systemClock } from '../../src/platform/clock.ts';
import { createLogger } from '../../src/platform/logging.ts';
import { memoryFolder } from '../../test/setup/memory-folder.ts';
import { sleep } from '../processes.ts';
import { createPlace, type Place, serveLifecycles } from './place.ts';

export type Answer = { readonly status: number; readonly body: unknown };

/** One product in this process with a target of its own, on which round after round is done. */
export type Lane = {
  readonly base: string;
  readonly dataDir: string;
  readonly repository: string;
  readonly password: string;
  readonly home: Place;
  readonly standby: Place;
  readonly gateway: string | undefined;
  /** Called at each named boundary of the work; may throw. */
  step: (name: string) => void | Promise<void>;
  call(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: object): Promise<Answer>;
  /** Awaits the operation; asked again while other work holds the target. */
  work(path: string, body?: object): Promise<Answer>;
  log(): string;
  close(): Promise<void>;
};

/** The clock of the system, but nobody waits seconds for folders to rest in which only these rounds write. */
const quickClock: Clock = {
  ...systemClock,
  sleep: (ms, signal) => systemClock.sleep(ms === 2_000 ? 50 : ms === 250 ? 25 : ms, signal),
};

export async function openLane(options: {
  readonly name: string;
  /** The same seed, the same workspace. */
  readonly seed: number;
  readonly gateway: boolean;
  readonly settings?: Readonly<Record<string, string>>;
}): Promise<Lane> {
  const base = memoryFolder(options.name);
  const dataDir = join(base, 'data');
  const repository = join(base, 'repository');
  const password = 'the password of these rounds';
  mkdirSync(dataDir, { mode: 0o700 });
  const [home, standby] = [await createPlace(join(base, 'home')), await createPlace(join(base, 'standby'))];
  await generateWorkspace({
    ...{ dir: home.workspace, inputDir: home.inputs, size: 'tiny', seed: options.seed, shape: '1.5', workspace: '' },
  });
  const lifecycles = await serveLifecycles({ home, standby });
  const lifecycle = (place: string) => ({
    stop: { webhook: lifecycles.webhook(place, 'stop') },
    start: { webhook: lifecycles.webhook(place, 'start') },
  });
  // JSON is YAML.
  const settingsFile = JSON.stringify({
    target: {
      ...{ id: 'rag', url: home.url, working_dir: home.workspace, input_dir: home.inputs },
      lifecycle: lifecycle('home'),
      standby: {
        ...{ url: standby.url, working_dir: standby.workspace, input_dir: standby.inputs },
        lifecycle: lifecycle('standby'),
      },
    },
  });
  writeFileSync(join(base, 'ragwarden.yaml'), settingsFile);
  writeFileSync(join(dataDir, 'repository-password'), `${password}\n`, { mode: 0o600 });
  await makeLightRepository(repository, password);
  await home.start();
  let log = '';
  const { question, expected } = canaryOf(home.workspace);
  const lane: { step: Lane['step'] } = { step: () => undefined };
  const warden = createWarden({
    reading: readConfig({
      env: {
        RAGWARDEN_DATA_DIR: dataDir,
        BACKUP_DIR: repository,
        RAGWARDEN_PORT: '0',
        LIGHTRAG_METRICS_PORT: '0',
        RAGWARDEN_GATEWAY_PORT: '0',
        RAGWARDEN_GATEWAY_ENABLED: String(options.gateway),
        RAGWARDEN_CANARY_QUESTION: question,
        RAGWARDEN_CANARY_EXPECTED: expected,
        // Points only when a round asks, a busy machine is no finding, and what nobody looks at here looks seldom.
        RAGWARDEN_BACKUP_AT_START: 'false',
        RAGWARDEN_THRESHOLD_WINDOW: '3600',
        RAGWARDEN_DISK_WARNING_PERCENT: '100',
        RAGWARDEN_DISK_CRITICAL_PERCENT: '100',
        RAGWARDEN_SAMPLE_INTERVAL: '60',
        RAGWARDEN_PROBE_INTERVAL: '30',
        RAGWARDEN_DRILL_MIN_FREE: '1000000',
        ...options.settings,
      },
      cwd: base,
    }),
    clock: quickClock,
    command: 'serve',
    log: createLogger({
      level: 'info',
      destination: {
        write: (line: string) => {
          log = `${log.slice(-200_000)}${line}`;
        },
      },
    }),
    step: (name) => lane.step(name),
  });
  const { api, gateway } = await warden.start();
  const token = readFileSync(join(dataDir, 'local-token'), 'utf8').trim();
  const send = async (method: string, path: string, body: object | undefined, more: Record<string, string>) => {
    const answer = await fetch(`${api}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body && { 'content-type': 'application/json' }),
        ...more,
      },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, body: text === '' ? undefined : (JSON.parse(text) as unknown) };
  };
  /** On a busy machine work may take longer than an answer waits for it; after ten minutes it hangs. */
  const ended = async (begun: Answer): Promise<Answer> => {
    let answer = begun;
    for (let left = 1_200; left > 0 && at(answer.body, 'state') === 'running'; left -= 1) {
      await sleep(500);
      answer = await send('GET', `/api/v1/operations/${String(at(begun.body, 'id'))}`, undefined, {});
    }
    return answer;
  };
  return Object.assign(lane, {
    ...{ base, dataDir, repository, password, home, standby, gateway },
    call: (method: string, path: string, body?: object) => send(method, path, body, {}),
    async work(path: string, body: object = {}) {
      for (;;) {
        const answer = await send('POST', path, body, { prefer: 'wait=120' });
        if (at(answer.body, 'code') !== 'operation/busy') return ended(answer);
        await sleep(50);
      }
    },
    log: () => log,
    async close() {
      await warden.stop('the rounds are over');
      await home.stop();
      await standby.stop();
      await lifecycles.close();
      rmSync(base, { recursive: true, force: true });
    },
  });
}

/** A question and a text that the first chunk of the sample answers it with. */
function canaryOf(workspace: string): { question: string; expected: string } {
  const chunks = JSON.parse(readFileSync(join(workspace, 'kv_store_text_chunks.json'), 'utf8')) as Record<
    string,
    { content: string }
  >;
  const content = String(Object.values(chunks)[0]?.content).replaceAll(/\s+/g, ' ');
  return { question: content.slice(0, 120), expected: content.slice(0, 40) };
}

/** Of an answer in JSON, what lies at this path; undefined where nothing does. */
export function at(body: unknown, ...path: (string | number)[]): unknown {
  return path.reduce<unknown>(
    (found, key) =>
      typeof found === 'object' && found !== null ? (found as Record<string | number, unknown>)[key] : undefined,
    body,
  );
}

export const failureOf = (body: unknown): string => {
  const failed = at(body, 'error') ?? body;
  return `${String(at(failed, 'code'))}: ${String(at(failed, 'detail'))}`;
};
