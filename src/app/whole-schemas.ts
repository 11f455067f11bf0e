import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { metricsMigrations, stateMigrations } from '../migrations/index.ts';
import {
  type MigrationList,
  migrate,
  openSqlite,
  readWholeSchema,
  type WholeSchema,
} from '../platform/database/index.ts';
import { silentLogger } from '../platform/logging.ts';
import { productRoot } from '../platform/product-version.ts';

const schema = z.object({ steps: z.array(z.string()), script: z.string() });
const schemas = z.object({ state: schema, metrics: schema });
type WholeSchemas = Readonly<Record<'state' | 'metrics', WholeSchema>>;

/** Carries every step out on files of its own. For the build, which keeps what comes out: an empty file needs no steps then. */
export async function makeWholeSchemas(): Promise<WholeSchemas> {
  return { state: await makeWhole(stateMigrations), metrics: await makeWhole(metricsMigrations) };
}

async function makeWhole(steps: MigrationList): Promise<WholeSchema> {
  const folder = mkdtempSync(join(tmpdir(), 'ragwarden-schema-'));
  try {
    const path = join(folder, 'whole.sqlite');
    const db = openSqlite({ name: 'whole', path, synchronous: 'NORMAL', log: silentLogger });
    await migrate(db, steps);
    await db.close();
    return readWholeSchema(path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What the build kept. A run from the sources has none: they may be newer. */
export function findWholeSchemas(): WholeSchemas | undefined {
  if (import.meta.filename.endsWith('.ts')) return undefined;
  try {
    return schemas.parse(JSON.parse(readFileSync(join(productRoot(), 'dist', 'schemas.json'), 'utf8')));
  } catch {
    // Without it the steps are carried out one after the other, which takes longer and comes to the same.
    return undefined;
  }
}
