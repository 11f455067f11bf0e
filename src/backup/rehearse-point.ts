import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../platform/clock.ts';
import { AppError, describeError, isAppError } from '../platform/errors.ts';
import type { Logger } from '../platform/logging.ts';
import type { StoreExtracts } from '../targets/index.ts';
import type { Inspection } from './backup-deps.ts';
import { foldComponent, includesOf } from './fold-component.ts';
import { isInspected } from './inspected-component.ts';
import type { Manifest, ManifestComponent } from './manifest.ts';
import { auditDatabases, auditedIn, countProblems, differencesOf, type RehearsedAudit } from './rehearsed-audit.ts';
import type { Progress, Repository } from './repository/index.ts';
import { checkStaged, dressStaged, requirePlain } from './restore/index.ts';
import type { Restorer } from './restore/restorer.ts';
import { createSqliteRestorer } from './restore/sqlite/sqlite-restorer.ts';
import { restoreSnapshot } from './restore-snapshot.ts';
import { restorerContext } from './restore-stores.ts';
import type { Json } from './sources/source.ts';
import type { TreeEntry } from './sources/tree.ts';
import { componentPath, readEntries } from './staging.ts';
import { createUnfolder } from './unfold/index.ts';
import { findManifestSnapshot } from './verify-point.ts';

export type RehearsalPhase = {
  /** `open`, `fetch`, `check`, `inspect`, or a phase of a restorer. */
  readonly name: string;
  /** Null: of the point as a whole. */
  readonly component: string | null;
  readonly ms: number;
  /** How often a restore of the point goes through it: 0 where it is there to look only. */
  readonly inRestore: number;
  /** Takes longer the more bytes there are. */
  readonly growsWithBytes: boolean;
};

export type RehearsedComponent = {
  readonly name: string;
  readonly kind: string;
  /** Where it lies in the scratch folder; null for what is no folder. */
  readonly folder: string | null;
  readonly files: number;
  readonly bytes: number;
  readonly treeSha256: string;
  readonly counts: Readonly<Record<string, number>> | null;
  /** What the manifest says of the same. */
  readonly expectedCounts: Readonly<Record<string, number>> | null;
  readonly facts: Readonly<Record<string, Json>>;
  /** What is not as the manifest says, one sentence each. */
  readonly problems: readonly string[];
  /** Why it could not be rehearsed; null when it was. */
  readonly notRehearsed: string | null;
};

export type PointRehearsal = {
  readonly manifest: Manifest;
  readonly phases: readonly RehearsalPhase[];
  readonly components: readonly RehearsedComponent[];
};

export type RehearsalDeps = {
  readonly repository: Repository;
  readonly clock: Clock;
  readonly log: Logger;
  /** Named boundaries of the work, so that tests can end the process at each of them. */
  step(name: string): Promise<void>;
};

export type RehearsalRequest = {
  readonly pointId: string;
  readonly operationId: string;
  /** Empty; everything is written below it. */
  readonly scratchDir: string;
  readonly signal: AbortSignal;
  restorerOf(component: string): Restorer | undefined;
  /** As `ProtectedTarget.inspect`. */
  inspect(
    folder: string,
    options: { readonly workspace: string | undefined; readonly extracts: StoreExtracts },
  ): Promise<Inspection | undefined>;
  phase(name: string): Promise<void>;
  onProgress(progress: Partial<Progress>): void;
};

/** The stored entries of a component with files, as they lie in the scratch folder. */
export const rehearsedFolder = (scratchDir: string, component: string): string =>
  join(scratchDir, 'point', componentPath(component));

/**
 * Restores a whole point into a scratch folder and throw-away databases and looks at what came out. Nothing live is touched;
 * whoever asked removes the scratch folder.
 * @returns what was found, differences included; damage of the point is no error here
 * @throws AppError where the rehearsal itself could not be done (`repository/missing`, `repository/locked`, `storage/full`,
 *   `child/…`, `backup/unknown-point`); the signal's reason
 */
export async function rehearsePoint(deps: RehearsalDeps, request: RehearsalRequest): Promise<PointRehearsal> {
  const phases: RehearsalPhase[] = [];
  const timed = timing(deps.clock, phases);
  await request.phase('opening');
  const call = { signal: request.signal, operationId: request.operationId };
  const found = await timed('open', null, { inRestore: 1, growsWithBytes: false }, () =>
    findManifestSnapshot(deps, request.pointId, call),
  );
  if (!found) throw new AppError('backup/unknown-point', `The repository does not hold ${request.pointId} any more.`);
  await deps.step('drill:opened');
  const { manifest, snapshotId } = found;
  const rehearsed = new Map<string, RehearsedComponent>();
  const extracts = new Map<string, StoreExtracts>();
  // Files come last: those of the workspace are looked at together with what came out of the databases.
  for (const component of filesLast(manifest.components)) {
    if (component.restore.by === 'restorer') {
      const store = await rehearseStore(deps, request, { manifest, component, phases });
      rehearsed.set(component.name, store.component);
      if (store.extracts) extracts.set(component.name, store.extracts);
      continue;
    }
    const audited = auditedIn(manifest, extracts);
    rehearsed.set(
      component.name,
      await rehearseFiles(deps, request, { manifest, snapshotId, component, timed, audited }),
    );
  }
  const problems = [...rehearsed.keys()].some(isInspected) ? [] : await auditDatabases(request, manifest, extracts);
  return {
    manifest,
    phases,
    components: manifest.components.flatMap(({ name }) => {
      const one = rehearsed.get(name);
      if (!one) return [];
      const own = problems.filter(({ component }) => component === name).map(({ problem }) => problem);
      return [own.length === 0 ? one : { ...one, problems: [...one.problems, ...own] }];
    }),
  };
}

const filesLast = (components: Manifest['components']): Manifest['components'] => [
  ...components.filter(({ restore }) => restore.by === 'restorer'),
  ...components.filter(({ restore }) => restore.by !== 'restorer'),
];

type Timed = <T>(
  name: string,
  component: string | null,
  kind: Pick<RehearsalPhase, 'inRestore' | 'growsWithBytes'>,
  work: () => Promise<T>,
) => Promise<T>;

const timing =
  (clock: Clock, phases: RehearsalPhase[]): Timed =>
  async (name, component, kind, work) => {
    const beganMs = clock.monotonic();
    try {
      return await work();
    } finally {
      phases.push({ name, component, ms: clock.monotonic() - beganMs, ...kind });
    }
  };

async function rehearseFiles(
  deps: RehearsalDeps,
  request: RehearsalRequest,
  facts: {
    manifest: Manifest;
    snapshotId: string;
    component: ManifestComponent;
    timed: Timed;
    audited: RehearsedAudit;
  },
): Promise<RehearsedComponent> {
  const { component, manifest, timed } = facts;
  const { name } = component;
  const problems: string[] = [];
  const folder = rehearsedFolder(request.scratchDir, name);
  const inRestore = component.restore.by === 'by-hand' ? 0 : 1;
  let inspection: Inspection | undefined;
  try {
    await request.phase('fetching');
    const entries = await timed('fetch', name, { inRestore, growsWithBytes: true }, () =>
      fetchFiles(deps, request, facts),
    );
    await deps.step('drill:fetched');
    if (component.unfolded !== undefined) {
      await request.phase('folding');
      await timed('fold', name, { inRestore, growsWithBytes: true }, () =>
        foldComponent(
          { unfolder: createUnfolder() },
          {
            arrived: join(request.scratchDir, 'point'),
            component: name,
            entries,
            signal: request.signal,
            onProgress: (progress) => request.onProgress(progress),
          },
        ),
      );
    }
    await deps.step('drill:folded');
    await request.phase('checking');
    // A restore compares every digest before it moves anything, and once more in the place.
    await timed('check', name, { inRestore: 2 * inRestore, growsWithBytes: true }, () =>
      checkFiles(folder, entries, request),
    );
    await deps.step('drill:checked');
  } catch (err) {
    problems.push(...damageIn(err));
  }
  const looks = problems.length === 0 && isInspected(name);
  if (looks) {
    await request.phase('inspecting');
    // A point of one workspace holds that workspace's folder itself.
    inspection = await timed('inspect', name, { inRestore: 0, growsWithBytes: true }, () =>
      request.inspect(folder, {
        workspace: manifest.scope === 'workspace' ? '' : undefined,
        extracts: facts.audited.extracts,
      }),
    );
    problems.push(...differencesOf(manifest, inspection, facts.audited));
    await deps.step('drill:inspected');
  }
  return {
    ...described(component),
    folder,
    counts: inspection ? { ...inspection.counts } : null,
    expectedCounts: looks && manifest.counts ? { ...manifest.counts } : null,
    facts: {},
    problems: problems.map((problem) => `${name}: ${problem}`),
    notRehearsed: null,
  };
}

const described = (component: ManifestComponent) => ({
  name: component.name,
  kind: component.kind,
  files: component.files,
  bytes: component.bytes,
  treeSha256: component.tree_sha256,
});

async function fetchFiles(
  deps: RehearsalDeps,
  request: RehearsalRequest,
  { component, manifest, snapshotId }: { component: ManifestComponent; manifest: Manifest; snapshotId: string },
): Promise<readonly TreeEntry[]> {
  const target = join(request.scratchDir, 'point');
  await mkdir(target, { recursive: true, mode: 0o700 });
  await restoreSnapshot(deps.repository, manifest.id, {
    snapshotId,
    target,
    include: [...includesOf(component), `/${component.entries_file}`],
    signal: request.signal,
    operationId: request.operationId,
    onProgress: (progress) => request.onProgress(progress),
  });
  return readEntries(join(target, component.entries_file), component.entries_sha256);
}

async function checkFiles(folder: string, entries: readonly TreeEntry[], request: RehearsalRequest): Promise<void> {
  await requirePlain(folder, entries);
  await dressStaged(folder, entries, undefined);
  await checkStaged(folder, entries, {
    signal: request.signal,
    onProgress: (bytesDone) => request.onProgress({ bytesDone }),
  });
}

/** Phases of restorers that a restore has not: throw-away servers, and looks at what came out. */
const onlyRehearsed = new Set(['cluster', 'start', 'count', 'inspect', 'audit']);

async function rehearseStore(
  deps: RehearsalDeps,
  request: RehearsalRequest,
  facts: { manifest: Manifest; component: ManifestComponent; phases: RehearsalPhase[] },
): Promise<{ component: RehearsedComponent; extracts?: StoreExtracts | undefined }> {
  const { manifest, component, phases } = facts;
  const base = { ...described(component), folder: null, expectedCounts: component.counts ?? null };
  // A copy of an SQLite file is looked at wherever it goes back to, or if nobody says where.
  const restorer =
    request.restorerOf(component.name) ??
    (component.kind === 'sqlite' ? createSqliteRestorer({ path: join(request.scratchDir, 'nowhere') }) : undefined);
  if (!restorer)
    return {
      component: {
        ...base,
        counts: null,
        facts: {},
        problems: [],
        notRehearsed: `${component.name} (${component.kind}) has no place configured, so nothing could be loaded`,
      },
    };
  await request.phase('loading');
  const scratchDir = join(request.scratchDir, `store-${component.name}`);
  await mkdir(scratchDir, { recursive: true, mode: 0o700 });
  const beganMs = deps.clock.monotonic();
  try {
    const rehearsal = await restorer.rehearse(
      {
        pointId: manifest.id,
        operationId: request.operationId,
        component,
        scope: {},
        takenMs: Date.parse(manifest.taken_at),
      },
      restorerContext(
        { repository: deps.repository, stagingDir: scratchDir, step: (name) => deps.step(name) },
        { pointId: manifest.id, component, prefix: 'drill', scratchDir },
        {
          id: request.operationId,
          signal: request.signal,
          log: deps.log,
          onProgress: ({ bytesDone }) => {
            if (bytesDone !== undefined) request.onProgress({ bytesDone });
          },
        },
      ),
    );
    try {
      const whole = { name: 'load', ms: deps.clock.monotonic() - beganMs };
      for (const phase of rehearsal.phases.length > 0 ? rehearsal.phases : [whole])
        phases.push({
          name: phase.name,
          component: component.name,
          ms: phase.ms,
          inRestore: onlyRehearsed.has(phase.name) ? 0 : 1,
          growsWithBytes: !onlyRehearsed.has(phase.name),
        });
      return {
        component: {
          ...base,
          counts: { ...rehearsal.counts },
          facts: { ...rehearsal.facts },
          problems: [...countProblems(component.counts ?? {}, rehearsal.counts), ...rehearsal.problems].map(
            (problem) => `${component.name}: ${problem}`,
          ),
          notRehearsed: null,
        },
        extracts: rehearsal.extracts,
      };
    } finally {
      await rehearsal.remove();
      await deps.step('drill:loaded');
    }
  } catch (err) {
    const problems = damageIn(err).map((problem) => `${component.name}: ${problem}`);
    return { component: { ...base, counts: null, facts: {}, problems, notRehearsed: null } };
  }
}

/** These say that the point is damaged; after anything else nothing is known about it. */
const damageCodes = new Set([
  'restore/digest-mismatch',
  'restore/unsafe-entry',
  'repository/damaged',
  'backup/verification-failed',
]);

/** @throws the error itself when it says nothing about the point */
function damageIn(err: unknown): string[] {
  if (!isAppError(err) || !damageCodes.has(err.code)) throw err;
  const places = (err.violations ?? []).map(({ at, message }) => `${at}: ${message}`);
  return places.length > 0 ? places : [describeError(err)];
}

export type PlantedDamage = {
  /** `flipped-byte`, `removed-file`, `shortened-file`, `extra-file`, `changed-list`. */
  readonly kind: string;
  readonly component: string;
  readonly path: string;
};

/**
 * Checks restored files once more, after somebody changed them on purpose.
 * @returns what the checks say, by place; empty: they saw nothing
 */
export async function findDamage(
  scratchDir: string,
  component: Pick<ManifestComponent, 'name' | 'entries_file' | 'entries_sha256'>,
  signal: AbortSignal,
): Promise<readonly { readonly at: string; readonly message: string }[]> {
  try {
    const entries = await readEntries(join(scratchDir, 'point', component.entries_file), component.entries_sha256);
    const folder = rehearsedFolder(scratchDir, component.name);
    await requirePlain(folder, entries);
    await checkStaged(folder, entries, { signal });
    return [];
  } catch (err) {
    if (!isAppError(err) || !damageCodes.has(err.code)) throw err;
    return err.violations?.length ? err.violations : [{ at: '', message: describeError(err) }];
  }
}

export const rehearsedEntries = (
  scratchDir: string,
  component: Pick<ManifestComponent, 'entries_file' | 'entries_sha256'>,
): Promise<readonly TreeEntry[]> =>
  readEntries(join(scratchDir, 'point', component.entries_file), component.entries_sha256);

/** Only so that a chaos drill can plant something: the place of the list of entries. */
export const rehearsedList = (scratchDir: string, component: Pick<ManifestComponent, 'entries_file'>): string =>
  join(scratchDir, 'point', component.entries_file);
