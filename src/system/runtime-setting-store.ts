import type { ApiValues } from '../config/index.ts';
import type { Database, Tx } from '../platform/database/index.ts';

type RuntimeSettingRow = { key: string; value: string; changed_ms: number; changed_by: string };
type SystemTables = { runtime_setting: RuntimeSettingRow };

/** Key → value, as they were set over the API. */
export async function readRuntimeSettings(db: Database): Promise<ApiValues> {
  const rows = await db.reader<SystemTables>().selectFrom('runtime_setting').select(['key', 'value']).execute();
  return new Map(rows.map(({ key, value }) => [key, JSON.parse(value) as unknown]));
}

export async function writeRuntimeSetting(
  tx: Tx,
  setting: { key: string; value: unknown; changedMs: number; changedBy: string },
): Promise<void> {
  const { key, changedMs, changedBy } = setting;
  const row = { value: JSON.stringify(setting.value), changed_ms: changedMs, changed_by: changedBy };
  await tx
    .as<SystemTables>()
    .insertInto('runtime_setting')
    .values({ key, ...row })
    .onConflict((conflict) => conflict.column('key').doUpdateSet(row))
    .execute();
}

export async function deleteRuntimeSetting(tx: Tx, key: string): Promise<void> {
  await tx.as<SystemTables>().deleteFrom('runtime_setting').where('key', '=', key).execute();
}
