import { appendFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { generateWorkspace } from '../examples/sample-backend/generate.ts';
import { failureOf, type OpenWarden, openWarden, prepareDataFolder, sampleOf, takeGood } from './faults/ground.ts';
import { hasPart } from './setup/parts.ts';
import { contentOf, field, removeFolder, temporaryFolder } from './warden-harness.ts';

/** What of a point goes back, and where to: one workspace, one component, another name, another place. */
describe.skipIf(!hasPart('restic'))('a point of two workspaces', () => {
  const allowed = temporaryFolder('allowed');
  let dataDir: string;
  let warden: OpenWarden;
  let folders: ReturnType<typeof sampleOf>;
  let point: string;
  let before: { workspace: Record<string, string>; inputs: Record<string, string>; second: Record<string, string> };
  const second = (): string => join(folders.workspace, 'second');
  const look = (): typeof before => ({
    workspace: contentOf(folders.workspace),
    inputs: contentOf(folders.inputs),
    second: contentOf(second()),
  });
  /** What lies outside the second workspace. */
  const unnamed = (content: Record<string, string>): Record<string, string> =>
    Object.fromEntries(Object.entries(content).filter(([path]) => !path.startsWith('second/')));
  const plan = (body: object) => warden.call('POST', `/api/v1/backup/restore/${point}`, { plan_only: true, ...body });
  const restore = (body: object) => warden.restore(point, { confirm: true, safety_point: false, ...body });

  beforeAll(async () => {
    dataDir = await prepareDataFolder('scopes');
    folders = sampleOf(dataDir);
    await generateWorkspace({
      dir: folders.workspace,
      inputDir: folders.inputs,
      size: 'tiny',
      seed: 7,
      shape: '1.5',
      workspace: 'second',
      faults: [],
    });
    warden = await openWarden(dataDir, { settings: { RAGWARDEN_ALLOWED_ROOTS: allowed } });
    point = await takeGood(warden);
    before = look();
  });
  afterAll(async () => {
    await warden.stop();
    removeFolder(dataDir);
    removeFolder(allowed);
  });

  test('one workspace goes back alone: another is not turned back, and the backend that serves the other is not stopped', async () => {
    writeFileSync(join(folders.workspace, 'kv_store_since.json'), '{"a": 1}');
    rmSync(second(), { recursive: true });
    const planned = await plan({ workspace: 'second' });
    expect(planned.body).toMatchObject({
      scope: { workspace: 'second', as_workspace: null, aside: false },
      backend: { stopped: false },
      blockers: [],
    });
    const done = await restore({ workspace: 'second' });
    expect(field(done, 'state')).toBe('succeeded');
    const after = look();
    expect(after.second).toEqual(before.second);
    expect(after.workspace).toHaveProperty('kv_store_since.json');
    expect(contentOf(join(folders.inputs, 'second'))).toEqual(
      Object.fromEntries(
        Object.entries(before.inputs).flatMap(([path, content]) =>
          path.startsWith('second/') && path !== 'second/' ? [[path.slice('second/'.length), content]] : [],
        ),
      ),
    );
  });

  test('the unnamed workspace goes back between the others, and leaves them alone', async () => {
    appendFileSync(join(second(), 'kv_store_doc_status.json'), '\n');
    const changed = contentOf(second());
    rmSync(join(folders.workspace, 'kv_store_full_docs.json'));
    const planned = await plan({ workspace: '' });
    expect(planned.body).toMatchObject({ backend: { stopped: true }, blockers: [] });
    const items = field(planned.body, 'components', 0, 'items');
    expect(items).toContainEqual(expect.objectContaining({ name: 'second', action: 'keep' }));
    expect(field(await restore({ workspace: '' }), 'state')).toBe('succeeded');
    const after = look();
    expect(unnamed(after.workspace)).toEqual(unnamed(before.workspace));
    expect(after.second).toEqual(changed);
  });

  test('under another name a workspace stands next to the one that lives', async () => {
    const live = look();
    const done = await restore({ workspace: 'second', as_workspace: 'second_then' });
    expect(field(done, 'state')).toBe('succeeded');
    expect(contentOf(join(folders.workspace, 'second_then'))).toEqual(before.second);
    expect(contentOf(second())).toEqual(live.second);
    rmSync(join(folders.workspace, 'second_then'), { recursive: true });
    rmSync(join(folders.inputs, 'second_then'), { recursive: true, force: true });
  });

  test('one component goes back alone', async () => {
    rmSync(folders.inputs, { recursive: true });
    const changed = look().workspace;
    expect(field(await restore({ components: ['inputs'] }), 'state')).toBe('succeeded');
    expect(contentOf(folders.inputs)).toEqual(before.inputs);
    expect(contentOf(folders.workspace)).toEqual(changed);
  });

  test('beside the live data, whole or one workspace, with nothing stopped and nothing live touched', async () => {
    const live = look();
    const there = join(allowed, 'whole');
    const timedRestores = async (): Promise<string | undefined> =>
      /^ragwarden_backup_restore_duration_seconds_count.*$/m.exec((await warden.call('GET', '/metrics')).text)?.[0];
    const timed = await timedRestores();
    expect(timed).toMatch(/outcome="success".* [1-9]/);
    expect((await plan({ to: { folder: there } })).body).toMatchObject({ scope: { aside: true }, blockers: [] });
    expect(field(await restore({ to: { folder: there } }), 'state')).toBe('succeeded');
    const [told] = await warden.events('restore.finished');
    expect(told).toMatchObject({ severity: 'info', data: { id: point, state: 'beside' } });
    expect(String(field(told, 'message'))).toContain(`stands beside sample, in ${there}`);
    // The backend did not have to come back.
    expect(await timedRestores()).toBe(timed);
    expect(contentOf(join(there, 'workspace'))).toEqual(before.workspace);
    expect(contentOf(join(there, 'inputs'))).toEqual(before.inputs);
    expect(field(await restore({ workspace: 'second', to: { folder: join(allowed, 'one') } }), 'state')).toBe(
      'succeeded',
    );
    expect(contentOf(join(allowed, 'one', 'workspace', 'second'))).toEqual(before.second);
    expect(look()).toEqual(live);
    // What is there is never overwritten.
    const again = await plan({ to: { folder: there } });
    expect(field(again.body, 'blockers')).toContainEqual(expect.stringContaining('is not empty'));
    expect(failureOf(await restore({ to: { folder: there } }))).toContain('restore/blocked');
  });

  test('places and names that do not fit are refused, and nothing is changed', async () => {
    const live = look();
    mkdirSync(join(allowed, 'free'), { recursive: true });
    for (const [body, code] of [
      [{ to: { folder: '/etc/ragwarden' } }, 'target/foreign-path'],
      [{ to: { folder: join(allowed, '..', 'elsewhere') } }, 'target/foreign-path'],
      [{ to: { folder: `${allowed}/../elsewhere` } }, 'target/foreign-path'],
      [{ to: { folder: 'relative' } }, 'target/foreign-path'],
      [{ to: { folder: folders.workspace } }, 'target/foreign-path'],
      [{ to: {} }, 'restore/invalid-options'],
      [{ components: ['nothing'] }, 'restore/invalid-options'],
      [{ components: [] }, 'restore/invalid-options'],
      [{ workspace: '../second' }, 'target/unknown'],
      [{ workspace: 'never_there' }, 'restore/blocked'],
      [{ as_workspace: 'x' }, 'restore/invalid-options'],
      [{ workspace: 'second', as_workspace: '..' }, 'target/unknown'],
    ] as const) {
      const answer = await warden.call('POST', `/api/v1/backup/restore/${point}`, { confirm: true, ...body });
      expect([body, failureOf(answer.body)]).toEqual([body, expect.stringContaining(code)]);
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.status).toBeLessThan(500);
    }
    expect(look()).toEqual(live);
    expect(existsSync('/etc/ragwarden')).toBe(false);
  });
});
