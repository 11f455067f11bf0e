import { cpSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { generateWorkspace } from '../../examples/sample-backend/generate.ts';
import { makeLightRepository } from '../../src/backup/repository/light-key.fixture.ts';
import { createDice, type Dice } from '../leaks/labelled-series.ts';
import { sleep } from '../processes.ts';
import type { Bench } from '../report.ts';
import { killAfter } from './end-restic.ts';
import { contentOf, differenceOf, editFiles, flip, pick } from './files.ts';
import { at, failureOf, type Lane, openLane } from './lane.ts';
import { inLanes } from './lanes.ts';
import type { Manner, Place } from './place.ts';
import { createTally, sureShare, type Tally } from './tally.ts';

/** What is so when somebody fails over, and how it has to end: at the other place, or back where the target lived. */
const cases = {
  'all is well': 'over',
  'the present place is down': 'over',
  'the present place is gone with its folders': 'over',
  'the present place hangs': 'over',
  'the present place answers 500': 'over',
  'the present place is slow': 'over',
  'the other place is slow': 'over',
  'the other place runs already, on old data': 'over',
  'strange files lie at the other place': 'over',
  'the newest point was never verified': 'over',
  'an older point is named': 'over',
  'the repository is away': 'over',
  'the replica is away': 'over',
  'the repository is damaged': 'over',
  'the program is killed while it brings the point': 'over',
  'nothing holds a point': 'refused',
  'the present place cannot be stopped': 'back',
  'the other place does not come up': 'back',
  'the other place cannot be started': 'back',
  'the other place hangs': 'back',
  'the other place answers 500': 'back',
  'the other place answers nonsense': 'back',
  'the other place answers with a page': 'back',
  'another folder is served there': 'back',
  'another folder is served there under its name': 'back',
  'the disk is full there': 'back',
  'the present place is down, and the other does not come up': 'back',
} as const;
type Case = keyof typeof cases;
const names = Object.keys(cases) as Case[];

/** How the backend at the other place is. */
const manners: Partial<Record<Case, Manner>> = {
  'the other place is slow': { kind: 'slow', ms: 100 },
  'the other place does not come up': { kind: 'never-up' },
  'the present place is down, and the other does not come up': { kind: 'never-up' },
  'the other place hangs': { kind: 'hung' },
  'the other place answers 500': { kind: 'errors' },
  'the other place answers nonsense': { kind: 'nonsense' },
  'the other place answers with a page': { kind: 'page' },
};

type Ground = {
  readonly lane: Lane;
  readonly tally: Tally;
  /** A workspace that has nothing to do with the target. */
  readonly stranger: string;
  readonly replica: string;
  /** What each point held when it was taken, oldest first. */
  readonly points: Map<string, string>;
};

export const failoverRounds: Bench = {
  name: 'failover-rounds',
  async run(size) {
    const seed = process.env.BENCH_SEED ?? 'failover';
    const rounds = Number(process.env.BENCH_ROUNDS ?? (size === 'full' ? 324 : 1));
    const tally = createTally();
    await inLanes(
      { rounds, lanes: size === 'full' ? Number(process.env.BENCH_LANES ?? 6) : 1, roundsOfLane: 27 },
      async (number) => {
        const ground = await openGround(number, tally);
        return {
          play: (round) =>
            playRound(ground, createDice(`${seed} ${round}`), names[round % names.length] ?? 'all is well', round),
          log: () => ground.lane.log(),
          close: () => ground.lane.close(),
        };
      },
      tally,
    );
    return {
      row: 'P21, F476.7: failovers with a known end',
      target: 'over 99 % of failovers do the right thing, and shown with a certainty of 95 %.',
      method: `${rounds} failovers, drawn with the seed “${seed}”, through the API of products in one process, with restic, a replica, the gateway, and backends of the sample at two places. What is wrong when it begins is known, and so is its right end: the target answers through the gateway from the other place, with every byte of the right point; or it is refused or taken back, and everything is as it was, with the reason told. Each kind of case comes equally often.`,
      columns: ['when', 'times', 'wrong'],
      lines: tally.lines(),
      figures: [
        { what: 'failovers', value: tally.trials, unit: 'trials' },
        {
          what: 'did the right thing',
          value: (100 * (tally.trials - tally.wrong)) / tally.trials,
          ...{ limit: 99, atLeast: true, unit: '%' },
        },
        {
          what: 'did the right thing, with a certainty of 95 %',
          value: sureShare(tally.trials, tally.wrong),
          ...(size === 'full' ? { limit: 99, atLeast: true } : {}),
          unit: '%',
        },
      ],
    };
  },
};

async function openGround(number: number, tally: Tally): Promise<Ground> {
  const lane = await openLane({
    ...{ name: 'failovers', seed: number + 1, gateway: true },
    settings: {
      LIGHTRAG_REPLICATION_ENABLED: 'true',
      // Only when a round asks.
      RAGWARDEN_REPLICATION_INTERVAL: '86400',
      RAGWARDEN_PROBE_TIMEOUT: '2',
      RAGWARDEN_TARGET_START_TIMEOUT: '8',
      RAGWARDEN_TARGET_STOP_TIMEOUT: '8',
    },
  });
  const replica = join(lane.base, 'replica');
  await makeLightRepository(replica, lane.password);
  const below = '/api/v1/backup-replication/replication/targets';
  const registered = await lane.call('POST', below, { name: 'cellar', target_id: 'cellar', location: replica });
  if (registered.status !== 201) throw new Error(`no replica: ${failureOf(registered.body)}`);
  const stranger = join(lane.base, 'stranger', 'rag_storage');
  await generateWorkspace({
    ...{ dir: stranger, inputDir: join(lane.base, 'stranger', 'inputs'), size: 'tiny', seed: 1_000 + number },
    ...{ shape: '1.5', workspace: '', faults: [] },
  });
  // Fewer documents than the target has, whatever the seed makes of both.
  writeFileSync(join(stranger, 'kv_store_doc_status.json'), '{}');
  const ground = { lane, tally, stranger, replica, points: new Map<string, string>() };
  await takePoint(ground, lane.home);
  await copyPoints(ground);
  return ground;
}

async function takePoint({ lane, points }: Ground, place: Place): Promise<void> {
  const { body } = await lane.work('/api/v1/backup/trigger');
  if (at(body, 'state') !== 'succeeded') throw new Error(`no point: ${failureOf(body)}`);
  points.set(String(at(body, 'result', 'backup_id')), contentOf(place));
}

async function copyPoints({ lane }: Ground): Promise<void> {
  const { body } = await lane.work('/api/v1/backup-replication/replication/targets/cellar/replicate');
  if (at(body, 'state') !== 'succeeded') throw new Error(`no copy: ${failureOf(body)}`);
}

async function playRound(ground: Ground, dice: Dice, what: Case, round: number): Promise<void> {
  const { lane, tally, points, stranger, replica } = ground;
  const status = async () => (await lane.call('GET', '/api/v1/recovery/failover')).body;
  const active = at(await status(), 'active') === 'standby' ? 'standby' : 'home';
  const [from, to] = active === 'home' ? [lane.home, lane.standby] : [lane.standby, lane.home];
  if (dice.unit() < 0.6 || points.size < 2) {
    editFiles(dice, from);
    await takePoint(ground, from);
  }
  const newest = [...points.keys()].at(-1) ?? '';
  let wanted = newest;
  if (/repository|killed/.test(what)) await copyPoints(ground);

  const mends: (() => void)[] = [];
  let met = false;
  const moveAway = (folder: string): void => {
    renameSync(folder, `${folder}-away`);
    mends.push(() => renameSync(`${folder}-away`, folder));
  };
  to.manner = manners[what] ?? { kind: 'right' };
  if (what === 'another folder is served there') to.manner = { kind: 'stranger', folder: stranger };
  if (what === 'another folder is served there under its name') to.manner = { kind: 'liar', folder: stranger };
  if (/^the present place is (down|gone)/.test(what)) await from.stop();
  if (/gone with/.test(what))
    for (const folder of [from.workspace, from.inputs]) rmSync(folder, { recursive: true, force: true });
  const faults = from.backend()?.backend.faults;
  if (faults && what === 'the present place hangs') faults.answer = 'hang';
  if (faults && what === 'the present place answers 500') faults.status = 500;
  if (faults && what === 'the present place is slow') faults.delay_ms = 100;
  if (what === 'the other place runs already, on old data') await to.start().catch(() => undefined);
  if (what === 'strange files lie at the other place') {
    mkdirSync(join(to.workspace, 'odd'), { recursive: true });
    writeFileSync(join(to.workspace, 'odd', 'file.txt'), 'somebody was here');
    editFiles(dice, to);
  }
  if (what === 'the newest point was never verified') {
    await setVerified(lane, newest, null);
    mends.push(() => undefined);
    wanted = [...points.keys()].at(-2) ?? '';
  }
  if (what === 'an older point is named') wanted = pick(dice, [...points.keys()].slice(-6));
  if (what === 'the repository is away' || what === 'nothing holds a point') moveAway(lane.repository);
  if (what === 'the replica is away' || what === 'nothing holds a point') moveAway(replica);
  if (what === 'the repository is damaged') damageRepository(dice, lane.repository, mends);
  if (what === 'the present place cannot be stopped') from.refuses = 'stop';
  if (what === 'the other place cannot be started') to.refuses = 'start';
  if (what === 'the disk is full there') {
    const boundary = pick(dice, ['failover:recover:workspace-arrived', 'failover:recover:workspace-marked']);
    lane.step = (name) => {
      if (name !== boundary) return;
      met = true;
      throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    };
  }
  const wasKilled = /killed/.test(what) ? killAfter(lane, 'failover:fenced', 'restore') : () => false;

  const alive = from.backend() !== undefined;
  const before = contentOf(from);
  const order = { confirm: true, ...(what === 'an older point is named' ? { backup_id: wanted } : {}) };
  const { body } = await lane.work('/api/v1/recovery/failover', order);
  wasKilled();
  lane.step = () => undefined;
  const shown = await status();
  const now = at(shown, 'active');
  const other = active === 'home' ? 'standby' : 'home';
  const answers = async (): Promise<boolean> => {
    const answer = await fetch(`${lane.gateway}/documents/status_counts`, { signal: AbortSignal.timeout(20_000) });
    return answer.status === 200 && JSON.stringify(await answer.json()).includes('status_counts');
  };
  const wrongly = async (): Promise<string | undefined> => {
    const end = `${String(at(body, 'state'))} ${failureOf(body)}`;
    // Where all of the point lies there already nothing is written.
    if (cases[what] === 'over' || (what === 'the disk is full there' && !met)) {
      if (at(body, 'state') !== 'succeeded' || now !== other) return end;
      if (at(body, 'result', 'backup_id') !== wanted) return `it took ${String(at(body, 'result', 'backup_id'))}`;
      const difference = differenceOf(points.get(wanted) ?? '', contentOf(to));
      if (difference !== '') return `it stands otherwise than in the point: ${difference}`;
      if (from.backend()) return 'the place that was left still runs';
      return (await answers()) ? undefined : 'nothing answers through the gateway';
    }
    const code = String(at(body, 'error', 'code') ?? at(body, 'code'));
    if (code !== (cases[what] === 'refused' ? 'restore/blocked' : 'recovery/failover-failed')) return end;
    if (now !== active) return `it was to stay at ${active}: ${end}`;
    const difference = differenceOf(before, contentOf(from));
    if (difference !== '') return `the place where it stays is another: ${difference}`;
    if (to.backend()) return `the other place runs: ${end}`;
    if (!alive) return from.backend() ? 'what was dead was started' : undefined;
    return from.backend() && (await answers()) ? undefined : `nothing answers where it stays: ${end}`;
  };
  tally.note(what, await wrongly(), `round ${round}`);

  for (const mend of mends) mend();
  from.refuses = undefined;
  to.refuses = undefined;
  to.manner = { kind: 'right' };
  if (what === 'the newest point was never verified') await setVerified(lane, newest, Date.now());
  const lives = now === 'home' ? lane.home : lane.standby;
  await lives.start();
}

/** Behind the back of the product, which writes now and then. */
async function setVerified({ dataDir }: Lane, pointId: string, atMs: number | null): Promise<void> {
  for (;;) {
    const beside = new DatabaseSync(join(dataDir, 'state.sqlite'), { timeout: 0 });
    try {
      beside.prepare('update recovery_point set verified_ms = ? where id = ?').run(atMs, pointId);
      return;
    } catch {
      await sleep(5);
    } finally {
      beside.close();
    }
  }
}

/** Every pack has another bit, or some are gone. */
function damageRepository(dice: Dice, repository: string, mends: (() => void)[]): void {
  const away = `${repository}-sound`;
  renameSync(repository, away);
  cpSync(away, repository, { recursive: true });
  mends.push(() => {
    rmSync(repository, { recursive: true });
    renameSync(away, repository);
  });
  const gone = dice.unit() < 0.4;
  for (const one of readdirSync(join(repository, 'data'), { recursive: true, withFileTypes: true })) {
    if (!one.isFile()) continue;
    const path = join(one.parentPath, one.name);
    if (!gone) flip(dice, path);
    else if (dice.unit() < 0.5) rmSync(path);
  }
}
