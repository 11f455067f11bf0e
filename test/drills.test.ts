import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  failureOf,
  type OpenWarden,
  openWarden,
  prepareDataFolder,
  sampleOf,
  takeGood,
  wait,
  writeLargeStore,
} from './faults/ground.ts';
import { hasPart } from './setup/parts.ts';
import { field, removeFolder, until } from './warden-harness.ts';

describe.skipIf(!hasPart('restic'))('drills', () => {
  let dataDir: string;
  let warden: OpenWarden;
  let pointId: string;
  let step: (name: string) => void | Promise<void> = () => {};

  const drill = async (body: object = {}): Promise<unknown> =>
    (await warden.call('POST', '/api/v1/recovery/drills', body, wait)).body;
  const read = async (path: string): Promise<unknown> => (await warden.call('GET', path)).body;
  const evidenceOf = (operation: unknown): Promise<unknown> =>
    read(`/api/v1/recovery/drills/${field(operation, 'id')}/evidence`);
  const scratch = (): string[] => (existsSync(join(dataDir, 'drills')) ? readdirSync(join(dataDir, 'drills')) : []);
  const sealOf = (evidence: unknown): string => {
    const { sha256: _, ...rest } = evidence as Record<string, unknown>;
    return createHash('sha256').update(JSON.stringify(rest)).digest('hex');
  };

  beforeAll(async () => {
    dataDir = await prepareDataFolder('drills');
    writeLargeStore(sampleOf(dataDir).workspace);
    warden = await openWarden(dataDir, {
      settings: { RAGWARDEN_DRILL_MIN_FREE: '1000000' },
      step: (name) => step(name),
    });
    pointId = await takeGood(warden);
  });
  afterAll(async () => {
    await warden?.stop();
    removeFolder(dataDir);
  });

  test('a point is restored beside everything, every digest and count compared, and the evidence is sealed', async () => {
    const operation = await drill();
    expect(field(operation, 'error')).toBeNull();
    expect(field(operation, 'result')).toMatchObject({ backup_id: pointId, verdict: 'passed', reasons: [] });
    expect(scratch()).toEqual([]);
    const shown = await read(`/api/v1/recovery/drills/${field(operation, 'id')}`);
    expect(shown).toMatchObject({ verdict: 'passed', choice: 'newest', kind: 'restore' });
    const names = (field(shown, 'phases') as { name: string; times_in_restore: number }[]).map(
      (one) => `${one.name} ${one.times_in_restore}`,
    );
    expect(names).toEqual(expect.arrayContaining(['open 1', 'fetch 1', 'fold 1', 'check 2', 'inspect 0']));
    const evidence = await evidenceOf(operation);
    expect(field(evidence, 'sha256')).toBe(sealOf(evidence));
    const [workspace] = (field(evidence, 'components') as unknown[]).filter(
      (one) => field(one, 'name') === 'workspace',
    );
    expect(Object.keys(field(workspace, 'counts') as object).length).toBeGreaterThan(3);
    expect(field(workspace, 'counts')).toEqual(field(workspace, 'expected_counts'));
    expect(Number(field(evidence, 'rto', 'measured_seconds'))).toBeGreaterThan(0);
    const trail = await read('/api/v1/audit?action=recovery.drill');
    expect(field(field(trail, 'items') as unknown, '0', 'data', 'evidence_sha256')).toBe(field(evidence, 'sha256'));
  });

  test('evidence is chained to the drill before and to the audit trail', async () => {
    const before = (await read('/api/v1/recovery/drills?limit=1')) as { items: { evidence_sha256: string }[] };
    const evidence = await evidenceOf(await drill({ choice: 'risk' }));
    expect(field(evidence, 'previous', 'sha256')).toBe(before.items[0]?.evidence_sha256);
    expect(Number(field(evidence, 'audit', 'seq'))).toBeGreaterThan(0);
  });

  test('a point can be taken while a drill of its target runs, and a second drill cannot begin', async () => {
    let during: { taken: unknown; second: unknown } | undefined;
    step = async (name) => {
      if (name !== 'drill:fetched' || during) return;
      during = { taken: undefined, second: undefined };
      during.second = (await warden.call('POST', '/api/v1/recovery/drills', {})).body;
      during.taken = await warden.take();
    };
    const operation = await drill({ backup_id: pointId });
    step = () => {};
    expect(field(operation, 'result', 'verdict')).toBe('passed');
    expect(field(during?.taken, 'state')).toBe('succeeded');
    expect(field(during?.second, 'code')).toBe('operation/busy');
  });

  test('a byte that changed on the way fails the drill, with the file named, an event and a degraded check', async () => {
    step = (name) => {
      if (name !== 'drill:folded') return;
      const [folder] = scratch();
      const file = join(dataDir, 'drills', folder ?? '', 'point/components/workspace/kv_store_text_chunks.json');
      const bytes = readFileSync(file);
      bytes[100] = (bytes[100] ?? 0) ^ 1;
      rmSync(file);
      writeFileSync(file, bytes);
    };
    const operation = await drill({ backup_id: pointId });
    step = () => {};
    expect(field(operation, 'state')).toBe('partial');
    expect(field(operation, 'result', 'verdict')).toBe('failed');
    expect(field(operation, 'result', 'reasons')).toEqual([
      expect.stringContaining('workspace: "kv_store_text_chunks.json"'),
    ]);
    const [event] = await warden.events('recovery.drill-ended');
    expect(event).toMatchObject({ severity: 'error', data: { verdict: 'failed' } });
    expect(scratch()).toEqual([]);
    // The reconciler looks every half minute; a failure is known as soon as it has looked.
    const health = await until(
      'the check to be degraded',
      async () => {
        const checks = field(await read('/health'), 'checks');
        const found = (Array.isArray(checks) ? checks : []).find((one) =>
          String(field(one, 'name')).startsWith('drill '),
        );
        return field(found, 'status') === 'degraded' ? found : undefined;
      },
      40_000,
    );
    expect(field(health, 'message')).toContain('The last drill failed');
  });

  test('a chaos drill passes because every damage it planted was seen, and the repository was only read', async () => {
    const before = readdirSync(join(dataDir, 'repository', 'data'), { recursive: true }).sort();
    const operation = await drill({ kind: 'chaos', backup_id: pointId });
    expect(field(operation, 'result')).toMatchObject({ verdict: 'passed', reasons: [], rto_seconds: null });
    const evidence = await evidenceOf(operation);
    const damages = field(evidence, 'damages') as { what: string; detected: boolean; by: string }[];
    expect(damages.every((one) => one.detected && one.by !== null)).toBe(true);
    expect([...new Set(damages.map((one) => one.what))].sort()).toEqual([
      'a changed list of entries',
      'a file that was never captured',
      'a file without its last byte',
      'a flipped byte',
      'a flipped byte in a pack of a repository',
      'a missing pack of a repository',
      'a removed file',
      'damaged stores',
    ]);
    expect(readdirSync(join(dataDir, 'repository', 'data'), { recursive: true }).sort()).toEqual(before);
    expect(scratch()).toEqual([]);
  });

  test('a drill that is cancelled leaves nothing and is no success', async () => {
    step = async (name) => {
      if (name !== 'drill:fetched') return;
      const running = field(await read('/api/v1/operations?state=running&kind=recovery.drill'), 'items', '0', 'id');
      await warden.call('POST', `/api/v1/operations/${running}/cancel`);
    };
    const operation = await drill({ backup_id: pointId });
    step = () => {};
    expect(field(operation, 'state')).toBe('cancelled');
    expect(await read(`/api/v1/recovery/drills/${field(operation, 'id')}`)).toMatchObject({ verdict: 'error' });
    expect(scratch()).toEqual([]);
    expect(failureOf(await evidenceOf(operation))).toContain('conflict/state');
  });

  test('objectives say what is measured, how much is used, and how restores got slower', async () => {
    const answer = await read('/api/v1/recovery/objectives');
    const [one] = field(answer, 'items') as unknown[];
    expect(one).toMatchObject({
      rpo: { met: true, objective_seconds: 90_000 },
      rto: { met: true, objective_seconds: 300 },
      drill: { frequency_seconds: 604_800, overdue_since: null },
    });
    expect((field(one, 'rto', 'trend') as unknown[]).length).toBeGreaterThanOrEqual(3);
    expect(failureOf(await read('/api/v1/recovery/objectives?target=nobody'))).toContain('target/unknown');
    expect(failureOf(await read('/api/v1/recovery/drills/op_nobody'))).toContain('recovery/unknown-drill');
    const { text } = await warden.call('GET', '/metrics');
    expect(text).toMatch(/ragwarden_drills_total\{.*kind="restore".*verdict="failed"\} 1/);
    expect(text).toMatch(/ragwarden_drill_duration_seconds\{.*phase="fetch"\}/);
  });
});
