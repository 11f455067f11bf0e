import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RecoveryPoint, Repository } from '../../backup/index.ts';
import type { EventRecorder } from '../../events/index.ts';
import type { Operation, OperationContext, Operations, SettledOutcome } from '../../operations/index.ts';
import type { ChildProcesses } from '../../platform/child-processes/index.ts';
import { type Clock, isoInstantOrNull } from '../../platform/clock.ts';
import type { Database } from '../../platform/database/index.ts';
import { AppError } from '../../platform/errors.ts';
import type { Leases } from '../../platform/leases.ts';
import { ownRepository, releaseOfDead, type Started, startHeld } from '../held-work.ts';
import { requireOpen, requireRoomFor, unpackFolder } from '../places/packed-point.ts';
import type { Received } from './received-store.ts';
import { digestOf, type Receiver } from './receiver.ts';
import { newestFirstBy } from './room.ts';

export const adoptKind = 'replication.adopt';

export type AdoptRequest = Started & {
  /** Of the sender's repository; it is in the recovery kit. */
  readonly password: string;
  /** Undefined: the newest there is. */
  readonly pointId?: string | undefined;
  readonly graphId?: string | undefined;
  readonly sender?: string | undefined;
};

export type AdoptResult = {
  readonly backup_id: string;
  readonly graph_id: string;
  readonly sender: string;
  readonly taken_at: string | null;
  /** It was a point of ours already. */
  readonly already_there: boolean;
  /** Whether a target of this id is watched here, so that it can be restored as any other point. */
  readonly restorable: boolean;
  readonly next: string;
};

export type Adoption = {
  /**
   * Begins to make a received point one of ours: its file is held against its digest, opened with the password of its sender, and
   * copied into our repository and catalogue.
   * @throws AppError `backup/unknown-point`, `conflict/state` when it is not clear which one is meant
   */
  start(request: AdoptRequest): Promise<Operation>;
  readonly settler: (operation: Operation) => Promise<SettledOutcome>;
};

/** The source may be gone for good: nothing of this asks it. */
export function createAdoption(deps: {
  readonly receiver: Pick<Receiver, 'list' | 'pathOf'>;
  readonly db: Database;
  readonly events: EventRecorder;
  readonly operations: Operations;
  readonly leases: Leases;
  readonly clock: Clock;
  readonly children: ChildProcesses;
  readonly scratchDir: string;
  readonly targetIds: readonly string[];
  repositoryAt(folder: string, passwordFile: string): Repository;
  takeIn(
    request: { readonly from: Repository; readonly pointId: string; readonly requestedBy: string },
    context: OperationContext,
  ): Promise<{ readonly point: RecoveryPoint; readonly wasThere: boolean }>;
  /** Named boundaries of the work, so that tests can end the process at each of them. */
  step(name: string): Promise<void>;
}): Adoption {
  const { receiver, db, events, children } = deps;

  const adopt = async (one: Received, request: AdoptRequest, context: OperationContext): Promise<AdoptResult> => {
    const scratch = join(deps.scratchDir, context.id);
    await mkdir(scratch, { recursive: true, mode: 0o700 });
    try {
      await context.phase('reading');
      await requireRoomFor(scratch, one.bytes);
      const file = receiver.pathOf(one);
      const found = await digestOf(file, context.signal);
      if (found !== one.dataHash)
        throw new AppError(
          'replication/digest-mismatch',
          `${one.pointId} has the digest ${found.slice(0, 12)} here instead of ${one.dataHash.slice(0, 12)}. Take an older one.`,
        );
      await context.phase('unpacking');
      const folder = join(scratch, 'repository');
      const passwordFile = join(scratch, 'password');
      await writeFile(passwordFile, `${request.password}\n`, { mode: 0o600 });
      await unpackFolder(children, { folder, file }, context.signal);
      const from = deps.repositoryAt(folder, passwordFile);
      await requireOpen(from, `what ${one.sender} sent as ${one.pointId}`, { signal: context.signal });
      await deps.step('adopt:unpacked');
      await context.phase('copying');
      const { pointId } = one;
      const { point, wasThere } = await deps.takeIn({ from, pointId, requestedBy: request.requestedBy }, context);
      await deps.step('adopt:copied');
      const restorable = deps.targetIds.includes(point.targetId);
      const next = restorable
        ? `ragwarden backup restore ${pointId}`
        : `No target ${point.targetId} is watched here: name one so, or stop ragwarden and bring it back with \`ragwarden recover --point ${pointId}\`.`;
      await db.unit(async (tx) => {
        await events.record(tx, {
          type: 'replication.adopted',
          severity: 'warning',
          targetId: point.targetId,
          operationId: context.id,
          message: `${pointId}, which ${one.sender} sent, is a recovery point of this installation now.`,
          data: { point: pointId, sender: one.sender, already_there: wasThere },
        });
        await events.audit(tx, {
          actor: request.requestedBy,
          action: adoptKind,
          object: pointId,
          outcome: 'done',
          data: { sender: one.sender },
        });
      });
      return {
        ...{ backup_id: pointId, graph_id: one.graphId, sender: one.sender, taken_at: isoInstantOrNull(one.takenMs) },
        ...{ already_there: wasThere, restorable, next },
      };
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  };

  return {
    async start(request) {
      const one = chooseReceived(await receiver.list(request.sender), request, deps.clock.now());
      return startHeld(deps, {
        kind: adoptKind,
        holds: [ownRepository],
        input: { pointId: one.pointId, graphId: one.graphId, sender: one.sender },
        requestedBy: request.requestedBy,
        idempotency: request.idempotency,
        run: (context) => adopt(one, request, context),
      });
    },
    async settler({ id, instance }) {
      await releaseOfDead(deps.leases, [ownRepository.lease], instance);
      // The password lies there as well.
      await rm(join(deps.scratchDir, id), { recursive: true, force: true });
      return { message: 'Taking a received point over ended with the process. The same again goes on.' };
    },
  };
}

/**
 * The one that is named, or the newest.
 * @throws AppError `backup/unknown-point`, `conflict/state` where several senders or graphs are meant
 */
export function chooseReceived(
  received: readonly Received[],
  { pointId, graphId, sender }: Pick<AdoptRequest, 'pointId' | 'graphId' | 'sender'>,
  nowMs: number,
): Received {
  const meant = received.filter(
    (one) =>
      (pointId === undefined || one.pointId === pointId) &&
      (graphId === undefined || one.graphId === graphId) &&
      (sender === undefined || one.sender === sender),
  );
  const [newest] = [...meant].sort(newestFirstBy(nowMs));
  if (!newest)
    throw new AppError(
      'backup/unknown-point',
      pointId === undefined
        ? 'No such point was received here. `ragwarden replicate received` lists what was.'
        : `${pointId} was not received here. \`ragwarden replicate received\` lists what was.`,
    );
  const groups = [...new Set(meant.map((one) => `${one.graphId} from ${one.sender}`))];
  if (groups.length > 1)
    throw new AppError(
      'conflict/state',
      `Points of ${groups.join(', ')} were received here. Name the graph or the sender.`,
    );
  return newest;
}
