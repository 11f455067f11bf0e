import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FileWriter } from './file-writer.ts';
import { type Json, parsePythonJson, renderIndentedRows } from './python-json.ts';

/** One `kv_store_<namespace>.json`: read once when opened, kept in memory, rewritten completely. */
export type KvStore<Row> = {
  readonly namespace: string;
  readonly rows: Map<string, Row>;
  /** In memory and not yet on disk: what `update_status` tells. */
  isDirty(): boolean;
  set(key: string, row: Row): void;
  delete(key: string): boolean;
  /** Writes the file when something changed since the last time, or always when `force` is set. */
  flush(force?: boolean): Promise<void>;
  drop(): Promise<void>;
};

export function openKvStore<Row>(
  folder: string,
  namespace: string,
  writer: FileWriter,
  warn: (line: string) => void,
): KvStore<Row> {
  const path = join(folder, `kv_store_${namespace}.json`);
  const rows = readRows<Row>(path, warn);
  let dirty = false;
  const flush = async (force = false): Promise<void> => {
    if (!dirty && !force) return;
    await writer.write(path, namespace, () => {
      dirty = false;
      return renderIndentedRows(rows as unknown as Map<string, Json>); // rows came from JSON or are plain data by their types
    });
  };
  return {
    namespace,
    rows,
    isDirty: () => dirty,
    set(key, row) {
      rows.set(key, row);
      dirty = true;
    },
    delete(key) {
      const existed = rows.delete(key);
      dirty ||= existed;
      return existed;
    },
    flush,
    async drop() {
      rows.clear();
      await flush(true);
    },
  };
}

/** A zero-byte file counts as missing, with one warning: the real server starts on it and has silently lost the rows. */
function readRows<Row>(path: string, warn: (line: string) => void): Map<string, Row> {
  if (!existsSync(path)) return new Map();
  const text = readFileSync(path, 'utf8');
  if (text.trim() === '') {
    warn(`Empty JSON file treated as missing: ${path}`);
    return new Map();
  }
  const parsed = parsePythonJson(text);
  if (parsed === null || typeof parsed !== 'object' || Array.isArray(parsed))
    throw new Error(`${path} holds no JSON object`);
  return new Map(Object.entries(parsed as Record<string, Row>)); // the file's own rows, trusted as the real loader does
}
