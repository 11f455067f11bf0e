import { expect, test } from 'vitest';
import { createEventLog } from '../../events/index.ts';
import { createMetricRegistry } from '../../metrics/index.ts';
import { openTestState } from '../../migrations/test-state.ts';
import { createFakeClock } from '../../platform/fake-clock.ts';
import { silentLogger } from '../../platform/logging.ts';
import type { LightragDocuments } from '../lightrag/lightrag-documents.ts';
import type { Observation } from '../observation.ts';
import type { BackendDocument } from './document.ts';
import { createDocumentStore } from './document-store.ts';
import { createDocumentWatch } from './document-watch.ts';
import { createIngestMetrics } from './ingest-metrics.ts';

test('whatever ends after the moment from which it counts is counted, also while the first look is under way', async () => {
  const state = await openTestState();
  try {
    const clock = createFakeClock();
    const known = new Map<string, BackendDocument>();
    const put = (id: string, status: string): void => {
      known.set(id, {
        ...{ id, status, filePath: `${id}.txt`, trackId: null, createdMs: 0, updatedMs: clock.now() },
        ...{ error: null, isDuplicate: false },
      });
    };
    for (const id of ['early', 'late']) put(id, 'processing');
    let answers = 0;
    const documents = {
      // Each answer takes half a second, and one document ends before the last of the first look.
      async newest(_page: number, statuses: readonly string[]) {
        answers += 1;
        await clock.advance(500);
        if (answers === 2) put('early', 'processed');
        const found = [...known.values()].filter(({ status }) => statuses.length === 0 || statuses.includes(status));
        return { documents: found.sort((one, other) => other.updatedMs - one.updatedMs), more: false };
      },
    } as unknown as LightragDocuments;
    const { db } = state;
    const watch = createDocumentWatch({
      ...{ place: { targetId: 'default', workspace: '' }, documents, db, clock, log: silentLogger },
      ...{ store: createDocumentStore(db), metrics: createIngestMetrics(createMetricRegistry({ clock })) },
      events: createEventLog({ db, clock, instance: 'test' }),
      stuck: () => undefined,
      limits: () => ({ most: 10, longestMs: 60_000 }),
    });
    // Of an observation, what decides whether documents are looked at.
    watch.noteObservation({
      reachable: true,
      kind: 'lightrag',
      documents: { processing: 2 },
    } as unknown as Observation);
    await watch.look();
    await clock.advance(1);
    put('late', 'processed');
    await watch.look();
    const { countedSinceMs, ended } = watch.report();
    const endedSince = [...known.values()].filter(({ updatedMs }) => updatedMs >= Number(countedSinceMs));
    expect(endedSince.map(({ id }) => id)).toEqual(['late']);
    expect(ended.reduce((sum, one) => sum + one.documents, 0)).toBe(endedSince.length);
    expect(await createDocumentStore(db).read({ targetId: 'default', workspace: '' })).toMatchObject({
      sinceMs: countedSinceMs,
    });
  } finally {
    await state.remove();
  }
});
