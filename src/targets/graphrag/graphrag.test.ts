import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createFakeClock } from '../../platform/fake-clock.ts';
import { decideTargetStatus } from '../target-status.ts';
import { createGraphragAdapter } from './graphrag-adapter.ts';
import { findIndexProcess, indexedRoot } from './index-process.ts';
import { inspectProject } from './inspect-project.ts';
import { decideRun, readLogEnd } from './last-run.ts';
import { addUpdate, ageProject, beginRun, copyProject, failRun, tables } from './project.fixture.ts';
import { findPlacesOutside, readProjectLayout } from './project-layout.ts';

let project: string;
beforeEach(() => {
  project = copyProject();
});
afterEach(() => rmSync(project, { recursive: true, force: true }));

const clock = () => createFakeClock(Date.now());
const signal = new AbortController().signal;
const quietMs = 900_000;
const adapter = (options: { process?: number | undefined } = {}) =>
  createGraphragAdapter({
    ...{ project, service: undefined, clock: clock(), quietMs: () => quietMs },
    findProcess: async () => options.process,
  });
const word = async (options: Parameters<typeof adapter>[0] = {}) => {
  const observation = await adapter(options).probe();
  const status = decideTargetStatus({
    ...{ kind: 'graphrag', observation, files: undefined, folders: [], stuck: undefined, findings: [] },
    ...{ nowMs: observation.atMs, staleAfterMs: 60_000 },
  });
  return {
    word: status.word,
    codes: status.reasons.map(({ code }) => code),
    run: observation.run,
    observation,
    status,
  };
};

describe('a project as its folder shows it', () => {
  test('is healthy when the last run wrote its whole time', async () => {
    const { word: said, run, observation } = await word();
    expect(said).toBe('HEALTHY');
    expect(run).toMatchObject({ state: 'finished', kind: 'index', documents: 2, runtimeMs: 8660.044193267822 });
    expect(run?.workflows.at(-1)).toBe('generate_text_embeddings');
    expect(observation).toMatchObject({ kind: 'graphrag', pipelineBusy: false, reachable: true, documents: undefined });
    expect(observation.facts).toContainEqual({ name: 'last_run_documents', value: 2, unit: 'documents' });
  });

  test('is degraded when a step failed, which the log names, and its text goes nowhere', async () => {
    failRun(project);
    appendFileSync(join(project, 'logs', 'indexing-engine.log'), 'ValueError: Incorrect API key provided: sk-secret\n');
    const { word: said, codes, run, status } = await word();
    expect([said, codes, run?.failedAt]).toEqual(['DEGRADED', ['run-failed'], 'extract_graph']);
    expect(JSON.stringify(status)).not.toContain('sk-secret');
  });

  test('is at work while its files move or a process works on it, and unfinished when neither is so', async () => {
    beginRun(project);
    expect(await word()).toMatchObject({ word: 'HEALTHY', run: { state: 'running' } });
    ageProject(project, quietMs + 60_000);
    expect(await word()).toMatchObject({ word: 'DEGRADED', codes: ['run-unfinished'], run: { state: 'unfinished' } });
    const seen = await word({ process: 4711 });
    expect(seen).toMatchObject({ word: 'HEALTHY', run: { state: 'running' } });
    expect(seen.observation).toMatchObject({ pipelineBusy: true, pipeline: { jobName: 'graphrag index' } });
  });

  test('tells an update from an index', async () => {
    ageProject(project, 5_000);
    addUpdate(project, '20261129-211634');
    expect((await word()).run).toMatchObject({ kind: 'update', state: 'finished', documents: 1 });
    ageProject(project, 5_000);
    addUpdate(project, '20261129-221634', false);
    expect((await word()).run).toMatchObject({ kind: 'update', state: 'running' });
  });

  test('is offline without its folder, and something else without settings', async () => {
    rmSync(join(project, 'settings.yaml'));
    expect(await word()).toMatchObject({ word: 'DEGRADED', codes: ['settings-unreadable'] });
    writeFileSync(join(project, 'settings.yaml'), 'api_key: "sk-very-secret\n  - [');
    const broken = await word();
    expect(broken.codes).toEqual(['settings-unreadable']);
    expect(JSON.stringify(broken.status)).not.toContain('sk-very-secret');
    rmSync(project, { recursive: true });
    expect(await word()).toMatchObject({ word: 'OFFLINE', codes: ['unreachable'] });
    mkdirSync(project);
    expect(await word()).toMatchObject({ word: 'DEGRADED', codes: ['settings-unreadable'], run: { state: 'none' } });
  });

  test('stats that are half written are no end of a run, unless the log says so', async () => {
    const stats = join(project, 'output', 'stats.json');
    truncateSync(stats, 20);
    expect((await word()).run?.state).toBe('finished');
    rmSync(join(project, 'logs', 'indexing-engine.log'));
    expect((await word()).run?.state).toBe('running');
  });
});

test.each([
  ['nothing was ever run', { stats: undefined }, 'none'],
  ['finished', { stats: { runtimeMs: 5 } }, 'finished'],
  ['failed, however long ago', { stats: { runtimeMs: 0 }, failedAt: 'x', ageMs: 0 }, 'failed'],
  ['just quiet for long enough', { stats: { runtimeMs: 0 }, ageMs: quietMs }, 'unfinished'],
  ['a moment less', { stats: { runtimeMs: 0 }, ageMs: quietMs - 1 }, 'running'],
] as const)('a run: %s', (_what, given, state) => {
  const nowMs = 10_000_000;
  const mtimeMs = nowMs - ('ageMs' in given ? given.ageMs : 0);
  const stats = given.stats && {
    ...{ kind: 'index' as const, mtimeMs },
    read: { ...given.stats, documents: undefined, workflows: [] },
  };
  const log = { mtimeMs, complete: false, failedAt: 'failedAt' in given ? given.failedAt : undefined };
  const traces = { stats, log: stats && log, filesMs: undefined };
  expect(decideRun(traces, { process: false, nowMs, quietMs }).state).toBe(state);
  expect(decideRun(traces, { process: true, nowMs, quietMs }).state).toBe('running');
});

test('only what the log says after the last beginning counts', () => {
  const failed = readFileSync(
    join(import.meta.dirname, '../../../test/fixtures/graphrag-3.3.0/failed-run/indexing-engine.log'),
    'utf8',
  );
  expect(readLogEnd(failed)).toEqual({ failedAt: 'extract_graph', complete: false });
  expect(readLogEnd(`${failed}… Executing pipeline...\n`)).toEqual({ failedAt: undefined, complete: false });
  expect(readLogEnd(`${failed}… Executing pipeline...\n… Indexing pipeline complete.\n`).complete).toBe(true);
});

test.each([
  [['/venv/bin/python', '/venv/bin/graphrag', 'index', '--root', '/p'], '/p'],
  [['graphrag', 'update', '-r', 'p'], 'p'],
  [['python', '-m', 'graphrag', 'index', '--root=/p', '--verbose'], '/p'],
  [['graphrag', 'index'], '.'],
  [['graphrag', 'query', '--root', '/p'], undefined],
  [['grep', '-r', 'graphrag-index'], undefined],
] as const)('%j indexes %s', (args, root) => {
  expect(indexedRoot(args)).toBe(root);
});

test('a process that indexes the project is found by its arguments', async () => {
  expect(await findIndexProcess(project)).toBeUndefined();
  const child = spawn(
    process.execPath,
    ['-e', 'setInterval(() => {}, 1000); console.log(1)', '--', 'graphrag', 'index', '--root', project],
    {
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  try {
    await once(child.stdout, 'data');
    expect(await findIndexProcess(project)).toBe(child.pid);
    expect(await findIndexProcess(`${project}-other`)).toBeUndefined();
  } finally {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
});

describe('the inspection of a project', () => {
  const inspect = () => inspectProject(project, { clock: clock(), signal });
  const codes = async () => (await inspect()).faults.map(({ code }) => code);

  test('counts rows as the tables themselves say', async () => {
    const report = await inspect();
    // As pyarrow counts them.
    expect(report.counts).toEqual({
      ...{ documents: 2, text_units: 3, entities: 3, relationships: 2, communities: 1, community_reports: 1 },
    });
    expect(report.faults).toEqual([]);
    expect(report.facts).toContainEqual({ name: 'vector_tables', value: 3 });
    expect(report.files.filter(({ state }) => state !== 'ok')).toEqual([]);
    expect(report.bytesRead).toBeLessThan(60_000);
  });

  test.each<[string, () => void, string[]]>([
    ['a table is gone', () => rmSync(join(project, 'output/entities.parquet')), ['table-missing']],
    ['a table is cut off', () => truncateSync(join(project, 'output/entities.parquet'), 4_000), ['table-torn']],
    ['a table is empty', () => truncateSync(join(project, 'output/entities.parquet'), 0), ['table-torn']],
    [
      'a table is something else',
      () => writeFileSync(join(project, 'output/entities.parquet'), 'x'.repeat(500)),
      ['table-invalid'],
    ],
    [
      'the description of a table is damaged',
      () => {
        const file = join(project, 'output/entities.parquet');
        const bytes = readFileSync(file);
        const begins = bytes.length - 8 - bytes.readUInt32LE(bytes.length - 8);
        bytes.fill(0xff, begins, begins + 200);
        writeFileSync(file, bytes);
      },
      ['table-invalid'],
    ],
    ['the vectors are gone', () => rmSync(join(project, 'output/lancedb'), { recursive: true }), ['vectors-missing']],
    [
      'a vector table has no state',
      () => rmSync(join(project, 'output/lancedb/entity_description.lance/_versions'), { recursive: true }),
      ['vectors-damaged'],
    ],
    ['an update ended', () => addUpdate(project, '20261129-211634'), ['update-folders']],
    [
      'an update did not end',
      () => addUpdate(project, '20261129-211634', false),
      ['update-folders', 'incomplete-updates'],
    ],
  ])('says so when %s', async (_what, damage, expected) => {
    damage();
    expect(await codes()).toEqual(expected);
  });

  test('an update under way is none that did not end, and an old one is only left over', async () => {
    addUpdate(project, '20261129-211634', false);
    const running = await inspectProject(project, { clock: clock(), signal, isUpdating: true });
    expect(running.faults).toEqual([]);
    addUpdate(project, '20261129-221634');
    const later = await inspect();
    expect(later.faults.map(({ code, severity }) => [code, severity])).toEqual([
      ['update-folders', 'info'],
      ['incomplete-updates', 'info'],
    ]);
    expect(later.leftOver.total).toBe(2);
  });

  test('a project that was never indexed is fresh, not damaged', async () => {
    rmSync(join(project, 'output'), { recursive: true });
    expect(await inspect()).toMatchObject({ isFresh: true, faults: [] });
  });

  test('names of version 1 are known too', async () => {
    for (const table of tables) {
      const file = join(project, 'output', `${table}.parquet`);
      writeFileSync(join(project, 'output', `create_final_${table}.parquet`), readFileSync(file));
      rmSync(file);
    }
    const report = await inspect();
    expect([report.faults, report.counts.entities]).toEqual([[], 3]);
  });
});

describe('where the parts of a project lie', () => {
  const settings = (text: string) => {
    writeFileSync(join(project, 'settings.yaml'), text);
    return readProjectLayout(project);
  };

  test('is where `graphrag init` puts them, unless the settings say otherwise', () => {
    expect(settings('{}')).toMatchObject({
      output: { folder: join(project, 'output') },
      cache: { folder: join(project, 'cache') },
      updates: { folder: join(project, 'update_output') },
      vectors: { folder: join(project, 'output/lancedb') },
      claims: false,
    });
    // The names of version 2.
    const older =
      'output: {type: file, base_dir: "out"}\nupdate_index_output: {base_dir: upd}\ncache: {type: file, base_dir: c}\n';
    expect(settings(older)).toMatchObject({
      output: { folder: join(project, 'out') },
      updates: { folder: join(project, 'upd') },
      cache: { folder: join(project, 'c') },
    });
  });

  test('elsewhere is told, and lies outside of every point', () => {
    const layout = settings(
      'output_storage: {type: blob}\ninput_storage: {base_dir: ../texts}\nvector_store: {type: azure_ai_search}\ncache: {type: memory}\nextract_claims: {enabled: true}',
    );
    expect(layout).toMatchObject({ cache: { elsewhere: 'memory' }, claims: true });
    expect(findPlacesOutside(project, layout).map(({ part, where }) => [part, where])).toEqual([
      ['input', join(project, '../texts')],
      ['output', 'blob'],
      ['vectors', 'azure_ai_search'],
    ]);
    expect(findPlacesOutside(project, settings(`output_storage: {base_dir: "\${OUT}"}`))).toEqual([
      { part: 'output', where: 'a folder that a variable names' },
    ]);
  });
});
