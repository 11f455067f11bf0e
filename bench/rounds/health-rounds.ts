import { rmSync } from 'node:fs';
import { targetCheck } from '../../src/app/health-checks.ts';
import { kindChecks } from '../../src/app/target-checks.ts';
import {
  createCheckRunner,
  createHealth,
  type HealthWord,
  type LookingCheck,
  lookAtModel,
  lookAtTcp,
  lookAtVectorStore,
} from '../../src/health/index.ts';
import { type Clock, systemClock } from '../../src/platform/clock.ts';
import { createHttpClient } from '../../src/platform/http-client.ts';
import { silentLogger } from '../../src/platform/logging.ts';
import { createLightragAdapter, createWatchedTarget } from '../../src/targets/index.ts';
import { createDice, type Dice } from '../leaks/labelled-series.ts';
import type { Bench } from '../report.ts';
import { pick } from './files.ts';
import { createWorld, type Manner, type World } from './health-world.ts';
import { inLanes } from './lanes.ts';
import type { Manner as BackendManner } from './place.ts';
import { createTally, sureShare, type Tally } from './tally.ts';

/** So much faster does time pass for whoever judges: what is slow after two seconds is so after two fifths of one. */
const haste = 5;
/** Of every look, real milliseconds. */
const patienceMs = 800;

type State<M> = { readonly manner: M; readonly right: HealthWord };
type BackendState = State<BackendManner | 'down' | 'lost files'> & {
  readonly faults?: Readonly<Record<string, string | number | boolean>>;
  /** Whether it can answer: undefined where nobody can know. */
  readonly answers: boolean | undefined;
};

const right: BackendManner = { kind: 'right' };
const backends: Readonly<Record<string, BackendState>> = {
  healthy: { manner: right, right: 'healthy', answers: true },
  'healthy and at work': { manner: right, faults: { hold_busy: true }, right: 'healthy', answers: true },
  'healthy, a little late': { manner: right, faults: { health_delay_ms: 40 }, right: 'healthy', answers: true },
  slow: { manner: right, faults: { health_delay_ms: 500 }, right: 'degraded', answers: true },
  hung: { manner: { kind: 'hung' }, right: 'unhealthy', answers: false },
  down: { manner: 'down', right: 'unhealthy', answers: false },
  'closes connections': { manner: right, faults: { answer: 'close' }, right: 'unhealthy', answers: false },
  'answers 500': { manner: { kind: 'errors' }, right: 'degraded', answers: false },
  'answers 503': { manner: right, faults: { status: 503 }, right: 'degraded', answers: false },
  'a page of a proxy': { manner: { kind: 'page' }, right: 'degraded', answers: false },
  nonsense: { manner: { kind: 'nonsense' }, right: 'degraded', answers: false },
  'half an answer': { manner: right, faults: { answer: 'invalid_json' }, right: 'degraded', answers: false },
  'wants a key': { manner: right, faults: { status: 401 }, right: 'degraded', answers: undefined },
  'lies: its documents answer 500': {
    ...{ manner: right, faults: { only: '/documents', status: 500 } },
    ...{ right: 'degraded', answers: undefined },
  },
  'lies: its documents hang': {
    ...{ manner: right, faults: { only: '/documents', answer: 'hang' } },
    ...{ right: 'degraded', answers: undefined },
  },
  'lies: another folder is served': { manner: { kind: 'stranger', folder: '' }, right: 'degraded', answers: undefined },
  'lies: its files are gone': { manner: 'lost files', right: 'degraded', answers: undefined },
  'being recovered': { manner: right, faults: { refuse_documents: true }, right: 'degraded', answers: true },
};

const failing: Readonly<Record<string, State<Manner>>> = {
  hung: { manner: 'hang', right: 'unhealthy' },
  down: { manner: 'down', right: 'unhealthy' },
  'closes connections': { manner: 'close', right: 'unhealthy' },
  'answers 500': { manner: { status: 500 }, right: 'unhealthy' },
  'refuses the key': { manner: { status: 401 }, right: 'unhealthy' },
  nonsense: { manner: { body: 'moo' }, right: 'unhealthy' },
  'an empty object': { manner: { body: {} }, right: 'unhealthy' },
};
const models = { data: [{ id: 'small' }, { id: 'large' }] };
const vectors = (length: number) => ({ data: [{ embedding: Array.from({ length }, () => 0.5) }] });
const collections = (...names: string[]) => ({ result: { collections: names.map((name) => ({ name })) } });

const providers: Readonly<Record<string, State<Manner>>> = {
  healthy: { manner: { body: models }, right: 'healthy' },
  slow: { manner: { body: models, delayMs: 500 }, right: 'degraded' },
  'too much is asked of it': { manner: { status: 429 }, right: 'degraded' },
  'without the model': { manner: { body: { data: [{ id: 'small' }] } }, right: 'unhealthy' },
  ...failing,
};
const embedders: Readonly<Record<string, State<Manner>>> = {
  healthy: { manner: { body: vectors(8) }, right: 'healthy' },
  slow: { manner: { body: vectors(8), delayMs: 500 }, right: 'degraded' },
  'another model': { manner: { body: vectors(16) }, right: 'critical' },
  'no vector': { manner: { body: vectors(0) }, right: 'unhealthy' },
  ...failing,
};
const stores: Readonly<Record<string, State<Manner>>> = {
  healthy: { manner: { body: collections('vectors', 'other') }, right: 'healthy' },
  slow: { manner: { body: collections('vectors'), delayMs: 500 }, right: 'degraded' },
  'the collection is gone': { manner: { body: collections('other') }, right: 'unhealthy' },
  ...failing,
};
const databases: Readonly<Record<string, State<Manner>>> = {
  healthy: { manner: {}, right: 'healthy' },
  gone: { manner: 'down', right: 'unhealthy' },
};

const rank: readonly HealthWord[] = ['healthy', 'unknown', 'degraded', 'unhealthy', 'critical'];
const worst = (words: readonly HealthWord[]): HealthWord =>
  words.reduce((one, other) => (rank.indexOf(other) > rank.indexOf(one) ? other : one));

function hastyClock(): Clock & { jump(ms: number): void } {
  let jumped = 0;
  const begun = Date.UTC(2026, 0, 1);
  const passed = (): number => performance.now() * haste + jumped;
  return {
    now: () => begun + passed(),
    monotonic: passed,
    sleep: (ms, signal) => systemClock.sleep(ms / haste, signal),
    jump(ms) {
      jumped += ms;
    },
  };
}

function createJudges(world: World) {
  const clock = hastyClock();
  const http = createHttpClient();
  const { place } = world;
  const endpoint = { url: place.url, workspace: '', apiKey: undefined, username: undefined, password: undefined };
  const watched = createWatchedTarget({
    target: {
      ...{ id: 'rag', kind: 'lightrag', kindFrom: 'default', sample: false, endpoints: [endpoint], paths: {} },
      stores: [
        { name: 'workspace', kind: 'workspace-folder', path: place.workspace, separation: 'folder' },
        { name: 'inputs', kind: 'input-folder', path: place.inputs, separation: 'folder' },
      ],
      ...{ workspaces: [''], userDataDir: undefined, probeIntervalMs: 10_000, probeTimeoutMs: patienceMs },
      ...{ stopTimeoutMs: 1_000, startTimeoutMs: 1_000 },
    },
    adapter: createLightragAdapter({ endpoint, http, clock, timeoutMs: patienceMs }),
    ...{ clock, log: silentLogger },
    onChange: async () => undefined,
  });
  const deps = { http, clock };
  const at = (port: number, path = '') => ({
    url: `http://127.0.0.1:${port}${path}`,
    ...{ timeoutMs: patienceMs, headers: async () => ({}) },
  });
  const openai = { api: 'openai', dimension: () => 8 } as const;
  const external = (name: string, look: LookingCheck['look']): LookingCheck => ({
    ...{ name, kind: 'external', about: 'watched', neededFor: ['answer', 'ingest'] },
    ...{ intervalMs: 30_000, timeoutMs: 4 * patienceMs * haste, look },
  });
  const looking = [
    external('provider', (signal) =>
      lookAtModel(
        deps,
        at(world.provider.port, '/v1'),
        { ...openai, role: 'llm', model: 'large', look: 'list' },
        signal,
      ),
    ),
    external('embedder', (signal) =>
      lookAtModel(deps, at(world.embedder.port), { ...openai, role: 'embedding', model: 'e', look: 'call' }, signal),
    ),
    external('store', (signal) =>
      lookAtVectorStore(deps, at(world.store.port), { kind: 'qdrant', collection: 'vectors' }, signal),
    ),
    external('database', (signal) =>
      lookAtTcp(clock, { host: '127.0.0.1', port: world.database.port, timeoutMs: patienceMs * haste }, signal),
    ),
  ];
  const runnerOf = (checks: readonly LookingCheck[]) => createCheckRunner({ checks, clock, log: silentLogger });
  const reading = [targetCheck(watched), ...kindChecks([watched], { lastOf: () => undefined })];
  return {
    ...{ clock, http, watched, runnerOf, looking },
    health: createHealth({ checks: reading, runner: runnerOf(looking), clock }),
  };
}
type Judges = ReturnType<typeof createJudges>;

type Round = { world: World; judges: Judges; dice: Dice; tally: Tally; where: string };

const choose = <T>(dice: Dice, states: Readonly<Record<string, T>>, well: number): [string, T] => {
  const name = dice.unit() < well ? 'healthy' : pick(dice, Object.keys(states));
  const state = states[name];
  if (state === undefined) throw new Error(`there is no state ${name}`);
  return [name, state];
};

/** Everything is put into a state, and one fresh look has to say so of each, of all, and of what can be done. */
async function judgeOnce({ world, judges, dice, tally, where }: Round): Promise<void> {
  const [backend, state] = choose(dice, backends, 0.2);
  const outside = {
    provider: choose(dice, providers, 0.4),
    embedder: choose(dice, embedders, 0.4),
    store: choose(dice, stores, 0.4),
    database: choose(dice, databases, 0.6),
  };
  await setBackend(world, state);
  for (const name of ['provider', 'embedder', 'store', 'database'] as const)
    await world[name].be(outside[name][1].manner);
  const report = await judges.health.freshReport();
  if (state.manner === 'lost files') world.findFiles();
  const wordOf = (name: string): HealthWord | undefined =>
    report.checks.find((check) => check.name === name)?.result.status;
  const note = (kind: string, wanted: unknown, found: unknown, more = ''): void =>
    tally.note(kind, wanted === found ? undefined : `${String(found)} instead of ${String(wanted)} ${more}`, where);
  const messageOf = (name: string): string => report.checks.find((check) => check.name === name)?.result.message ?? '';
  note(`backend: ${backend}`, state.right, wordOf('target rag'), messageOf('target rag'));
  const words: HealthWord[] = [state.right];
  let blocked = state.answers === false;
  for (const [name, [called, { right: word }]] of Object.entries(outside)) {
    note(`${name}: ${called}`, word, wordOf(name), messageOf(name));
    words.push(word);
    blocked ||= word === 'unhealthy' || word === 'critical';
  }
  const all = `${backend}; ${Object.entries(outside)
    .map(([name, [called]]) => `${name} ${called}`)
    .join(', ')}`;
  note('the word over all', worst(words), report.status, all);
  if (blocked) note('whether it can answer', false, report.answer.can, all);
  else if (state.answers) note('whether it can answer', true, report.answer.can, all);
}

async function setBackend({ place, stranger, ...world }: World, state: BackendState): Promise<void> {
  await place.stop();
  const { manner } = state;
  if (manner === 'down') return;
  place.manner =
    manner === 'lost files' ? right : manner.kind === 'stranger' ? { kind: 'stranger', folder: stranger } : manner;
  await place.start();
  if (state.faults) Object.assign(place.backend()?.backend.faults ?? {}, state.faults);
  if (manner === 'lost files') world.loseFiles();
}

/** G: it is well; B: it is not; a number: so many minutes pass. Behind it the word that stands after each look. */
const courses: Readonly<Record<string, { readonly looks: string; readonly words: string }>> = {
  'well all the time': { looks: 'GGGGGGGGGG', words: 'hhhhhhhhhh' },
  'a single look fails': { looks: 'GGGBGGGGGG', words: 'hhhhhhhhhh' },
  'an outage, and recovery': { looks: 'GGGBBBGGGG', words: 'hhhhbbbbhh' },
  'out from the start': { looks: 'BBGGGG', words: 'bbbbhh' },
  'comes and goes': { looks: 'GGGBGBGBGG', words: 'hhhhhhhbbb' },
  'recovering, with a relapse': { looks: 'GGBBGGBGGG', words: 'hhhbbbbbbh' },
  flapping: { looks: 'GGBBGGGBBGGGBBGGGG', words: 'hhhbbbhbbbbhbbbbbb' },
};

/** A course of looks, half a minute apart, whose word after each is known. */
async function judgeCourse({ world, judges, dice, tally, where }: Round): Promise<void> {
  const name = pick(dice, Object.keys(courses));
  const course = courses[name];
  const provider = judges.looking[0];
  if (!course || !provider) throw new Error(`there is no course ${name}`);
  const runner = judges.runnerOf([provider]);
  const bad = pick(dice, Object.values(failing));
  for (const [index, look] of [...course.looks].entries()) {
    await world.provider.be(look === 'G' ? { body: models } : bad.manner);
    judges.clock.jump(30_000);
    await runner.lookNow();
    const [view] = runner.views();
    const wanted = course.words[index] === 'h' ? 'healthy' : bad.right;
    const found = view?.result.status;
    tally.note(
      `in its course: ${name}`,
      found === wanted
        ? undefined
        : `after look ${index + 1} ${String(found)} instead of ${wanted}: ${view?.result.message}`,
      where,
    );
  }
  if (name !== 'flapping') return;
  const [flapping] = runner.views();
  tally.note('it is said to flap', flapping?.flapping === true ? undefined : 'it is not', where);
  judges.clock.jump(31 * 60_000);
  await runner.lookNow();
  const [calm] = runner.views();
  const well = calm?.result.status === 'healthy' && !calm.flapping;
  tally.note('half an hour later it is well', well ? undefined : `${calm?.result.status} ${calm?.flapping}`, where);
}

export const healthRounds: Bench = {
  name: 'health-rounds',
  async run(size) {
    const seed = process.env.BENCH_SEED ?? 'health';
    const rounds = Number(process.env.BENCH_ROUNDS ?? (size === 'full' ? 600 : 3));
    const tally = createTally();
    await inLanes(
      { rounds, lanes: size === 'full' ? Number(process.env.BENCH_LANES ?? 6) : 1, roundsOfLane: 50 },
      async (number) => {
        const world = await createWorld(number + 1);
        const judges = createJudges(world);
        return {
          play: (round) => {
            const dice = createDice(`${seed} ${round}`);
            const one = { world, judges, dice, tally, where: `round ${round}` };
            return round % 3 === 2 ? judgeCourse(one) : judgeOnce(one);
          },
          log: () => '',
          async close() {
            await judges.http.close();
            await world.close();
            rmSync(world.base, { recursive: true, force: true });
          },
        };
      },
      tally,
    );
    const alarms = tally.lines();
    const wellKinds = alarms.filter(([kind]) => /healthy|well all the time|a single look fails/.test(kind));
    const sum = (lines: typeof alarms, of: 1 | 2): number => lines.reduce((total, line) => total + line[of], 0);
    const illKinds = alarms.filter((line) => !wellKinds.includes(line));
    return {
      row: 'P21, F476.7: judgements of health with a known truth',
      target: 'over 99 % of the judgements right, and shown with a certainty of 95 %.',
      method: `${rounds} rounds, drawn with the seed “${seed}”: a backend, a provider of models, one of embeddings, a vector store and a database over real HTTP and TCP are put into states that are known, and one fresh look is held against them, of each, of the word over all, and of what the backend can do; in every third round the word of a check is followed over a course of looks. Time passes five times as fast for whoever judges.`,
      columns: ['state', 'judgements', 'wrong'],
      lines: alarms,
      figures: [
        { what: 'judgements', value: tally.trials, unit: 'judgements' },
        { what: 'false alarms', value: sum(wellKinds, 2), unit: `of ${sum(wellKinds, 1)}` },
        { what: 'missed or misnamed', value: sum(illKinds, 2), unit: `of ${sum(illKinds, 1)}` },
        {
          what: 'judgements right',
          value: (100 * (tally.trials - tally.wrong)) / tally.trials,
          ...{ limit: 99, atLeast: true, unit: '%' },
        },
        {
          what: 'judgements right, with a certainty of 95 %',
          value: sureShare(tally.trials, tally.wrong),
          ...(size === 'full' ? { limit: 99, atLeast: true } : {}),
          unit: '%',
        },
      ],
    };
  },
};
