import { existsSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createDice, type Dice } from '../leaks/labelled-series.ts';
import type { Bench } from '../report.ts';
import { killAfter } from './end-restic.ts';
import { contentOf, damageFiles, damages, differenceOf, editFiles, flip, pick } from './files.ts';
import { at, failureOf, type Lane, openLane } from './lane.ts';
import { inLanes } from './lanes.ts';
import { createTally, sureShare, type Tally } from './tally.ts';

/** What goes wrong besides the damage that a restore is for. */
const troubles = [
  ...Array.from({ length: 14 }, () => 'none' as const),
  ...(['backup killed', 'restore killed', 'disk full in a backup', 'disk full in a restore'] as const),
  ...(['damaged pack', 'missing pack', 'repository away', 'wrong password'] as const),
  ...(['backend down', 'backend cannot be stopped', 'backend cannot be started'] as const),
];
type Trouble = (typeof troubles)[number];

/** Where the work writes, and a full disk is met. */
const writes = {
  backup: ['listed', 'captured-workspace', 'unfolded', 'manifest-staged', 'uploaded'].map((name) => `backup:${name}`),
  restore: ['stopped', 'staged', 'journal:moving:before', 'out:flush', 'in:flush', 'checked'].map(
    (name) => `restore:${name}`,
  ),
};

type Round = {
  readonly lane: Lane;
  readonly dice: Dice;
  readonly trouble: Trouble;
  readonly where: string;
  readonly tally: Tally;
  /** What each point held when it was taken. */
  readonly points: Map<string, string>;
  readonly expected: string;
};

const noSpace = (): Error =>
  Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', errno: -28, syscall: 'write' });

/** Once, at the boundary. */
function failAt(lane: Lane, boundary: string): void {
  lane.step = (name) => {
    if (name !== boundary) return;
    lane.step = () => undefined;
    throw noSpace();
  };
}

async function takePoint(round: Round): Promise<void> {
  const { lane, dice, trouble, where, tally, points } = round;
  const take = () => lane.work('/api/v1/backup/trigger');
  const before = contentOf(lane.home);
  const wrongly = (ended: unknown): string | undefined => {
    const id = String(at(ended, 'result', 'backup_id'));
    if (at(ended, 'state') !== 'succeeded') return `no point: ${String(at(ended, 'state'))} ${failureOf(ended)}`;
    const content = contentOf(lane.home);
    if (content !== before) return `the data changed while it was taken: ${differenceOf(before, content)}`;
    points.set(id, content);
    return undefined;
  };
  if (trouble === 'backup killed') {
    const wasKilled = killAfter(lane, 'backup:manifest-staged', 'backup');
    const { body } = await take();
    if (wasKilled())
      tally.note('a backup whose program is killed is no point', refused(body, anyRepositoryCode), where);
    else wrongly(body);
  }
  if (trouble === 'disk full in a backup') {
    failAt(lane, pick(dice, writes.backup));
    const { body } = await take();
    tally.note('a backup on a full disk is no point', refused(body, /^storage\/full|^backup\//), where);
    lane.step = () => undefined;
  }
  // One that was never used is made anew, rightly.
  const lifted = trouble === 'repository away' && points.size === 0 ? undefined : breakRepository(lane, trouble);
  if (lifted) {
    const { body } = await take();
    tally.note('a backup without its repository is refused', refused(body, anyRepositoryCode), where);
    lifted();
  }
  if (trouble === 'backend down') await lane.home.stop();
  tally.note('a point is taken', wrongly((await take()).body), where);
}

const anyRepositoryCode = /^(repository|child)\//;

/** @returns what is wrong when it was not refused, or for another reason */
function refused(body: unknown, wanted: RegExp): string | undefined {
  const ended = at(body, 'state');
  const code = String(at(body, 'error', 'code') ?? at(body, 'code'));
  if (ended !== 'failed' && ended !== undefined) return `it ended as ${String(ended)}`;
  return wanted.test(code) ? undefined : `it was refused with ${failureOf(body)}`;
}

/** @returns what mends it; undefined where the trouble is another one */
function breakRepository(lane: Lane, trouble: Trouble): (() => void) | undefined {
  if (trouble === 'repository away') {
    renameSync(lane.repository, `${lane.repository}-away`);
    return () => {
      // Nobody may have begun a new one there.
      if (existsSync(lane.repository)) throw new Error('a repository was made in the place of the one that was away');
      renameSync(`${lane.repository}-away`, lane.repository);
    };
  }
  if (trouble !== 'wrong password') return undefined;
  const file = join(lane.dataDir, 'repository-password');
  writeFileSync(file, 'another\n');
  return () => writeFileSync(file, `${lane.password}\n`);
}

async function validate(round: Round, id: string): Promise<'passed' | 'failed' | undefined> {
  const { lane } = round;
  if (round.dice.unit() < 0.5) {
    const { body } = await lane.work('/api/v1/recovery/drills', { backup_id: id });
    const verdict = at(body, 'result', 'verdict');
    if (verdict === 'passed' || verdict === 'failed') return verdict;
    round.lane.step = () => undefined;
    lastAnswer = `${String(verdict)} ${JSON.stringify(at(body, 'result', 'reasons'))} ${failureOf(body)}`;
    return undefined;
  }
  const { body } = await lane.work(`/api/v1/backup/points/${id}/verify`);
  if (at(body, 'state') === 'succeeded') return 'passed';
  const code = String(at(body, 'error', 'code'));
  lastAnswer = failureOf(body);
  return /^(repository\/damaged|backup\/verification-failed|restore\/digest-mismatch|restore\/unsafe-entry|backup\/unknown-point)$/.test(
    code,
  )
    ? 'failed'
    : undefined;
}
let lastAnswer = '';

/** A restore that has to succeed, and what is wrong with what stands then. */
async function restoreRightly(
  round: Round,
  id: string,
  ending = 'succeeded',
  mayTakeSafety = true,
): Promise<string | undefined> {
  const { lane, points, dice } = round;
  const safety = mayTakeSafety && dice.unit() < 0.15;
  const { body } = await lane.work(`/api/v1/backup/restore/${id}`, { confirm: true, safety_point: safety });
  if (at(body, 'state') !== ending)
    return `${String(at(body, 'state'))}${safety ? ' (safety point)' : ''} ${failureOf(body)} ${JSON.stringify(at(body, 'result', 'notes') ?? '')}`;
  const difference = differenceOf(points.get(id) ?? '', contentOf(lane.home));
  if (difference !== '') return `it stands otherwise than in the point: ${difference}`;
  if (ending !== 'succeeded') return undefined;
  const canary = await lane.call('POST', '/api/v1/targets/rag/canary/run', {});
  return at(canary.body, 'verdict') === 'passed' ? undefined : `the canary: ${JSON.stringify(canary.body)}`;
}

/** A restore that cannot be done: the reason is told, and everything stays as it was. */
async function restoreInVain(round: Round, id: string, wanted: RegExp): Promise<string | undefined> {
  const { lane } = round;
  const before = contentOf(lane.home);
  const ran = lane.home.backend() !== undefined;
  const { body } = await lane.work(`/api/v1/backup/restore/${id}`, { confirm: true, safety_point: false });
  const difference = differenceOf(before, contentOf(lane.home));
  if (difference !== '') return `it failed (${failureOf(body)}) and left something else: ${difference}`;
  // Over damaged files the backend may not come up.
  if (ran && round.expected === 'nothing' && !lane.home.backend())
    return `it failed (${failureOf(body)}) and left the backend stopped`;
  return refused(body, wanted);
}

async function playRound(round: Round): Promise<void> {
  const { lane, dice, trouble, where, tally, points } = round;
  if (dice.unit() < 0.7) editFiles(dice, lane.home);
  const packsBefore = new Set(packsOf(lane));
  if (points.size === 0 || dice.unit() < 0.5 || /backup|backend down|pack/.test(trouble)) await takePoint(round);
  const known = [...points.keys()];
  const newest = known.at(-1);
  if (newest === undefined) return;
  const id = dice.unit() < 0.7 || /pack/.test(trouble) ? newest : pick(dice, known.slice(-12));

  const damage = pick(dice, damages);
  const facing = { ...round, expected: damage };
  const fresh = packsOf(lane).filter((path) => !packsBefore.has(path));
  if ((trouble === 'damaged pack' || trouble === 'missing pack') && fresh.length > 0) {
    const mend = damagePack(dice, trouble, pick(dice, fresh));
    const verdict = await validate(facing, id);
    damageFiles(dice, damage, lane.home);
    await judgeDamaged(facing, id, verdict);
    mend();
  }
  const validated = await validate(facing, id);
  tally.note('a sound point passes', validated === 'passed' ? undefined : `${validated} ${lastAnswer}`, where);

  damageFiles(dice, damage, lane.home);
  // One that was never used is made anew, rightly.
  const lifted = trouble === 'repository away' && points.size === 0 ? undefined : breakRepository(lane, trouble);
  if (lifted) {
    const verdict = await validate(facing, id);
    tally.note('without its repository nothing is said of a point', verdict && `it ${verdict}`, where);
    tally.note(
      'a restore without its repository changes nothing',
      await restoreInVain(facing, id, anyRepositoryCode),
      where,
    );
    lifted();
  }
  if (trouble === 'restore killed') {
    const wasKilled = killAfter(lane, 'restore:stopped', 'restore');
    const wrong = await restoreInVain(facing, id, anyRepositoryCode);
    if (wasKilled()) tally.note('a restore whose program is killed changes nothing', wrong, where);
  }
  if (trouble === 'disk full in a restore') {
    const boundary = pick(dice, writes.restore);
    let met = false;
    lane.step = (name) => {
      if (name !== boundary) return;
      lane.step = () => undefined;
      met = true;
      throw noSpace();
    };
    const wrong = await restoreInVain(facing, id, /^(storage\/full|restore\/|internal\/)/);
    lane.step = () => undefined;
    if (met) tally.note('a restore on a full disk changes nothing', wrong && `${boundary}: ${wrong}`, where);
  }
  if (trouble === 'backend cannot be stopped') {
    lane.home.refuses = 'stop';
    tally.note('a restore under a living backend changes nothing', await restoreInVain(facing, id, /^target\//), where);
    lane.home.refuses = undefined;
  }
  if (trouble === 'backend cannot be started') {
    lane.home.refuses = 'start';
    tally.note(
      'a restore whose backend does not come back says so',
      await restoreRightly(facing, id, 'partial'),
      where,
    );
    lane.home.refuses = undefined;
    await lane.home.start();
    return;
  }
  tally.note(`restored after: ${damage}`, await restoreRightly(facing, id), where);
}

/** Whether the damage lies in bytes of the point is not known beforehand: what counts is that both say the same, and the truth. */
async function judgeDamaged(round: Round, id: string, verdict: 'passed' | 'failed' | undefined): Promise<void> {
  const { tally, where } = round;
  if (verdict === undefined) return tally.note('damage of the repository is found', `no verdict: ${lastAnswer}`, where);
  // No point is taken into a repository that is not sound, so there is no safety point either.
  if (verdict === 'passed')
    return tally.note(
      'damage beside a point does not fail it',
      await restoreRightly(round, id, 'succeeded', false),
      where,
    );
  const before = contentOf(round.lane.home);
  const { body } = await round.lane.work(`/api/v1/backup/restore/${id}`, { confirm: true, safety_point: false });
  // What only goes back by hand may be all that is damaged.
  const stands = contentOf(round.lane.home);
  const right = at(body, 'state') === 'succeeded' ? round.points.get(id) : before;
  tally.note(
    'damage of the repository is found',
    stands === right ? undefined : `${failureOf(body)}: ${differenceOf(right ?? '', stands)}`,
    where,
  );
}

const packsOf = ({ repository }: Lane): string[] =>
  readdirSync(join(repository, 'data'), { recursive: true, withFileTypes: true })
    .filter((one) => one.isFile())
    .map((one) => join(one.parentPath, one.name))
    .sort();

function damagePack(dice: Dice, trouble: 'damaged pack' | 'missing pack', path: string): () => void {
  const bytes = readFileSync(path);
  if (trouble === 'missing pack') rmSync(path);
  else {
    rmSync(path);
    writeFileSync(path, bytes);
    if (dice.unit() < 0.7) flip(dice, path);
    else truncateSync(path, Math.floor(bytes.length * dice.unit()));
  }
  return () => {
    rmSync(path, { force: true });
    writeFileSync(path, bytes, { mode: 0o400 });
  };
}

export const recoveryRounds: Bench = {
  name: 'recovery-rounds',
  async run(size) {
    const seed = process.env.BENCH_SEED ?? 'recovery';
    const rounds = Number(process.env.BENCH_ROUNDS ?? (size === 'full' ? 1_100 : 1));
    const tally = createTally();
    await inLanes(
      { rounds, lanes: size === 'full' ? Number(process.env.BENCH_LANES ?? 6) : 1, roundsOfLane: 50 },
      async (number) => {
        const lane = await openLane({ name: 'rounds', seed: number + 1, gateway: false });
        const points = new Map<string, string>();
        return {
          play: (round) => {
            const dice = createDice(`${seed} ${round}`);
            const trouble = pick(dice, troubles);
            const where = `round ${round} (${trouble})`;
            return playRound({ lane, dice, trouble, where, tally, points, expected: '' });
          },
          log: () => lane.log(),
          close: () => lane.close(),
        };
      },
      tally,
    );
    return {
      row: 'P21, F476.5: rounds of point, validation, damage and restore',
      target: 'over 99.9 % of validations and recoveries right, and shown with a certainty of 95 %.',
      method: `${rounds} rounds, drawn with the seed “${seed}”, through the API of products in one process, with restic and small generated workspaces: files are edited, a point is taken, a point is validated (a drill, or a verification of its content), the data is damaged, the point is restored, every byte and permission compared, and the canary asked of the backend. In between, programs are killed, disks are full, packs of the repository are damaged or missing, the repository or its password is away, the backend is down or cannot be stopped or started. A trial is one of those acts, and its right end, success or a refusal that changes nothing, was known before. Full disks are errors of the system raised at boundaries of the work.`,
      columns: ['trial', 'times', 'wrong'],
      lines: tally.lines(),
      figures: [
        { what: 'validations and recoveries', value: tally.trials, unit: 'trials' },
        {
          what: 'right, of those',
          value: (100 * (tally.trials - tally.wrong)) / tally.trials,
          limit: 99.9,
          atLeast: true,
          unit: '%',
        },
        {
          what: 'right, with a certainty of 95 %',
          value: sureShare(tally.trials, tally.wrong),
          ...(size === 'full' ? { limit: 99.9, atLeast: true } : {}),
          unit: '%',
        },
      ],
    };
  },
};
