import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import {
  contentOf,
  field,
  type RunningWarden,
  removeFolder,
  startWarden,
  temporaryFolder,
  until,
} from '../warden-harness.ts';
import { whenFree } from './ground.ts';

export const wait = { prefer: 'wait=90' };
const noSchedule = { RAGWARDEN_BACKUP_AT_START: 'false' };

/** The event that says what was found half-done at the start, and what stands now. */
export const settledEvent = async (warden: RunningWarden): Promise<{ message: string; data: unknown }> => {
  const { body } = await warden.call('GET', '/api/v1/events?type=operation.settled&limit=1');
  return { message: String(field(body, 'items', 0, 'message')), data: field(body, 'items', 0, 'data') };
};
export const listPoints = async (warden: RunningWarden): Promise<unknown[]> => {
  const items = field((await warden.call('GET', '/api/v1/backup/points')).body, 'items');
  return Array.isArray(items) ? items : [];
};

export type Prepared = {
  /** A data folder with the sample and one point of it. */
  readonly dataDir: string;
  readonly pointId: string;
  /** The workspace as the point holds it. */
  readonly good: Record<string, string>;
};

export async function prepareOnePoint(): Promise<Prepared> {
  const dataDir = temporaryFolder('kill-template');
  const warden = await startWarden({ dataDir });
  await until('the first point', async () => ((await listPoints(warden)).length > 0 ? true : undefined));
  const pointId = String(field((await listPoints(warden))[0], 'backup_id'));
  await warden.stop();
  return { dataDir, pointId, good: contentOf(join(dataDir, 'sample', 'rag_storage')) };
}

/** On a copy of the prepared folder: `damage`, a life that kills itself at the boundary, and `after` in the life that follows. */
export async function killedAt(
  prepared: Prepared,
  options: {
    boundary: string;
    damage?(workspace: string): void;
    ask: [path: string, body: unknown];
    after(warden: RunningWarden, workspace: string): Promise<void>;
  },
): Promise<void> {
  const dataDir = temporaryFolder('kill');
  try {
    cpSync(prepared.dataDir, dataDir, { recursive: true, preserveTimestamps: true });
    const workspace = join(dataDir, 'sample', 'rag_storage');
    options.damage?.(workspace);
    const doomed = await startWarden({ dataDir, killAt: options.boundary, settings: noSchedule });
    // What the life before began after its point may go on in this one, for a moment.
    expect((await whenFree(() => doomed.call('POST', ...options.ask))).status).toBe(202);
    expect((await doomed.exited).signal).toBe('SIGKILL');
    const warden = await startWarden({ dataDir, settings: noSchedule });
    try {
      await options.after(warden, workspace);
    } finally {
      await warden.stop();
    }
  } finally {
    removeFolder(dataDir);
  }
}
