import { z } from 'zod';
import type { Database, Tx } from '../../platform/database/index.ts';
import type { Finding } from './finding.ts';
import type { Floor } from './growth.ts';
import { type MeasureName, measureNames } from './measure.ts';

type SeriesRow = {
  instance: string;
  subject: string;
  measure: string;
  updated_ms: number;
  floors: string;
  finding: string | null;
};
type ObservedTables = { resource_observed: SeriesRow };

export type KeptSeries = {
  readonly subject: string;
  readonly measure: MeasureName;
  readonly updatedMs: number;
  readonly floors: readonly Floor[];
  readonly finding: Finding | undefined;
};

/** Pairs of numbers instead of objects: three days of one series are some 8 KB. */
const floorsSchema = z.array(z.tuple([z.number(), z.number(), z.number()]));
const findingSchema = z.object({
  level: z.enum(['suspected', 'confirmed']),
  suspectedAtMs: z.number(),
  confirmedAtMs: z.number().nullable(),
  calm: z.number(),
  assessment: z.looseObject({ level: z.string(), perHour: z.number(), grown: z.number(), hours: z.number() }),
});

/** What was observed on this instance: floors and what they showed, one row per series. */
export type ObservedStore = {
  read(instance: string): Promise<readonly KeptSeries[]>;
  write(tx: Tx, instance: string, series: readonly KeptSeries[]): Promise<void>;
  /** Series that nobody looked at since. */
  forget(tx: Tx, instance: string, beforeMs: number): Promise<void>;
};

export function createObservedStore(db: Database): ObservedStore {
  return {
    async read(instance) {
      const rows = await db
        .reader<ObservedTables>()
        .selectFrom('resource_observed')
        .selectAll()
        .where('instance', '=', instance)
        .execute();
      return rows.flatMap((row) => {
        const measure = measureNames.find((name) => name === row.measure);
        const floors = floorsSchema.safeParse(JSON.parse(row.floors));
        if (measure === undefined || !floors.success) return [];
        const finding = row.finding === null ? undefined : findingSchema.safeParse(JSON.parse(row.finding)).data;
        return [
          {
            ...{ subject: row.subject, measure, updatedMs: Number(row.updated_ms) },
            floors: floors.data.map(([atMs, upSeconds, value]) => ({ atMs, upSeconds, value })),
            finding: finding as Finding | undefined, // written below
          },
        ];
      });
    },
    async write(tx, instance, series) {
      for (const { subject, measure, updatedMs, floors, finding } of series) {
        const values = {
          updated_ms: updatedMs,
          floors: JSON.stringify(floors.map(({ atMs, upSeconds, value }) => [atMs, Math.round(upSeconds), value])),
          finding: finding === undefined ? null : JSON.stringify(finding),
        };
        await tx
          .as<ObservedTables>()
          .insertInto('resource_observed')
          .values({ instance, subject, measure, ...values })
          .onConflict((on) => on.columns(['instance', 'subject', 'measure']).doUpdateSet(values))
          .execute();
      }
    },
    async forget(tx, instance, beforeMs) {
      await tx
        .as<ObservedTables>()
        .deleteFrom('resource_observed')
        .where('instance', '=', instance)
        .where('updated_ms', '<', beforeMs)
        .execute();
    },
  };
}
