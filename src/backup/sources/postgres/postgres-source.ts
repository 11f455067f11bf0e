import { mkdir, rm } from 'node:fs/promises';
import type { ChildProcesses } from '../../../platform/child-processes/index.ts';
import { AppError, describeError, isAppError } from '../../../platform/errors.ts';
import {
  connectPostgres,
  describePlace,
  type PostgresConnection,
  type PostgresSession,
} from '../../postgres/connection.ts';
import { choosePrograms, type PostgresPrograms } from '../../postgres/programs.ts';
import { columnValueOf } from '../../postgres/survey.ts';
import { readServer, type ServerFacts } from '../../postgres/survey-store.ts';
import type { CaptureContext, CaptureResult, CompleteContext, PendingCapture, Source } from '../source.ts';
import { treeDigest } from '../tree.ts';
import { dumpMoment } from './dump.ts';
import { type FixedMoment, fixMoment } from './moment-store.ts';

export type PostgresSourceOptions = {
  readonly name: string;
  readonly connection: PostgresConnection;
  readonly children: ChildProcesses;
  /** `database`: everything in it, whoever it belongs to. */
  readonly dump: 'database' | 'lightrag';
  /** All that lies in it belongs to the target, whoever made it; else LightRAG's tables are told from others. */
  readonly whole?: boolean;
  /** Only the rows of this workspace; the unnamed one is ''. */
  readonly workspace?: string | undefined;
  /** The workspace whose stores are audited with the others; absent: the one above, if there is one. */
  readonly auditWorkspace?: string;
  /** Where PostgreSQL's programs may lie; the system's places by default. */
  readonly folders?: readonly string[];
};

/**
 * A PostgreSQL database as of one exported snapshot: one moment by construction, whatever is written meanwhile. `capture` only
 * fixes the moment; the dump reads it later. Without fit client programs there is no dump, and the component says why.
 */
export function createPostgresSource(options: PostgresSourceOptions): Source {
  return {
    name: options.name,
    kind: 'postgres',
    describe: () => ({
      name: options.name,
      kind: 'postgres',
      online: true,
      consistent: 'always',
      restorableElsewhere: true,
      notes: [`One snapshot of the ${describePlace(options.connection)}.`],
    }),
    async capture(into, context) {
      // What lies in the point beside its streams: an empty folder.
      await rm(into, { recursive: true, force: true });
      await mkdir(into, { recursive: true, mode: 0o700 });
      return capture(options, context);
    },
  };
}

async function capture(
  options: PostgresSourceOptions,
  context: CaptureContext,
): Promise<CaptureResult | PendingCapture> {
  context.signal.throwIfAborted();
  const session = await connectPostgres(options.connection, { failsAs: 'backup/capture-failed' });
  try {
    const server = await readServer(session);
    const choice = await choosePrograms(options.children, ['pg_dump', 'pg_dumpall', 'psql'], server, {
      signal: context.signal,
      ...(options.folders ? { folders: options.folders } : {}),
    });
    if ('missing' in choice) {
      await session.close();
      return withoutDump(options, choice.missing);
    }
    const moment = await fixMoment(session);
    return pending(options, { session, server, programs: choice.programs, moment });
  } catch (err) {
    await session.close();
    throw asCaptureError(err, options);
  }
}

export type OpenMoment = {
  readonly session: PostgresSession;
  readonly server: ServerFacts;
  readonly programs: PostgresPrograms;
  readonly moment: FixedMoment;
};

function pending(options: PostgresSourceOptions, open: OpenMoment): PendingCapture {
  return {
    complete: async (context: CompleteContext) => {
      try {
        const workspace = options.workspace === undefined ? undefined : columnValueOf(options.workspace);
        const audited = options.auditWorkspace ?? options.workspace;
        return await dumpMoment(
          { ...options, workspace, ...(audited === undefined ? {} : { auditWorkspace: columnValueOf(audited) }) },
          open,
          context,
        );
      } catch (err) {
        context.signal.throwIfAborted();
        throw asCaptureError(err, options);
      }
    },
    release: () => open.session.close(),
  };
}

/** What went wrong with the database is a failed capture; the repository and the disk speak for themselves. */
function asCaptureError(err: unknown, options: PostgresSourceOptions): unknown {
  if (isAppError(err) && err.code !== 'child/failed') return err;
  return new AppError(
    'backup/capture-failed',
    `The ${describePlace(options.connection)} could not be read: ${describeError(err)}`,
    { cause: err },
  );
}

/** Nothing of the database is in the point, which says so and is `partial`. */
function withoutDump(options: PostgresSourceOptions, reason: string): CaptureResult {
  return {
    name: options.name,
    kind: 'postgres',
    entries: [],
    treeSha256: treeDigest([]),
    streams: [],
    files: 0,
    bytes: 0,
    renewedFiles: 0,
    skipped: [{ path: options.connection.database, reason, loss: true }],
    damaged: [],
    partial: true,
    notes: [`The database is not in this point: ${reason}`],
    proof: { grade: 'consistent', reasons: ['nothing was captured'] },
    restore: { by: 'by-hand', reason: `it was not captured: ${reason}` },
  };
}
