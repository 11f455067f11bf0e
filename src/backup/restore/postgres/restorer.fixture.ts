import { copyFileSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ChildProcesses } from '../../../platform/child-processes/index.ts';
import { silentLogger } from '../../../platform/logging.ts';
import type { ManifestComponent } from '../../manifest.ts';
import type { PostgresConnection } from '../../postgres/connection.ts';
import { createPostgresSource, type PostgresSourceOptions } from '../../sources/postgres/postgres-source.ts';
import { captureWhole, contextInto } from '../../sources/postgres/stored-streams.fixture.ts';
import type { RestorerContext, RestorerRequest, RestoreScope } from '../restorer.ts';

/** Test support: a point of one database, its streams as files of a folder. */
export type FixturePoint = {
  readonly component: ManifestComponent;
  readonly takenMs: number;
  request(operation: string, scope?: RestoreScope): RestorerRequest;
  /** @param failAt the step at which this life of the process ends */
  context(failAt?: string): RestorerContext & { readonly steps: string[] };
};

export async function takeFixturePoint(
  folder: string,
  children: ChildProcesses,
  connection: PostgresConnection,
  more: Partial<PostgresSourceOptions> = {},
): Promise<FixturePoint> {
  const into = mkdtempSync(join(folder, 'point-'));
  const source = createPostgresSource({ name: 'database', connection, children, dump: 'database', ...more });
  const captured = await captureWhole(source, { ...contextInto(into, children), auditDir: join(into, 'audit') });
  const takenMs = Date.now();
  if (captured.restore.by !== 'restorer') throw new Error(captured.notes.join('; '));
  const component: ManifestComponent = {
    name: 'database',
    kind: 'postgres',
    entries_file: 'entries/database.jsonl',
    entries_sha256: '',
    tree_sha256: captured.treeSha256,
    files: 0,
    bytes: captured.bytes,
    partial: false,
    proof: { grade: 'consistent', reasons: [] },
    skipped: [],
    damaged: [],
    notes: [],
    restore: JSON.parse(JSON.stringify(captured.restore)),
  };
  return {
    component,
    takenMs,
    request: (operationId, scope = {}) => ({ pointId: 'backup_x', operationId, component, scope, takenMs }),
    context(failAt) {
      const scratchDir = mkdtempSync(join(folder, 'scratch-'));
      const steps: string[] = [];
      return {
        signal: new AbortController().signal,
        log: silentLogger,
        scratchDir,
        steps,
        async step(name) {
          steps.push(name);
          if (name === failAt) throw new Error(`killed at ${name}`);
        },
        async fetchStream(name, file) {
          mkdirSync(join(file, '..'), { recursive: true });
          copyFileSync(join(into, name), file);
        },
        async pipeStream(name, consumer) {
          const [program, ...args] = consumer.command;
          const { stdout, stderr } = await children.run({
            program,
            args,
            env: consumer.environment,
            purpose: 'consumer',
            input: readFileSync(join(into, name)),
          });
          return { stdout, stderr };
        },
      };
    },
  };
}
