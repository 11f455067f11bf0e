import type { Snapshot, SnapshotEntry } from './repository.ts';
import { resticFailure } from './restic-errors.ts';
import { parseNodeLine, parseSnapshotLine } from './restic-output.ts';
import type { ResticOptions, ResticTool } from './restic-tool.ts';

export type Listing = { readonly snapshot: Snapshot; readonly entries: SnapshotEntry[] };

/**
 * A snapshot and all that is in it, from one start of restic.
 * @param id eight digits or more that mean one snapshot
 * @throws AppError `backup/unknown-point` when there is none
 */
export async function listSnapshot(
  tool: ResticTool,
  { location }: ResticOptions,
  id: string,
  call: { readonly signal?: AbortSignal | undefined; readonly operationId?: string | undefined },
): Promise<Listing> {
  let snapshot: Snapshot | undefined;
  const entries: SnapshotEntry[] = [];
  const onStdoutLine = (line: string): void => {
    const entry = parseNodeLine(line);
    if (entry) entries.push(entry);
    else snapshot ??= parseSnapshotLine(line);
  };
  const doing = 'listing a snapshot';
  const result = await tool.demand(doing, ['ls', '--json', '--no-lock', id], { ...call, onStdoutLine });
  // 0.14 passes over an unknown snapshot and ends with 0.
  if (!snapshot) throw resticFailure(result, doing, location);
  return { snapshot, entries };
}
