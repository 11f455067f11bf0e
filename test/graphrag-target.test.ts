import { appendFileSync, cpSync, existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addUpdate, beginRun, copyProject, failRun } from '../src/targets/graphrag/project.fixture.ts';
import { type OpenWarden, openWarden, prepareRepository, takeGood, wait } from './faults/ground.ts';
import { hasPart } from './setup/parts.ts';
import { contentOf, field, removeFolder, temporaryFolder, until } from './warden-harness.ts';

/** A recorded GraphRAG project, which no server serves: watched, captured, damaged, restored, rehearsed. */
describe.skipIf(!hasPart('restic'))('a GraphRAG project', () => {
  let dataDir: string;
  let project: string;
  let warden: OpenWarden;
  const target = '/api/v1/targets/default';
  beforeAll(async () => {
    dataDir = temporaryFolder('graphrag');
    project = copyProject(join(dataDir, 'project'));
    await prepareRepository(join(dataDir, 'repository'), join(dataDir, 'repository-password'));
    warden = await openWarden(dataDir, {
      command: 'serve',
      settings: { WORKING_DIR: project, RAGWARDEN_BACKUP_IDLE_WAIT: '0' },
    });
  });
  afterAll(async () => {
    await warden?.stop();
    removeFolder(dataDir);
  });

  const look = async () => (await warden.call('POST', `${target}/probe`)).body;
  /** As health reads it; nothing is looked at for it. */
  const checkOf = async (name: string): Promise<unknown> => {
    const { body } = await warden.call('GET', '/api/v1/health-dashboard/status');
    return (field(body, 'checks') as { name: string }[]).find((one) => one.name === name);
  };
  const inspect = async () => field((await warden.call('POST', `${target}/inspect`, undefined, wait)).body, 'result');

  test('is detected, watched without a server, and its tables are counted', async () => {
    expect(await inspect()).toMatchObject({
      ...{ kind: 'graphrag', fresh: false, stuck_documents: null, faults: [] },
      counts: { documents: 2, text_units: 3, entities: 3, relationships: 2, communities: 1, community_reports: 1 },
    });
    const seen = await look();
    expect(seen).toMatchObject({
      ...{ status: 'HEALTHY', kind: 'graphrag', configured_kind: 'graphrag', kind_from: 'detected', endpoints: [] },
      lifecycle: { automatic: true },
    });
    expect(field(seen, 'facts')).toContainEqual({ name: 'last_run', value: 'finished', unit: null });
    expect(field(seen, 'facts')).toContainEqual({ name: 'rows_of_entities', value: 3, unit: 'rows' });
    const run = await checkOf('index run default');
    expect(run).toMatchObject({ status: 'healthy', observed_value: 9, observed_unit: 'seconds' });
    expect(field(run, 'details')).toMatchObject({ kind: 'index', documents: 2, steps: expect.any(Number) });
    expect(Number(field(run, 'details', 'steps'))).toBeGreaterThan(3);
    // Where the service of document 002 told it.
    const { body: enhanced } = await warden.call('GET', '/api/system/status/enhanced');
    expect(enhanced).toMatchObject({
      graph_metrics: { total_entities: 3, total_relationships: 2, total_communities: 1 },
      workspace_metrics: { operations_performed: expect.any(Number) },
    });
    expect(Number(field(enhanced, 'workspace_metrics', 'operations_performed'))).toBeGreaterThan(0);
  });

  test('what is for LightRAG alone is said not to apply', async () => {
    for (const path of ['documents', 'canary']) {
      const answer = await warden.call('GET', `${target}/${path}`);
      expect([answer.status, field(answer.body, 'code')]).toEqual([409, 'target/not-applicable']);
    }
    expect(field(await look(), 'not_applicable', 0)).toMatchObject({ what: 'documents' });
  });

  test('has no second place whatever starts and stops it, and says so before anybody relies on one', async () => {
    const reason = expect.stringMatching(/^default is a GraphRAG project.*only a LightRAG.*ragwarden recover/);
    expect((await warden.call('GET', '/api/v1/recovery/failover')).body).toMatchObject({
      ...{ possible: false, allowed: [], reason },
    });
    for (const [path, body] of [
      ['failover/plan', {}],
      ['failover', { confirm: true }],
      ['reseed', { confirm: true }],
    ] as const)
      expect((await warden.call('POST', `/api/v1/recovery/${path}`, body)).body, path).toMatchObject({
        ...{ code: 'recovery/no-standby', detail: reason },
      });
  });

  test('its settings are told, changed and put back, and no other byte of the file moves', async () => {
    const file = join(project, 'settings.yaml');
    const before = readFileSync(file, 'utf8');
    const tuning = async (path: string) => (await warden.call('GET', `/api/v1/tuning/${path}`)).body;
    expect(field(await tuning('running'), 'items')).toContainEqual(
      expect.objectContaining({ parameter: 'graphrag_chunk_size', value: 60, found_in: 'settings-file', wanted: null }),
    );
    expect(field(await tuning('running'), 'items')).toContainEqual(
      expect.objectContaining({ parameter: 'graphrag_basic_k', value: 10, found_in: 'backend-default' }),
    );
    const set = (values: object) => warden.call('PUT', '/api/v1/tuning/values', { values });
    const refused = await set({ graphrag_chunk_size: 90, graphrag_chunk_overlap: 10 });
    expect([refused.status, field(refused.body, 'detail')]).toEqual([
      409,
      expect.stringContaining('3 chunks of default have to be read anew'),
    ]);
    expect((await set({ graphrag_global_data_max_tokens: 8_000, graphrag_snapshots_graphml: true })).status).toBe(200);
    expect(field(await tuning('drift'), 'items')).toMatchObject([
      { parameter: 'graphrag_snapshots_graphml', found: false, wanted: true, where: 'settings-file' },
    ]);
    const apply = async () => field((await warden.call('POST', '/api/v1/tuning/apply', {}, wait)).body, 'state');
    expect(await apply()).toBe('succeeded');
    expect(readFileSync(file, 'utf8')).toBe(
      before
        .replace('  graphml: false', '  graphml: true')
        .replace('global_search:\n', 'global_search:\n  data_max_tokens: 8000\n'),
    );
    expect(field(await tuning('drift'), 'items')).toEqual([]);
    expect((await warden.call('POST', '/api/v1/tuning/revisions/0/rollback', {})).status).toBe(200);
    expect(await apply()).toBe('succeeded');
    const after = readFileSync(file, 'utf8');
    expect(after).toBe(before.replace('global_search:\n', 'global_search:\n#   data_max_tokens: 8000\n'));
    appendFileSync(file, 'chunks:\n  size: 1\n');
    const judged = await warden.call('POST', '/api/system/config/validate?config_type=graphrag');
    expect([judged.status, JSON.stringify(judged.body)]).toEqual([
      200,
      expect.stringContaining('version 3 reads chunking'),
    ]);
    // Fits what is known here, and not what the file says beside it.
    const mine = before.replace('local_search:\n', 'local_search:\n  community_prop: 0.6 # of mine\n');
    writeFileSync(file, mine);
    expect((await set({ graphrag_local_text_unit_prop: 0.55 })).status).toBe(200);
    const failed = (await warden.call('POST', '/api/v1/tuning/apply', {}, wait)).body;
    expect(field(failed, 'error')).toMatchObject({
      code: 'tuning/rolled-back',
      detail: expect.stringContaining('local_search.community_prop together may be at most 1'),
    });
    expect(readFileSync(file, 'utf8')).toBe(mine);
    expect((await warden.call('DELETE', '/api/v1/tuning/values')).status).toBe(200);
    writeFileSync(file, before);
  });

  test('comes back whole after a run that failed and a table that was lost, and is looked into again', async () => {
    const before = contentOf(project);
    const id = await takeGood(warden);
    const point = await warden.call('GET', `/api/v1/backup/points/${id}`);
    expect(point.body).toMatchObject({ status: 'success', grade: 'consistent', missing: [], audit_verdict: null });

    failRun(project);
    truncateSync(join(project, 'output/entities.parquet'), 4_000);
    rmSync(join(project, 'prompts'), { recursive: true });
    addUpdate(project, '20261129-211634', false);
    await inspect();
    const damaged = await look();
    expect(field(damaged, 'status')).toBe('DEGRADED');
    expect(JSON.stringify(field(damaged, 'reasons'))).toMatch(/run-failed.*table-torn.*incomplete-updates/);
    expect(await checkOf('index run default')).toMatchObject({
      ...{ status: 'degraded', details: { failed_step: 'extract_graph' } },
    });
    const [ended] = await warden.events('target.index-run-ended');
    expect(ended).toMatchObject({ severity: 'error', message: expect.stringContaining('failed at extract_graph') });
    const metrics = await warden.call('GET', '/metrics');
    expect(metrics.text).toContain('ragwarden_target_index_failed{target="default"} 1');
    expect(metrics.text).toContain('ragwarden_target_table_rows{target="default",table="documents"} 2');
    expect(metrics.text).not.toContain('ragwarden_target_table_rows{target="default",table="entities"}');

    const done = await warden.restore(id, { confirm: true });
    expect([field(done, 'state'), field(done, 'error')]).toEqual(['succeeded', null]);
    expect(contentOf(project)).toEqual(before);
    expect(await inspect()).toMatchObject({ faults: [], counts: { entities: 3 } });
    expect(await look()).toMatchObject({ status: 'HEALTHY' });
    // The safety point kept what was there, as it was.
    const safety = await warden.call(
      'GET',
      `/api/v1/backup/points/${String(field(done, 'result', 'safety_backup_id'))}`,
    );
    expect(JSON.stringify(field(safety.body, 'reasons'))).toContain('entities.parquet is cut off');
  });

  test('is rehearsed: every digest, every count, and the look into its tables', async () => {
    const drill = await warden.call('POST', '/api/v1/recovery/drills', {}, wait);
    expect(field(drill.body, 'result')).toMatchObject({ verdict: 'passed', reasons: [] });
    const shown = await warden.call('GET', `/api/v1/recovery/drills/${String(field(drill.body, 'id'))}`);
    expect(field(shown.body, 'phases')).toContainEqual(
      expect.objectContaining({ component: 'project', name: 'inspect' }),
    );
  });

  test('a point that is taken while a run writes its tables does not pass for one moment', async () => {
    const kept = join(dataDir, 'kept');
    cpSync(project, kept, { recursive: true });
    beginRun(project);
    const taken = await warden.take();
    const id = String(field(taken, 'result', 'backup_id'));
    const point = await warden.call('GET', `/api/v1/backup/points/${id}`);
    expect(field(point.body, 'grade')).toBe('fuzzy');
    expect(JSON.stringify(field(point.body, 'reasons'))).toContain('old and new ones are mixed');
    cpSync(kept, project, { recursive: true, preserveTimestamps: true });
  });

  test('its one graph is known by the id of the target, and its cache stays where it is when points leave it out', async () => {
    const status = '/api/v1/health-dashboard/graphs/default/status';
    await until('the size of the graph', async () =>
      Number(field((await warden.call('GET', status)).body, 'size_bytes')) > 0 ? true : undefined,
    );
    const graphs = await warden.call('GET', '/api/v1/backup-replication/backup/graphs/default/snapshots');
    expect([graphs.status, graphs.text]).toEqual([200, expect.stringContaining('"graph_id":"default"')]);
    await warden.stop();
    warden = await openWarden(dataDir, {
      ...{ command: 'serve' },
      settings: { WORKING_DIR: project, RAGWARDEN_GRAPHRAG_CACHE: 'false' },
    });
    const id = await takeGood(warden);
    const cached = join(project, 'cache/extract_graph/stand-in.json');
    appendFileSync(cached, '\n');
    rmSync(join(project, 'output'), { recursive: true });
    const done = await warden.restore(id, { confirm: true, safety_point: false });
    expect(field(done, 'state')).toBe('succeeded');
    expect(readFileSync(cached, 'utf8')).toMatch(/\n\n$/);
    expect(existsSync(join(project, 'output/entities.parquet'))).toBe(true);
  });
});
