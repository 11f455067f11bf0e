import { chmod, chown, lstat, mkdir, readdir, rename, rm, statfs } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { AppError, describeError, systemCode } from '../../../platform/errors.ts';
import { digestFile } from '../../sources/file-digest.ts';
import { askSqlite } from '../../sources/sqlite/sqlite-file.ts';
import { type SqliteDetails, sqliteDetails } from '../../sources/sqlite/sqlite-source.ts';
import { ownFolder } from '../../sources/tree.ts';
import { flush } from '../durable.ts';
import type { Restorer, RestorerContext, RestorerRequest, RestorerState } from '../restorer.ts';

/** What SQLite keeps beside a database; old ones beside a new file would be taken for its own. */
const companions = ['', '-wal', '-shm', '-journal'];

type Place = {
  readonly details: SqliteDetails;
  /** The file that is exchanged. */
  readonly file: string;
  /** Beside it, so that a rename is all it takes: `new` until the exchange, `old/` from then on. */
  readonly folder: string;
};

/**
 * Exchanges one database file. Everything lies in `.ragwarden/sqlite-<operation>-<file>/` beside it: with `new` in it the restore
 * is prepared, without it is committed. The backend is stopped meanwhile.
 * @param options.path where the file lies now; the point may have come from elsewhere
 */
export function createSqliteRestorer(options: { readonly path: string }): Restorer {
  const placeOf = (request: RestorerRequest): Place => {
    const details = requireDetails(request);
    const { aside } = request.scope;
    const file = aside === undefined ? options.path : `${options.path}.${aside}`;
    return { details, file, folder: join(dirname(file), ownFolder, folderName(request.operationId, file)) };
  };

  return {
    kind: 'sqlite',

    async plan(request) {
      const { details, file } = placeOf(request);
      const old = await sizeOf(file);
      const free = await statfs(dirname(file)).then(
        (found) => found.bavail * found.bsize,
        () => undefined,
      );
      const rows = Object.values(details.tables).reduce((sum, count) => sum + count, 0);
      return {
        place: file,
        method: 'the file is exchanged while the backend stands; the old one is kept until the next restore',
        items: [
          {
            name: basename(file),
            action: old === undefined ? 'add' : 'replace',
            reason: old === undefined ? 'there is no such file' : 'the point holds the whole database',
            oldBytes: old ?? null,
            newBytes: details.bytes,
            newRows: rows,
          },
        ],
        bytesIn: details.bytes,
        freeNeededBytes: details.bytes,
        freeAvailableBytes: free ?? null,
        lost: { rows: null, examples: [] },
        warnings: [],
        blockers: [
          ...(request.scope.workspace === undefined ? [] : ['a database file is not told apart by workspace']),
          ...(free === undefined ? [`there is no folder ${dirname(file)}`] : []),
          ...(free !== undefined && free < details.bytes ? ['there is not enough free space for old and new'] : []),
          ...asideBlockers(request, old),
        ],
      };
    },

    async prepare(request, context) {
      const [problem] = asideBlockers(request, undefined);
      if (problem !== undefined) throw new AppError('restore/blocked', `${request.component.name}: ${problem}.`);
      const { details, file, folder } = placeOf(request);
      for (const other of await othersOf(file)) if (other !== folder) await rm(other, { recursive: true, force: true });
      await rm(folder, { recursive: true, force: true });
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const fresh = join(folder, 'new');
      // Until it is whole and checked it has another name: `new` alone says that it may be exchanged.
      const draft = join(folder, 'draft');
      await context.fetchStream(details.stream, draft);
      await requireSound(draft, details, context);
      const owner = (await lstat(file).catch(() => undefined)) ?? details;
      await chown(draft, owner.uid, owner.gid).catch((err: unknown) => {
        // Whoever may not give files away owns them, as the backend does that runs as the same user.
        if (systemCode(err) !== 'EPERM') throw err;
      });
      await chmod(draft, owner.mode & 0o777);
      await flush(draft);
      await rename(draft, fresh);
      await flush(folder);
      await context.step('sqlite:prepared');
    },

    async commit(request, context) {
      const { file, folder } = placeOf(request);
      const state = await stateOf(folder);
      if (state === 'committed') return;
      if (state === 'none') throw new AppError('restore/blocked', `${file} was not prepared, so it was not exchanged.`);
      const old = join(folder, 'old');
      await mkdir(old, { recursive: true, mode: 0o700 });
      for (const companion of companions) {
        await moveIfThere(`${file}${companion}`, join(old, `file${companion}`));
        await context.step('sqlite:moving');
      }
      await rename(join(folder, 'new'), file);
      await flush(dirname(file));
      await flush(folder);
      await context.step('sqlite:committed');
    },

    async verify(request, context) {
      const { details, file } = placeOf(request);
      await requireSound(file, details, context);
    },

    async undo(request, context) {
      const { file, folder } = placeOf(request);
      const state = await stateOf(folder);
      if (state === 'none') return rm(folder, { recursive: true, force: true });
      if (state === 'committed') {
        // Back to `new`, and with it to prepared: from here on a kill is undone as one before the exchange.
        for (const companion of companions.slice(1)) await rm(`${file}${companion}`, { force: true });
        if ((await sizeOf(file)) === undefined) await mkdir(join(folder, 'new'), { recursive: true });
        else await rename(file, join(folder, 'new'));
        await context.step('sqlite:undoing');
      }
      for (const companion of companions.toReversed()) {
        await moveIfThere(join(folder, 'old', `file${companion}`), `${file}${companion}`);
        await context.step('sqlite:undoing');
      }
      await flush(dirname(file));
      await rm(folder, { recursive: true, force: true });
    },

    async finish(request) {
      const { folder } = placeOf(request);
      const old = join(folder, 'old', 'file');
      if ((await sizeOf(old)) !== undefined) return old;
      await rm(folder, { recursive: true, force: true });
      return undefined;
    },

    state: (request) => stateOf(placeOf(request).folder),

    async rehearse(request, context) {
      const { details } = placeOf(request);
      const file = join(context.scratchDir, 'database.sqlite');
      await context.fetchStream(details.stream, file);
      await context.step('sqlite:fetched');
      const { sha256 } = await digestFile(file, { signal: context.signal });
      const look = await askSqlite({ act: 'look', file }, { code: 'restore/digest-mismatch', signal: context.signal });
      const problems = look.problems.map((line) => `the integrity check says: ${line}`);
      if (sha256 !== details.sha256) problems.push('its digest is not the one that the manifest names');
      for (const [table, rows] of Object.entries(details.tables))
        if (problems.length === 0 && look.tables[table] !== rows)
          problems.push(`${table} has ${look.tables[table] ?? 'no'} rows, ${rows} were captured`);
      return {
        phases: [],
        bytes: details.bytes,
        counts: {},
        facts: { sha256, tables: look.tables, sqlite_version: look.version },
        problems,
        remove: async () => undefined,
      };
    },
  };
}

function requireDetails({ component }: RestorerRequest): SqliteDetails {
  const parsed = sqliteDetails.safeParse(component.restore.by === 'restorer' ? component.restore.details : undefined);
  if (parsed.success) return parsed.data;
  throw new AppError(
    'restore/blocked',
    `The manifest does not say how ${component.name} goes back, or a newer version wrote it.`,
  );
}

async function requireSound(file: string, details: SqliteDetails, { signal }: RestorerContext): Promise<void> {
  const { sha256 } = await digestFile(file, { signal });
  if (sha256 !== details.sha256)
    throw new AppError('restore/digest-mismatch', `${file} is not what was captured: its digest is another.`);
}

function asideBlockers({ scope }: RestorerRequest, old: number | undefined): string[] {
  if (scope.aside === undefined) return [];
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,100}$/.test(scope.aside) || scope.aside.includes('..'))
    return ['a place beside the living file is an ending of its name: letters, digits, dots, dashes and underscores'];
  return old === undefined ? [] : ['there is such a file already: name another ending'];
}

const folderPrefix = 'sqlite-';
const folderName = (operationId: string, file: string): string => `${folderPrefix}${operationId}-${basename(file)}`;

/** What earlier restores of the same file left. */
async function othersOf(file: string): Promise<string[]> {
  const folder = join(dirname(file), ownFolder);
  const names = await readdir(folder).catch(() => []);
  const ending = `-${basename(file)}`;
  return names
    .filter(
      (name) =>
        name.startsWith(`${folderPrefix}op_`) &&
        name.endsWith(ending) &&
        !name.slice(folderPrefix.length, -ending.length).includes('-'),
    )
    .map((name) => join(folder, name));
}

async function stateOf(folder: string): Promise<RestorerState> {
  const names = await readdir(folder).catch((err: unknown): string[] => {
    if (systemCode(err) === 'ENOENT') return [];
    throw new AppError('restore/blocked', `${folder} cannot be read: ${describeError(err)}.`, { cause: err });
  });
  if (names.includes('new')) return 'prepared';
  // A draft alone was never anything.
  return names.includes('old') ? 'committed' : 'none';
}

async function sizeOf(file: string): Promise<number | undefined> {
  try {
    return (await lstat(file)).size;
  } catch (err) {
    if (systemCode(err) === 'ENOENT') return undefined;
    throw err;
  }
}

async function moveIfThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (err) {
    if (systemCode(err) !== 'ENOENT') throw err;
  }
}
