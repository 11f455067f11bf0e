import type { Database, Tx } from '../platform/database/index.ts';
import type { MetricDefinition } from './metric-definition.ts';

type Tables = { metric_definition: { name: string; definition: string } };

/** What is known of the metrics that were recorded here, so that a restart does not forget it. */
export async function readDefinitions(db: Database): Promise<MetricDefinition[]> {
  const rows = await db.reader<Tables>().selectFrom('metric_definition').selectAll().orderBy('name').execute();
  return rows.map((row) => JSON.parse(row.definition) as MetricDefinition); // written by writeDefinition alone
}

export async function writeDefinition(tx: Tx, definition: MetricDefinition): Promise<void> {
  const text = JSON.stringify(definition);
  await tx
    .as<Tables>()
    .insertInto('metric_definition')
    .values({ name: definition.name, definition: text })
    .onConflict((oc) => oc.column('name').doUpdateSet({ definition: text }))
    .execute();
}
