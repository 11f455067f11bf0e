import { expect, test } from 'vitest';
import { openTestState } from '../migrations/test-state.ts';
import { silentLogger } from '../platform/logging.ts';
import { type CatalogueDeps, rebuildCatalogue } from './catalogue/index.ts';
import type { Manifest } from './manifest.ts';
import { describeAhead, findDatedLater, reviewNotes } from './misdated.ts';
import { newestFirstAt, type RecoveryPoint } from './point.ts';
import { createPointStore } from './point-store.ts';
import { chooseRecoverable, describeMisdated, listRecoverable } from './recover/plan-recovery.ts';
import type { Repository } from './repository/index.ts';

const hour = 3_600_000;
const noon = Date.UTC(2026, 0, 5, 12);
const never = new AbortController().signal;
const idOf = (tail: string) => `backup_20260105_120000_x7k${tail}`;

const manifestOf = (tail: string, takenMs: number, after: readonly string[] | undefined): Manifest => ({
  ...{ format: 'ragwarden-recovery-point', version: 2, id: idOf(tail), scope: 'target', cause: 'scheduled' },
  target: {
    ...{ id: 'rag', kind: 'lightrag', core_version: null, api_version: null, workspaces: [''] },
    ...{ storage_classes: {}, embedding_model: null, embedding_dimension: null },
  },
  ...{ taken_at: new Date(takenMs).toISOString(), grade: 'consistent', reasons: [], partial: false, total_size_mb: 1 },
  ...{ components: [], missing: [], documents: null, counts: null, audit: { seq: 1, hash: 'h' }, warden_version: '0' },
  ...(after === undefined ? {} : { taken_after: after.map(idOf) }),
});

/** A repository that holds these, verified. */
function repositoryOf(manifests: readonly Manifest[]): Repository {
  return {
    location: { display: '/r' },
    open: async () => ({ state: 'ok', id: 'r' }),
    snapshots: async () =>
      manifests.map(({ id, taken_at }) => ({
        ...{ id: `snapshot ${id}`, tree: `tree ${id}` },
        tags: [`rp:${id}`, 'manifest', 'target:rag', `verified-at:${taken_at}`],
      })),
    readFile: async ({ snapshotId }: { snapshotId: string }) =>
      Buffer.from(JSON.stringify(manifests.find(({ id }) => snapshotId === `snapshot ${id}`))),
    tag: async () => undefined,
    // What a listing asks of it.
  } as unknown as Repository;
}

/** One is dated a day ahead; the next two were taken when the clock had been set back, and say so. */
const dayAhead = [
  manifestOf('a', noon - hour, []),
  manifestOf('b', noon + 24 * hour, []),
  manifestOf('c', noon, ['b']),
  manifestOf('d', noon + hour, ['b']),
];

test('on an empty machine a date that has come does not make a point newer than what was taken after it', async () => {
  for (const nowMs of [noon + 2 * hour, noon + 25 * hour]) {
    const points = await listRecoverable(repositoryOf(dayAhead), nowMs, never);
    expect(points.map(({ id }) => id.at(-1)).join('')).toBe('dcab');
    const chosen = chooseRecoverable(points, {});
    expect(chosen.id).toBe(idOf('d'));
    expect(describeMisdated(points, chosen, nowMs).join()).toContain(`${idOf('b')} bears a later date`);
  }
  // What comes with the clock right, later, is the newest.
  const later = [...dayAhead, manifestOf('e', noon + 26 * hour, [])];
  const points = await listRecoverable(repositoryOf(later), noon + 27 * hour, never);
  expect(points[0]?.id).toBe(idOf('e'));
});

test('on an empty machine a point that was taken while the clock was behind is newer than those it names', async () => {
  const behind = [manifestOf('a', noon - hour, []), manifestOf('b', noon, []), manifestOf('c', 0, ['a', 'b'])];
  const list = async (manifests: readonly Manifest[]) =>
    (await listRecoverable(repositoryOf(manifests), noon + hour, never)).map(({ id }) => id.at(-1)).join('');
  expect(await list(behind)).toBe('cba');
  expect(await list([...behind, manifestOf('d', noon + hour, [])])).toBe('dcba');
});

test('a state that is made from the repository when the date has come knows what was taken after it, also in a second run', async () => {
  const state = await openTestState();
  try {
    const nowMs = noon + 25 * hour;
    const points = createPointStore(state.db, () => nowMs);
    const deps = {
      ...{ db: state.db, points, repository: repositoryOf(dayAhead), log: silentLogger, step: async () => undefined },
      ...{ clock: { now: () => nowMs }, events: { record: async () => 1 } },
      knownRepository: { read: async () => undefined, remember: async () => undefined },
      // Of its parts, what a rebuild uses.
    } as unknown as CatalogueDeps;
    const work = { signal: never, phase: async () => undefined, progress: () => undefined };
    let written = 0;
    const dies = async () => {
      written += 1;
      if (written === dayAhead.length) throw new Error('the process ends');
    };
    await expect(rebuildCatalogue({ ...deps, step: dies }, { dryRun: false }, work)).rejects.toThrow('ends');
    // Nothing is left to be added.
    expect((await rebuildCatalogue(deps, { dryRun: false }, work)).counts.add).toBe(0);
    expect((await points.newest('rag', 'good'))?.id).toBe(idOf('d'));
    expect(await points.find(idOf('b'))).toMatchObject({ misdated: true, inOrder: false });
  } finally {
    state.remove();
  }
});

test('what is taken now names what is there with a later date, however much and noted or not, and nothing that may be a clock of another machine', async () => {
  const dates = [noon + 60_000, ...Array.from({ length: 30 }, (_, at) => noon + (at + 1) * hour)];
  for (const misdated of [false, true]) {
    const rows = dates.map((takenMs, at) => ({ id: `p${at}`, takenMs, misdated }) as RecoveryPoint).reverse();
    const points = { list: async ({ limit }: { limit: number }) => rows.slice(0, limit) };
    expect(await findDatedLater(points, 'rag', noon)).toHaveLength(30);
    expect(await findDatedLater(points, 'rag', noon + 29 * hour)).toEqual(['p30']);
    expect(await findDatedLater(points, 'rag', noon + 40 * hour)).toEqual([]);
  }
});

const row = (id: string, takenMs: number, taken_after?: readonly string[]): RecoveryPoint =>
  // Of a row, what a review reads.
  ({ id, takenMs, manifest: { id, taken_after } }) as unknown as RecoveryPoint;
const review = (noted: readonly string[], rows: readonly RecoveryPoint[], nowMs: number) =>
  Object.fromEntries(reviewNotes(new Map(noted.map((id) => [id, false])), rows, nowMs));

test('what was noted while the clock was behind keeps its place, and is forgotten of with the next good point', () => {
  const [older, good] = [row('older', noon - 9 * hour, []), row('good', noon, [])];
  expect(review(['good'], [good, older], noon + hour)).toEqual({ good: true });
  expect(review(['good'], [row('next', noon + hour, []), good, older], noon + hour)).toEqual({ good: 'drop' });
  const inOrder = [{ ...good, misdated: true, inOrder: true }, older];
  expect(inOrder.toSorted(newestFirstAt(noon + hour))[0]?.id).toBe('good');
  // As long as its date is ahead, nothing is known.
  expect(review(['good'], [good, older], noon - hour)).toEqual({ good: false });
});

test('good points that one names which was taken while the clock was behind stay noted as long as it is there, and nothing advises to delete them', () => {
  const [good, behind, next] = [row('good', noon, []), row('behind', 0, ['good']), row('next', noon + hour, [])];
  expect(review(['good'], [next, good, behind], noon + hour)).toEqual({ good: false });
  const told = describeAhead({ ...good, misdated: true, inOrder: false }, noon + hour);
  expect(told).toContain('or another was behind then');
  expect(told).not.toContain('delete');
  expect(review(['good'], [next, good], noon + hour)).toEqual({ good: 'drop' });
});

test('what another was taken after stays the older one, and an earlier version says nothing', () => {
  const ahead = row('ahead', noon, []);
  const after = row('after', noon - hour, ['ahead']);
  expect(review(['ahead'], [ahead, after], noon + hour)).toEqual({ ahead: false });
  expect(review(['ahead'], [row('next', noon + hour, []), ahead, after], noon + hour)).toEqual({ ahead: false });
  expect(review(['ahead'], [ahead, row('before', noon - hour)], noon + hour)).toEqual({ ahead: false });
});
