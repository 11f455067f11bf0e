import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { silentLogger } from '../../platform/logging.ts';
import type { ManifestComponent } from '../manifest.ts';
import { type Captured, never } from '../sources/test-capture.ts';
import type { RestorerContext, RestorerRequest, RestoreScope } from './restorer.ts';

const componentOf = ({ result }: Captured): ManifestComponent => ({
  name: result.name,
  kind: result.kind,
  entries_file: 'entries/redis.jsonl',
  entries_sha256: '',
  tree_sha256: result.treeSha256,
  files: 0,
  bytes: result.bytes,
  partial: false,
  proof: { grade: result.proof.grade, reasons: [...result.proof.reasons] },
  skipped: [],
  damaged: [],
  notes: [],
  // Through JSON, as a manifest is.
  restore: JSON.parse(JSON.stringify(result.restore)),
});

export const requestOf = (captured: Captured, scope: RestoreScope = {}, operationId = 'op_1'): RestorerRequest => ({
  pointId: 'backup_20261129_093000_x7k2',
  operationId,
  component: componentOf(captured),
  scope,
  takenMs: Date.parse('2026-11-29T09:30:00Z'),
});

export const killed = new Error('killed here');

let scratches = 0;

/** @param at ends the process, as far as the restorer can tell, at the nth time that it comes to this step */
export function contextOf(folder: string, { streams }: Pick<Captured, 'streams'>, at?: { step: string; time: number }) {
  scratches += 1;
  const scratchDir = join(folder, `scratch-${scratches}`);
  const steps: string[] = [];
  const context: RestorerContext = {
    signal: never,
    log: silentLogger,
    scratchDir,
    async step(name) {
      steps.push(name);
      if (at && name === at.step && steps.filter((one) => one === name).length === at.time) throw killed;
    },
    pipeStream: () => Promise.reject(new Error('not used')),
    async fetchStream(name, file) {
      writeFileSync(file, streams.get(name) ?? '');
    },
  };
  return { context, steps };
}

export async function inScratch<T>({ scratchDir }: RestorerContext, work: () => Promise<T>): Promise<T> {
  mkdirSync(scratchDir, { recursive: true });
  try {
    return await work();
  } finally {
    rmSync(scratchDir, { recursive: true, force: true });
  }
}
