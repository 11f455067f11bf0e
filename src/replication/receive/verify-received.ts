import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { EventRecorder } from '../../events/index.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Database } from '../../platform/database/index.ts';
import { systemCode } from '../../platform/errors.ts';
import { createReadings, type Patience } from './readings.ts';
import type { Received, ReceivedStore } from './received-store.ts';
import { nameOfPoint } from './unfinished.ts';

export type Verification = {
  readonly read: number;
  readonly findings: readonly string[];
  /** False: more patience is needed, and the same call goes on. */
  readonly complete: boolean;
  /** Of what is not read to its end. */
  readonly readBytes: number;
};

/**
 * Reads a share of what a sender has here, or one point of it, against its digests; those first that were not read for longest.
 * Patience is for one point: of several the same call would choose the same again.
 */
export type VerifyReceived = (
  sender: string | undefined,
  percent: number,
  only?: { readonly graphId?: string | undefined; readonly pointId?: string | undefined },
  patience?: Patience,
) => Promise<Verification>;

/** What was received is read again from time to time; what is damaged is set aside, once, so that its sender brings it again. */
export function createVerification(deps: {
  readonly db: Database;
  readonly store: ReceivedStore;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly folder: string;
  readonly instance: string;
  inLine<T>(key: string, work: () => Promise<T>): Promise<T>;
  setApart(path: string, name: string): Promise<void>;
}): { readonly verify: VerifyReceived; forget(one: Received): void } {
  const { db, store, events, clock, folder, inLine, setApart } = deps;
  const readings = createReadings({ clock });
  /** Of what the first reading found damaged. */
  const secondReadings = createReadings({ clock });
  /** By file: when it was last read whole. */
  const lastRead = new Map<string, number>();

  /** Also what lies here under another name of this instance is read. Where nobody wrote down whose it is, it may be another's. */
  const liesHere = async ({ instance, file }: Received): Promise<boolean> =>
    instance === deps.instance || (await isThere(join(folder, file)));

  /** What is damaged is not listed any more, so that its sender brings it again; it is off the list before it is moved. */
  const dropDamaged = async (one: Received, found: string): Promise<void> => {
    await db.unit(async (tx) => {
      await store.delete(tx, one);
      await events.record(tx, {
        type: 'replication.received',
        severity: 'error',
        message: `${one.pointId} of ${one.graphId}, received from ${one.sender}, is damaged. It was set aside; its sender brings it again.`,
        data: { point: one.pointId, outcome: 'quarantined' },
      });
    });
    lastRead.delete(one.file);
    await setApart(join(folder, one.file), `${one.pointId}-${found.slice(0, 12)}`);
  };

  /**
   * Looks again where nothing else happens to it: it may have gone, or been sent again, while it was read.
   * @returns what is wrong; or how far it was read
   */
  const settleDamage = async (
    one: Received,
    patience: Patience,
  ): Promise<string | undefined | { readBytes: number }> => {
    const now = await store.find(one.sender, one.graphId, one.pointId);
    if (now?.dataHash !== one.dataHash || now.receivedMs !== one.receivedMs) return undefined;
    let found: string;
    try {
      const again = await secondReadings.digest(join(folder, one.file), patience);
      if (again.state === 'reading') return { readBytes: again.readBytes };
      found = again.digest;
    } catch (err) {
      patience.signal?.throwIfAborted();
      // What cannot be read now stays: the next look may be able to.
      if (systemCode(err) !== 'ENOENT') return `${one.pointId} of ${one.graphId} cannot be read`;
      found = 'nothing';
    }
    // A newer point of its sender lets it go without standing in this line.
    if (found === one.dataHash || !(await store.find(one.sender, one.graphId, one.pointId))) return undefined;
    await dropDamaged(one, found);
    return `${one.pointId} of ${one.graphId} has the digest ${found.slice(0, 12)} instead of ${one.dataHash.slice(0, 12)}`;
  };

  return {
    forget: ({ file }) => void lastRead.delete(file),
    async verify(sender, percent, only = {}, patience = {}) {
      const all: Received[] = [];
      for (const one of await store.list(sender))
        if (
          (only.graphId === undefined || one.graphId === only.graphId) &&
          (only.pointId === undefined || one.pointId === only.pointId) &&
          (await liesHere(one))
        )
          all.push(one);
      all.sort((one, other) => (lastRead.get(one.file) ?? 0) - (lastRead.get(other.file) ?? 0));
      const chosen = all.slice(0, Math.ceil((all.length * percent) / 100));
      const waits = only.graphId === undefined || only.pointId === undefined ? { signal: patience.signal } : patience;
      const findings: string[] = [];
      for (const one of chosen) {
        const path = join(folder, one.file);
        const reading = await readings.digest(path, waits).catch(() => undefined);
        waits.signal?.throwIfAborted();
        if (reading?.state === 'reading') return { read: 0, findings, complete: false, readBytes: reading.readBytes };
        const sound = reading?.digest === one.dataHash;
        const wrong = sound ? undefined : await inLine(nameOfPoint(one), () => settleDamage(one, waits));
        if (typeof wrong === 'object') {
          const readBytes = (reading?.readBytes ?? 0) + wrong.readBytes;
          return { read: 0, findings, complete: false, readBytes };
        }
        for (const list of [readings, secondReadings]) list.forget(path);
        if (wrong === undefined) lastRead.set(one.file, clock.now());
        else findings.push(wrong);
      }
      return { read: chosen.length, findings, complete: true, readBytes: 0 };
    },
  };
}

export const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
