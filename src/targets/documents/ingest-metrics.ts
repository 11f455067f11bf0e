import type { MetricRegistry } from '../../metrics/index.ts';
import type { BackendDocument } from './document.ts';
import type { DocumentPlace, DocumentTotal } from './document-store.ts';
import type { DocumentReport } from './document-watch.ts';
import type { InsertEnd } from './insert-following.ts';

/** Seconds: a short note on a fast model, to a book on a slow one. */
const buckets = [1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 14_400];

export type IngestMetrics = {
  setTotals(place: DocumentPlace, totals: readonly DocumentTotal[]): void;
  documentEnded(place: DocumentPlace, document: BackendDocument): void;
  insertEnded(place: DocumentPlace, end: InsertEnd): void;
  insertNotFollowed(place: DocumentPlace): void;
  /** Levels are looked up when somebody asks; what is not known is absent. */
  watch(report: () => DocumentReport): void;
};

/** What becomes of documents, as the backend itself tells; whoever brought them in, and on which way. */
export function createIngestMetrics(registry: MetricRegistry): IngestMetrics {
  const labels = ['target', 'workspace'] as const;
  const ended = registry.counter({
    name: 'ragwarden_documents_ended_total',
    help: 'Documents that were processed or failed, since ragwarden first saw this workspace. A retry ends once more.',
    labels: [...labels, 'outcome', 'cause'],
  });
  const latency = registry.histogram({
    name: 'ragwarden_document_latency_seconds',
    help: 'Time from the acceptance of a document until it was processed, by the clock of the backend.',
    unit: 'seconds',
    labels,
    buckets,
  });
  const inserts = registry.counter({
    name: 'ragwarden_inserts_ended_total',
    help: 'Inserts that were followed to the end of all their documents.',
    labels: [...labels, 'outcome'],
  });
  const duration = registry.histogram({
    name: 'ragwarden_insert_duration_seconds',
    help: 'Time from the acceptance of an insert to the end of its last document, by the clock of the backend.',
    unit: 'seconds',
    labels: [...labels, 'outcome'],
    buckets,
  });
  const notFollowed = registry.counter({
    name: 'ragwarden_inserts_not_followed_total',
    help: 'Accepted inserts that were not followed, since as many as allowed were followed already.',
    labels,
  });
  const gauge = (name: string, help: string) => registry.gauge({ name: `ragwarden_${name}`, help, labels });
  const followed = gauge('inserts_followed', 'Accepted inserts whose documents have not all ended.');
  const inFlight = gauge('documents_in_flight', 'Documents that are neither processed nor failed.');
  const stuck = gauge('documents_stuck', 'Documents that are unfinished and do not go on by themselves.');
  const stands = gauge('pipeline_standstill', '1 while unfinished work of the backend stands still, else 0.');
  const reports: (() => DocumentReport)[] = [];
  registry.collector({
    name: 'documents',
    sets: [followed, inFlight, stuck, stands],
    collect() {
      for (const read of reports) {
        const report = read();
        const place = of(report);
        followed.labels(...place).set(report.insertsFollowed);
        if (report.inFlight === null) continue;
        inFlight.labels(...place).set(report.inFlight);
        stuck.labels(...place).set(report.stuck?.documents ?? 0);
        stands.labels(...place).set(report.stuck === null ? 0 : 1);
      }
    },
  });
  const of = ({ targetId, workspace }: DocumentPlace) => [targetId, workspace] as const;

  return {
    setTotals(place, totals) {
      for (const { outcome, cause, documents } of totals)
        ended.labels(...of(place), outcome, cause ?? '').mirror(documents);
    },
    documentEnded(place, document) {
      if (document.status === 'processed')
        latency.labels(...of(place)).observe(Math.max(0, document.updatedMs - document.createdMs) / 1_000);
    },
    insertEnded(place, { outcome, durationMs }) {
      inserts.labels(...of(place), outcome).inc();
      if (durationMs !== null) duration.labels(...of(place), outcome).observe(Math.max(0, durationMs) / 1_000);
    },
    insertNotFollowed: (place) => notFollowed.labels(...of(place)).inc(),
    watch: (report) => reports.push(report),
  };
}
