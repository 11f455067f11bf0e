import type { Place, PlaceCall } from './places/place.ts';
import type { Replica } from './replica.ts';
import type { ReplicationDeps } from './replication-deps.ts';

/** Only what the catalogue says was forgotten, and long enough ago. What is lost, or unknown here, stays there. */
export async function forgetOld(
  deps: ReplicationDeps,
  replica: Replica,
  place: Place,
  call: PlaceCall,
): Promise<string[]> {
  const { store, points, db, clock } = deps;
  const oldest = clock.now() - deps.settings().keepForgottenMs;
  const doomed: string[] = [];
  for (const { pointId } of await store.copies({ replicaId: replica.id })) {
    const point = await points.find(pointId);
    if (point && point.forgottenMs !== null && point.forgottenMs <= oldest) doomed.push(pointId);
  }
  if (doomed.length === 0) return [];
  await place.forget(doomed, call);
  await db.unit(async (tx) => {
    await store.deleteCopies(tx, replica.id, doomed);
    await store.changeState(tx, replica.id, { litteredMs: clock.now() });
  });
  return doomed;
}
