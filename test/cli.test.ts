import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { runInPipe } from '../src/cli/test-terminal.ts';
import { findProgram } from '../tools/system-packages.mjs';
import { createLauncher, type Running } from './cli-harness.ts';
import { memoryFolder } from './setup/memory-folder.ts';
import { hasPart } from './setup/parts.ts';
import { prepareRepository } from './warden-harness.ts';

// The product as it is shipped, as a person or a script would run it: in a pipe and under a pseudo-terminal.
const home = memoryFolder('cli');
const withRestic = hasPart('restic');
const withTerminal = findProgram('script') !== undefined;

const { launch, launchInTerminal, inPipe, endAll } = createLauncher(home);

const dataDir = join(home, 'data');
const here = ['--data-dir', dataDir];
const anyPort = ['--port', '0', '--metrics-port', '0', '--gateway-port', '0'];
let server: Running;
let ready: { api: string; metrics: string | null; gateway: string | null; version: string; event: string };
let localToken: string;

/** The same command within this process, where what a process adds is shown by another test. */
const inside = (argv: readonly string[], env: Record<string, string> = {}) => runInPipe(argv, { env });

const api = async (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`${ready.api}${path}`, { ...init, headers: { authorization: `Bearer ${localToken}`, ...init.headers } });

beforeAll(async () => {
  mkdirSync(dataDir, { mode: 0o700 });
  await prepareRepository(dataDir);
  server = launch(['up', ...anyPort, ...here]);
  ready = JSON.parse(await server.saw('stdout', '\n'));
  localToken = readFileSync(join(dataDir, 'local-token'), 'utf8').trim();
  // The first probe comes a moment after the start.
  await vi.waitUntil(
    async () => {
      const { items } = (await (await api('/api/v1/targets')).json()) as { items: { status: string }[] };
      return items[0]?.status === 'HEALTHY';
    },
    { timeout: 60_000, interval: 200 },
  );
});

afterAll(async () => {
  server?.child.kill('SIGTERM');
  await server?.ended;
  endAll();
  rmSync(home, { recursive: true, force: true });
});

/** Every file below a folder with the digest of its bytes, without what ragwarden itself keeps there. */
function digests(folder: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const name = path.slice(folder.length + 1);
    if (entry.isFile() && !name.startsWith('.ragwarden'))
      found[name] = createHash('sha256').update(readFileSync(path)).digest('hex');
  }
  return found;
}

/** Processes that have the text on their command line. */
const processesWith = (text: string): string[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
      } catch {
        // It ended between the two looks.
        return false;
      }
    });

describe('a server in a pipe', () => {
  test('says that it is ready in one line, and logs lines of JSON elsewhere', async () => {
    expect(ready).toMatchObject({ event: 'ready', gateway: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) });
    expect(ready.api).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(ready.metrics).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    const logged = await server.saw('stderr', 'admin-token');
    for (const line of logged.trim().split('\n')) expect(JSON.parse(line)).toHaveProperty('msg');
  });

  test('leaves the first admin token and its address in private files', async () => {
    for (const name of ['admin-token', 'local-token', 'endpoint.json'])
      expect((statSync(join(dataDir, name)).mode & 0o777).toString(8)).toBe('600');
    const token = readFileSync(join(dataDir, 'admin-token'), 'utf8').trim();
    expect((await api('/api/v1/targets', { headers: { authorization: `Bearer ${token}` } })).status).toBe(200);
  });

  test('has its data folder for itself', async () => {
    const { code, stdout, stderr } = await inPipe(['serve', ...anyPort, ...here]);
    expect({ code, stdout }).toEqual({ code: 11, stdout: '' });
    expect(stderr).toContain('in use by process');
  });

  test('does not start when its port is taken, and says by whom and which setting', async () => {
    const other = join(home, 'other');
    const { code, stderr } = await inPipe([
      'serve',
      '--port',
      new URL(ready.api).port,
      '--metrics-port',
      '0',
      '--gateway-port',
      '0',
      '--data-dir',
      other,
    ]);
    expect(code).toBe(1);
    expect(stderr).toContain('RAGWARDEN_PORT');
    expect(existsSync(join(other, 'endpoint.json'))).toBe(false);
  });
});

describe('a stop', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)(
    'by %s of a running server ends with 0 and leaves nothing behind',
    async (signal) => {
      const folder = join(home, `stop-${signal}`);
      const running = launch(['up', ...anyPort, '--data-dir', folder]);
      await running.saw('stdout', '"ready"');
      expect(processesWith(join(folder, 'sample'))).not.toEqual([]);
      running.child.kill(signal);
      const { code, stderr } = await running.ended;
      expect({ code, errors: stderr.split('\n').filter((line) => line.includes('"level":"error"')) }).toEqual({
        code: 0,
        errors: [],
      });
      expect(processesWith(folder)).toEqual([]);
      expect(readdirSync(folder)).not.toContain('endpoint.json');
      expect(readdirSync(folder)).not.toContain('local-token');
    },
  );

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 0],
  ] as const)('by %s while it starts ends with %d and leaves nothing behind', async (signal, expected) => {
    const folder = join(home, `early-${signal}`);
    const running = launch(['up', ...anyPort, '--data-dir', folder]);
    await running.saw('stderr', 'sample workspace is generated');
    running.child.kill(signal);
    const { code, stdout } = await running.ended;
    expect({ code, stdout }).toEqual({ code: expected, stdout: '' });
    expect(processesWith(folder)).toEqual([]);
  });

  test('that hangs is cut short by a second Ctrl-C, which leaves nothing behind either', async () => {
    const folder = join(home, 'impatient');
    const running = launch(['up', ...anyPort, '--data-dir', folder]);
    await running.saw('stdout', '"ready"');
    const frozen = processesWith(join(folder, 'sample')).map(Number);
    expect(frozen).not.toEqual([]);
    for (const pid of frozen) process.kill(pid, 'SIGSTOP');
    // A press soon after the first is taken for the same one, so it takes a few.
    const pressing = setInterval(() => running.child.kill('SIGINT'), 200);
    const { code } = await running.ended.finally(() => clearInterval(pressing));
    expect(code).toBe(130);
    await vi.waitUntil(() => processesWith(folder).length === 0, { timeout: 60_000 });
  });
});

describe('remote commands in a pipe', () => {
  test('status is a picture without colours, and a document with every part', async () => {
    const { code, stdout, stderr } = await inPipe(['status', ...here]);
    expect([0, 4]).toContain(code);
    expect(stderr).toBe('');
    expect(stdout).toContain('the bundled sample');
    expect(stdout).not.toContain('\u001b');
    const document = JSON.parse((await inPipe(['status', '--json', ...here])).stdout);
    expect(Object.keys(document).sort()).toEqual(['backup', 'health', 'host', 'points', 'targets']);
    expect(document.targets.items[0].id).toBe('sample');
  });

  test('target list and inspect show the sample', async () => {
    expect((await inside(['target', 'list', ...here])).stdout).toMatch(/^sample \(sample\) +HEALTHY +lightrag /m);
    const { code, stdout } = await inside(['target', 'inspect', 'sample', ...here]);
    expect(code).toBe(0);
    expect(stdout).toContain(join(dataDir, 'sample'));
    expect(stdout).toMatch(/12 of 12 sound/);
    expect(stdout).toMatch(/doc_status \d+/);
    const seen = JSON.parse((await inside(['target', 'inspect', '--json', ...here])).stdout);
    expect(Object.keys(seen)).toEqual(['target', 'inspection']);
    expect(seen.inspection.faults).toEqual([]);
    const mistyped = await inside([...here, 'target', 'inspect', 'smaple']);
    expect(mistyped.code).toBe(10);
    expect(mistyped.stderr).toContain('Did you mean sample?');
    expect((await inside(['__complete', 'target', ...here])).stdout).toBe('sample\n');
  });

  test('--json is what the API returned', async () => {
    const { stdout } = await inPipe(['events', '--type', 'warden.started', '--json', ...here]);
    expect(JSON.parse(stdout)).toEqual(await (await api('/api/v1/events?type=warden.started&limit=50')).json());
  });

  test('a bad filter is told with its place', async () => {
    const { code, stderr } = await inPipe(['events', '--type', 'NO TYPE', ...here]);
    expect(code).toBe(2);
    expect(stderr).toContain('query.type');
  });

  test('a token is made, works, is listed, is revoked and works no more', async () => {
    const made = await inside(['token', 'create', 'ci', '--role', 'admin', '--expires', '1h', ...here]);
    expect(made.code).toBe(0);
    const token = made.stdout.trim();
    const [, id = ''] = /(tok_[0-9a-z]+)/.exec(made.stderr) ?? [];
    const env = { RAGWARDEN_URL: ready.api, RAGWARDEN_TOKEN: token };
    expect((await inside(['target', 'list'], env)).code).toBe(0);
    expect((await inside(['token', 'list', ...here])).stdout).toContain(id);
    expect((await inside(['token', 'revoke', id, '--yes', ...here])).code).toBe(0);
    expect((await inside(['target', 'list'], env)).code).toBe(12);
    expect((await inside(['token', 'revoke', 'tok_nobody', '--yes', ...here])).code).toBe(10);
  });

  test('a login link logs in once', async () => {
    const { stdout } = await inside(['token', 'login-link', ...here]);
    const [, code] = /^http:\/\/127\.0\.0\.1:\d+\/health#login=(\S+)$/m.exec(stdout) ?? [];
    const login = async () =>
      (
        await fetch(`${ready.api}/api/v1/access/login`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', origin: ready.api },
          body: JSON.stringify({ code }),
        })
      ).status;
    expect([await login(), await login()]).toEqual([200, 401]);
  });

  test('events can be followed, and left with Ctrl-C', async () => {
    const running = launch(['events', '--follow', '--type', 'access.*', '--json', ...here]);
    await inPipe(['token', 'create', 'followed', '--role', 'scrape', ...here]);
    const seen = await running.saw('stdout', 'followed');
    for (const line of seen.trim().split('\n')) expect(JSON.parse(line).type).toMatch(/^access\./);
    running.child.kill('SIGINT');
    expect((await running.ended).code).toBe(130);
  });

  test('a reader that goes first ends it', async () => {
    const running = launch(['events', '--follow', ...here]);
    await running.saw('stdout', 'warden.started');
    running.child.stdout.destroy();
    await inPipe(['token', 'create', 'unread', '--role', 'scrape', ...here]);
    expect((await running.ended).code).toBe(0);
  });

  test('doctor looks at the machine and at the server', async () => {
    const { code, stdout } = await inPipe(['doctor', '--json', ...here]);
    const { verdict, checks } = JSON.parse(stdout) as { verdict: string; checks: { what: string; verdict: string }[] };
    const looked = checks.filter((one) => one.verdict !== 'skipped').map((one) => one.what);
    for (const what of [
      'settings',
      'Node.js',
      'restic',
      'setpriv',
      'memory',
      'data folder',
      'free space',
      'repository',
      'clock',
      'server',
      'own ports',
      'target sample',
      'target clock',
      'target access',
      'recovery kit',
    ])
      expect(looked).toContain(what);
    expect(code).toBe(verdict === 'fail' ? 4 : 0);
    const plugin = await inPipe(['doctor', '--nagios', '--quiet', ...here]);
    expect(plugin.code).toBe({ ok: 0, warn: 1, fail: 2 }[verdict]);
    expect(plugin.stdout).toMatch(/^RAGWARDEN (OK|WARNING|CRITICAL) - /);
  });

  test('doctor without a server looks at the port and ends with 4 when it is taken', async () => {
    const env = { RAGWARDEN_PORT: new URL(ready.api).port };
    const { code, stdout } = await inPipe(['doctor', '--data-dir', join(home, 'nothing')], env);
    expect(code).toBe(4);
    expect(stdout).toMatch(/^fail +port: \d+ on 127\.0\.0\.1 is taken$/m);
  });

  test('the wrong token ends with 12, nobody there with 13', async () => {
    const wrong = { RAGWARDEN_URL: ready.api, RAGWARDEN_TOKEN: 'wrong' };
    expect((await inPipe(['status'], wrong)).code).toBe(12);
    expect((await inPipe(['target', 'list'], { ...wrong, RAGWARDEN_URL: 'http://127.0.0.1:9' })).code).toBe(13);
    expect((await inPipe(['target', 'list', '--data-dir', join(home, 'nothing')])).code).toBe(13);
  });
});

describe('metrics', () => {
  // The same commands within this process: what a process adds is shown above.
  const metrics = (...argv: readonly string[]) =>
    runInPipe(['metrics', ...argv], { env: { RAGWARDEN_URL: ready.api, RAGWARDEN_TOKEN: localToken } });

  test('a value is recorded, found again by its labels, and put in order with others', async () => {
    const search = ['--label', 'endpoint=/search', 'method=POST'];
    for (const ms of ['120', '480'])
      expect((await metrics('record', 'cli_duration', ms, '--unit', 'ms', ...search)).code).toBe(0);
    const { stdout } = await metrics('record', 'cli_duration', '20', '--label', 'endpoint=/list', 'method=GET');
    expect(stdout).toBe('Recorded 20 ms for cli_duration (timer, defined by its use).\n');

    const asked = ['cli_duration', '--aggregation', 'max', '--last', '5m'];
    const query = await metrics('query', ...asked, '--match', 'method=POST', '--group-by', 'endpoint');
    expect(query.stderr).toMatch(/^cli_duration: max per 5 s, .* from raw \(5 s\)\.\n$/);
    expect(query.stdout).toMatch(/^endpoint=\/search .*480 ms +480 ms +480 ms$/m);
    expect(query.stdout).not.toContain('/list');

    const top = await metrics('top', ...asked, '--group-by', 'endpoint');
    expect(top.stdout.split('\n').slice(1, 3)).toEqual(['480 ms  endpoint=/search', ' 20 ms  endpoint=/list']);
    expect((await metrics('top', ...asked, '--group-by', 'all', '--least')).stdout).toMatch(/480 ms {2}all/);
  });

  test('for programs the answers are those of the API', async () => {
    const list = JSON.parse((await metrics('list', '--type', 'counter', '--json')).stdout);
    expect(list.items.map((one: { name: string }) => one.name)).toContain('agent_executions');
    const answer = JSON.parse((await metrics('query', 'cli_duration', '--step', '60', '--json')).stdout);
    expect(answer).toMatchObject({ name: 'cli_duration', unit: 'ms', step_seconds: 60, total_series: 2 });
    expect(answer.times).toHaveLength(61);
  });

  test.each([
    [['query', 'cli_durration'], 10, 'Did you mean cli_duration?'],
    [['record', 'no name', '1'], 2, 'letters, digits'],
    [['record', 'cli_level', 'much'], 2, 'It is a number.'],
    [['record', 'cli_level', '1', '--label', 'x'], 2, 'label=value'],
    [['query', 'cli_duration', '--last', '7d', '--step', '1s'], 2, 'Ask for a longer step'],
    [['query', 'cli_duration', '--last', 'soon'], 2, 'such as 30s'],
  ])('%j ends with %d and says why', async (argv, code, why) => {
    const { stdout, ...ended } = await metrics(...argv);
    expect({ code: ended.code, stdout }).toEqual({ code, stdout: '' });
    expect(ended.stderr).toContain(why);
  });

  test('what was never recorded is told, and is no failure', async () => {
    const { code, stdout, stderr } = await metrics('query', 'agent_executions');
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(stderr).toContain('Nothing was recorded for agent_executions in this range');
    // A level may lie below zero.
    expect((await metrics('record', 'cli_drift', '-5.25', '--type', 'gauge')).stdout).toContain('-5.25');
  });
});

describe('alerts', () => {
  const alerts = (...argv: readonly string[]) =>
    runInPipe(['alerts', ...argv], { env: { RAGWARDEN_URL: ready.api, RAGWARDEN_TOKEN: localToken } });
  const written = (name: string, content: unknown): string => {
    const file = join(home, name);
    writeFileSync(file, JSON.stringify(content));
    return file;
  };
  /** Fires with the next evaluation: the target answers. */
  const atOnce = { metric_name: 'ragwarden_target_up', condition: 'gte', threshold: 0, duration_seconds: 0 };
  let attempts = 0;
  type Shown = { alert_id: string; rule_name: string; action: { state: string; detail: string } | null };
  const firing = async (rule: string): Promise<Shown> =>
    vi.waitUntil(
      async () => {
        const { stdout } = await alerts('list', '--rule', rule, '--state', 'firing', '--json');
        const [one] = (JSON.parse(stdout) as { items: Shown[] }).items;
        return one?.action?.state === 'due' || one?.action?.state === 'running' ? undefined : one;
      },
      { timeout: 60_000, interval: 100 },
    );

  test('a rule is tried out, put, fires, is looked after and silenced, and is gone with its rule', async () => {
    const file = written('rule.json', { name: 'cli_up', ...atOnce, severity: 'info' });
    const tried = await alerts('test', '--file', file, '--value', '1', '--last', '1h');
    expect([tried.code, tried.stderr]).toEqual([0, '']);
    expect(tried.stdout).toContain('cli_up');
    const put = await alerts('rules', 'put', file);
    expect([put.code, put.stdout]).toEqual([0, 'cli_up: ragwarden_target_up is at or above 0.\n']);
    const { alert_id: id } = await firing('cli_up');
    const list = await alerts('list', '--rule', 'cli_up');
    expect([list.code, list.stdout]).toEqual([4, expect.stringMatching(/^info +active +cli_up \{target="sample"\}/m)]);
    expect((await alerts('ack', id, '--note', 'on it')).stdout).toMatch(/is looked after by .*; it is not told again/);
    const silenced = await alerts('silence', 'alertname=cli_up', '--for', '1h', '--comment', 'a test');
    const [, silence = ''] = /^Silence (\S+) holds back alertname=cli_up until /.exec(silenced.stdout) ?? [];
    expect((await alerts('silences')).stdout).toContain(silence);
    expect((await alerts('silences', 'end', silence)).stdout).toBe(`Silence ${silence} is over.\n`);
    expect((await alerts('rules')).stdout).toMatch(
      /^cli_up +api +info +1 firing +ragwarden_target_up is at or above 0$/m,
    );
    expect(JSON.parse((await alerts('rules', 'show', 'cli_up')).stdout)).toMatchObject({ origin: 'api', ...atOnce });
    const exported = await alerts('rules', 'export', '--origin', 'api');
    expect([exported.code, exported.stdout]).toEqual([0, expect.stringMatching(/^ *- alert: cli_up$/m)]);
    expect((await alerts('rules', 'delete', 'cli_up', '--yes')).code).toBe(0);
    await vi.waitUntil(async () => (await alerts('list', '--rule', 'cli_up')).code === 0, {
      ...{ timeout: 60_000, interval: 100 },
    });
    expect((await alerts('history', '--rule', 'cli_up')).stdout).toContain(id);
  });

  test('a receiver is added, tried in vain, told so with every attempt, and removed; one at a metadata service is not', async () => {
    const metadata = written('metadata.json', { kind: 'webhook', url: 'http://169.254.169.254/latest/meta-data/' });
    const refused = await alerts('receivers', 'add', 'cloud', '--file', metadata);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('link-local, metadata or reserved address');
    // A name that is reserved for not existing.
    const nowhere = written('nowhere.json', { kind: 'webhook', url: 'https://hooks.invalid/', timeout_seconds: 5 });
    await alerts('receivers', 'remove', 'nowhere', '--yes');
    const added = await alerts('receivers', 'add', 'nowhere', '--file', nowhere);
    expect([added.code, added.stdout]).toEqual([0, expect.stringMatching(/^whsec_\S+\n$/)]);
    const tried = await alerts('receivers', 'test', 'nowhere');
    expect([tried.code, tried.stdout + tried.stderr]).toEqual([4, expect.stringContaining('hooks.invalid')]);
    expect((await alerts('receivers')).stdout).toMatch(/^nowhere +webhook +api/m);
    const { items } = JSON.parse((await alerts('deliveries', '--receiver', 'nowhere', '--json')).stdout);
    const shown = await alerts('deliveries', 'show', items[0].id);
    expect(shown.stdout).toContain('hooks.invalid');
    expect((await alerts('receivers', 'remove', 'nowhere', '--yes')).code).toBe(0);
  });

  test('what a rule asks for is done by those who do it: cleanup, inserts and a workspace', async () => {
    // A rule acts once an hour, so a second attempt has rules of its own.
    attempts += 1;
    const named = (what: string): string => `cli_${what}_${attempts}`;
    const actions = {
      cleanup: { kind: 'run-cleanup-task', task_id: 'metrics_cleanup_daily' },
      pause: { kind: 'pause-inserts', target_id: 'sample', for_seconds: 1 },
      throttle: {
        ...{ kind: 'throttle-workspace', target_id: 'sample', workspace: 'elsewhere' },
        ...{ requests_per_minute: 7, for_seconds: 60 },
      },
      dry: { kind: 'pause-inserts', target_id: 'sample', for_seconds: 900, mode: 'dry' },
    };
    const rules = Object.entries(actions).map(([what, action]) => ({
      ...{ name: named(what), ...atOnce, action: { mode: 'run', ...action } },
    }));
    expect((await alerts('rules', 'put', written('rules.json', rules), '--quiet')).stderr).toBe('');
    const done = Object.fromEntries(
      await Promise.all(Object.keys(actions).map(async (what) => [what, (await firing(named(what))).action] as const)),
    );
    for (const what of Object.keys(actions)) await alerts('rules', 'delete', named(what), '--yes');
    expect(done).toMatchObject({
      cleanup: { state: 'begun' },
      pause: { state: 'begun', detail: expect.stringContaining('Inserts of sample wait until') },
      throttle: { state: 'begun', detail: expect.stringContaining('At most 7 requests a minute pass') },
      dry: { state: 'dry', detail: expect.stringContaining('keeps inserts of sample waiting for 900 s') },
    });
    const quotas = await (await api('/api/v1/metrics/quotas')).text();
    expect(quotas).toContain('elsewhere');
    const runs = await (await api('/api/v1/metrics/cleanup/history')).text();
    expect(runs).toContain('metrics_cleanup_daily');
    const audit = await (await api('/api/v1/audit?limit=100')).text();
    expect(audit).toContain('alerts.action.throttle-workspace');
  });
});

describe('traffic', () => {
  const traffic = (...argv: readonly string[]) =>
    runInPipe(['traffic', ...argv], { env: { RAGWARDEN_URL: ready.api, RAGWARDEN_TOKEN: localToken } });

  test('is told over a window, by workspace or user, and one by one', async () => {
    expect((await traffic('recent')).stderr).toContain('Nothing passed the gateway yet');
    const items = [
      { operation: 'query', seconds: 0.25, workspace: 'legal', user_id: 'cli-anna', mode: 'mix' },
      { operation: 'query', seconds: 0.75, workspace: 'legal', user_id: 'cli-ben' },
      { operation: 'insert', seconds: 3, workspace: '', error: true },
    ];
    const told = await api('/api/v1/monitoring/lightrag/record', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ items }),
    });
    expect(told.status).toBe(200);

    const { stdout } = await traffic('--by', 'workspace', '--window', '15m');
    expect(stdout).toMatch(/^requests +3, 1 failed \(33\.3 %\)$/m);
    expect(stdout).toMatch(/^legal +2 +0 +250 ms +750 ms +750 ms +0 +0 +- +-$/m);
    expect(stdout).toMatch(/^\(unnamed\) +1 +1 /m);
    expect((await traffic('--user', 'cli-ben')).stdout).toMatch(/^requests +1, none failed$/m);
    expect((await traffic('--by', 'model')).stdout).toContain('Nothing of this window has a model.');

    const recent = await traffic('recent', '--failed');
    expect(recent.stdout.trim().split('\n')).toHaveLength(2);
    expect(recent.stdout).toMatch(/insert +\(unnamed\) .* hidden_error +3\.0 s/);
    const [first] = JSON.parse((await traffic('recent', '--user', 'cli-anna', '--json')).stdout).items;
    expect(first).toMatchObject({ operation: 'query', mode: 'mix', duration_ms: 250 });
    expect((await traffic('--by', 'workspce')).stderr).toContain('Did you mean workspace?');
  });
});

describe.skipIf(!withRestic)('recovery points', () => {
  let point: string;
  let attempts = 0;

  beforeAll(async () => {
    const { code, stdout, stderr } = await inPipe(['backup', 'create', '--json', ...here]);
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    point = JSON.parse(stdout).result.backup_id;
  });

  test('an alert has one taken, and names the operation', async () => {
    const action = { kind: 'take-recovery-point', target_id: 'sample', mode: 'run' };
    const rule = { metric_name: 'ragwarden_target_up', condition: 'gte', threshold: 0, duration_seconds: 0, action };
    attempts += 1;
    const name = `cli_point_${attempts}`;
    const path = `/api/v1/metrics/alerts/rules/${name}`;
    const headers = { 'content-type': 'application/json' };
    expect((await api(path, { method: 'PUT', headers, body: JSON.stringify(rule) })).status).toBe(201);
    type History = { items: { action: { state: string; operation_id: string | null } }[] };
    const outcome = await vi.waitUntil(
      async () => {
        const history = (await (await api(`/api/v1/metrics/alerts/history?rule=${name}`)).json()) as History;
        const [{ action: found } = { action: undefined }] = history.items;
        return found?.state === 'due' || found?.state === 'running' ? undefined : found;
      },
      { timeout: 60_000, interval: 100 },
    );
    expect(outcome.state).toBe('begun');
    await api(path, { method: 'DELETE' });
    const followed = await inside(['operations', 'show', outcome.operation_id ?? '', '--follow', ...here]);
    expect(followed.code).toBe(0);
  });

  test('are listed and shown, as tables and as the documents of the API', async () => {
    expect((await inside(['backup', 'list', ...here])).stdout).toContain(point);
    const { stdout } = await inside(['backup', 'list', '--json', ...here]);
    expect(JSON.parse(stdout)).toEqual(await (await api('/api/v1/backup/points')).json());
    expect((await inside(['backup', 'list', '--all', ...here])).stdout).toContain(point);
    expect((await inside(['backup', 'show', point, ...here])).stdout).toMatch(/^verified +2/m);
    expect((await inside(['backup', 'retention', ...here])).stdout).toMatch(new RegExp(`${point}.*keep`));
  });

  test('are verified, with a line per phase on standard error', async () => {
    const { code, stdout, stderr } = await inside(['backup', 'verify', point, ...here]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^verified +backup_.*read back and compared$/m);
    expect(stderr).toMatch(/^backup\.verify: \w+$/m);
  });

  test.each([
    ['..', '..', 2],
    ['empty', '', 2],
    ['a path', '../../etc', 2],
    ['very long', 'x'.repeat(10_000), 2],
    ['unknown', 'backup_20200101_000000_aaaa', 10],
  ])('that do not exist (%s) end with their exit code', async (_, id, expected) => {
    expect((await inside(['backup', 'show', '--', id], { RAGWARDEN_DATA_DIR: dataDir })).code).toBe(expected);
  });

  test('are not restored where nobody can be asked', async () => {
    const { code, stderr } = await inside(['backup', 'restore', point, ...here]);
    expect(code).toBe(2);
    expect(stderr).toContain('--yes');
  });

  test('one at a time: a second run ends with 11, and Ctrl-C leaves the first one running', async () => {
    const first = launch(['backup', 'create', ...here]);
    await first.saw('stderr', 'backup.create: ');
    const second = await inPipe(['backup', 'create', ...here]);
    expect(second.code).toBe(11);
    first.child.kill('SIGINT');
    const { code, stderr } = await first.ended;
    expect(code).toBe(130);
    const [, id = ''] = /operations show (op_\w+)/.exec(stderr) ?? [];
    expect((await inPipe(['operations', 'show', id, '--follow', ...here])).code).toBe(0);
    expect((await inPipe(['operations', 'cancel', id, ...here])).code).toBe(1);
    expect((await inPipe(['operations', 'list', '--state', 'succeeded', ...here])).stdout).toContain(id);
  });

  test('the schedule is switched off and on', async () => {
    expect((await inside(['backup', 'stop', ...here])).stdout).toBe('The schedule is off now.\n');
    expect((await inside(['backup', 'stop', ...here])).stdout).toBe('The schedule was off already.\n');
    expect((await inside(['backup', 'start', ...here])).stdout).toBe('The schedule is on now.\n');
  });

  test('the recovery kit holds the password, is confirmed, and doctor then is content with it', async () => {
    const password = readFileSync(join(dataDir, 'repository-password'), 'utf8').trim();
    const { code, stdout } = await inPipe(['backup', 'kit', ...here]);
    expect(code).toBe(0);
    expect(stdout).toContain(password);
    expect((await inPipe(['backup', 'kit', '--confirm', ...here])).code).toBe(0);
    expect((await inPipe(['doctor', ...here])).stdout).toMatch(/^ok +recovery kit/m);
    expect((await inPipe(['backup', 'kit', '--data-dir', join(home, 'nothing')])).code).toBe(10);
  });

  test('bring a damaged workspace back byte for byte', async () => {
    const workspace = join(dataDir, 'sample/rag_storage');
    const before = digests(workspace);
    expect(Object.keys(before).length).toBeGreaterThan(5);
    for (const name of Object.keys(before).slice(0, 5)) unlinkSync(join(workspace, name));
    const { code, stdout } = await inPipe(['backup', 'restore', point, '--yes', '--json', ...here]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ kind: 'backup.restore', state: 'succeeded' });
    expect(digests(workspace)).toEqual(before);
  });

  test.skipIf(!withTerminal)('are restored at a terminal after the plan was shown and the target typed', async () => {
    const workspace = join(dataDir, 'sample/rag_storage');
    const before = digests(workspace);
    unlinkSync(join(workspace, 'kv_store_doc_status.json'));
    const damaged = digests(workspace);

    const refused = launchInTerminal(['backup', 'restore', point, ...here]);
    await refused.saw('stdout', 'Type sample or y');
    refused.child.stdin.write('no\n');
    const first = await refused.ended;
    expect(first.code).toBe(1);
    expect(first.stdout).toContain('Nothing was changed.');
    expect(digests(workspace)).toEqual(damaged);

    const left = launchInTerminal(['backup', 'restore', point, ...here]);
    await left.saw('stdout', 'Type sample or y');
    left.child.stdin.write('\u0003');
    expect((await left.ended).code).toBe(130);
    expect(digests(workspace)).toEqual(damaged);

    const agreed = launchInTerminal(['backup', 'restore', point, ...here]);
    const asked = await agreed.saw('stdout', 'Type sample or y');
    for (const part of ['kv_store_doc_status.json', 'add', 'Steps', 'take a safety point'])
      expect(asked).toContain(part);
    agreed.child.stdin.write('sample\n');
    const { code, stdout } = await agreed.ended;
    expect(code).toBe(0);
    expect(stdout).toContain('\r\u001b[2K');
    expect(stdout).toMatch(/restored.*\d+ files/);
    expect(digests(workspace)).toEqual(before);
  });
});

describe.skipIf(!withTerminal)('at a terminal', () => {
  test('colours are there, unless NO_COLOR says no', async () => {
    const coloured = await launchInTerminal(['target', 'list', ...here]).ended;
    expect(coloured.stdout).toContain('\u001b[32mHEALTHY');
    const plain = await launchInTerminal(['target', 'list', ...here], { NO_COLOR: '1' }).ended;
    expect(plain.stdout).toContain('HEALTHY');
    expect(plain.stdout).not.toContain('\u001b[');
  });

  test('up welcomes, gives a link and the first token once, and stops with Ctrl-C', async () => {
    const folder = join(home, 'welcome');
    const running = launchInTerminal(['up', ...anyPort, '--data-dir', folder]);
    const said = await running.saw('stdout', 'Ctrl-C stops it');
    for (const part of [
      'is ready',
      'bundled sample backend',
      'status',
      'backup list',
      'backup restore ID',
      'RAGWARDEN_TARGET_URL',
    ])
      expect(said).toContain(part);
    expect(said).not.toContain('"event":"ready"');
    const [, url = '', code] = /(http:\/\/127\.0\.0\.1:\d+)\/health#login=([\w-]+)/.exec(said) ?? [];
    const [, token] = /shown this once[^\n]*\r\n\r\n +(\S+)/.exec(said) ?? [];
    expect(existsSync(join(folder, 'admin-token'))).toBe(false);
    expect((await fetch(`${url}/api/v1/targets`, { headers: { authorization: `Bearer ${token}` } })).status).toBe(200);
    const login = await fetch(`${url}/api/v1/access/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: url },
      body: JSON.stringify({ code }),
    });
    expect(login.status).toBe(200);
    running.child.stdin.write('\u0003');
    const ended = await running.ended;
    expect(ended.code).toBe(0);
    expect(processesWith(folder)).toEqual([]);

    const again = launchInTerminal(['up', ...anyPort, '--data-dir', folder]);
    expect(await again.saw('stdout', 'Ctrl-C stops it')).not.toContain('shown this once');
    again.child.stdin.write('\u0003');
    expect((await again.ended).code).toBe(0);
  });
});
