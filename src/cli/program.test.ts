import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { runInPipe } from './test-terminal.ts';

const folder = mkdtempSync(join(tmpdir(), 'ragwarden-cli-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Every command, found by reading the help as a person would. */
async function allCommands(path: readonly string[] = []): Promise<string[][]> {
  const { stdout } = await runInPipe([...path, '--help']);
  const listed = stdout.split(/^Commands:$/m)[1]?.split(/^\S/m)[0] ?? '';
  const names = [...listed.matchAll(/^ {2}([a-z-]+)/gm)].map(([, name = '']) => name).filter((name) => name !== 'help');
  const inner = await Promise.all(names.map((name) => allCommands([...path, name])));
  return names.length === 0 ? [[...path]] : inner.flat();
}

const commands = await allCommands();

test('offers the commands that are promised', () => {
  expect(commands.map((words) => words.join(' '))).toEqual([
    'up',
    'serve',
    'status',
    'backup create',
    'backup list',
    'backup show',
    'backup verify',
    'backup restore',
    'backup kit',
    'backup adopt-repository',
    'backup pin',
    'backup unpin',
    'backup rebuild-catalogue',
    'backup start',
    'backup stop',
    'backup sources',
    'backup export-config',
    'backup graphs',
    'backup snapshots',
    'backup snapshot take',
    'backup snapshot show',
    'backup snapshot delete',
    'backup schedule',
    'backup cleanup',
    'backup retention',
    'drill run',
    'drill chaos',
    'drill list',
    'drill show',
    'drill evidence',
    'recovery status',
    'failover status',
    'failover run',
    'failover reseed',
    'failover list',
    'failover show',
    'checkpoint create',
    'checkpoint list',
    'checkpoint show',
    'checkpoint validate',
    'checkpoint failover',
    'checkpoint remove',
    'replicate status',
    'replicate targets',
    'replicate show',
    'replicate add',
    'replicate enable',
    'replicate disable',
    'replicate remove',
    'replicate run',
    'replicate verify',
    'replicate heal',
    'replicate prune',
    'replicate received',
    'replicate adopt',
    'replicate logs',
    'repo status',
    'repo check',
    'repo forget',
    'repo prune',
    'repo unlock',
    'recover',
    'target list',
    'target inspect',
    'target orphans',
    'resources summary',
    'resources list',
    'resources observed',
    'leaks list',
    'leaks evidence',
    'analytics profiles',
    'analytics patterns',
    'analytics recommendations',
    'analytics dismiss',
    'analytics reopen',
    'analytics forecast',
    'analytics run',
    'documents status',
    'documents stuck',
    'documents reprocess',
    'canary status',
    'canary run',
    'canary plant',
    'events list',
    'events watch',
    'events analytics',
    'events export',
    'events verify',
    'system rotate-logs',
    'system cleanup-logs',
    'system validate',
    'system reload',
    'system restart',
    'system clear-caches',
    'system bundle',
    'operations list',
    'operations show',
    'operations cancel',
    'jobs',
    'growth',
    'cleanup strategies',
    'cleanup plan',
    'cleanup run',
    'cleanup tasks',
    'cleanup enable',
    'cleanup disable',
    'cleanup history',
    'cleanup quarantine',
    'cleanup undo',
    'cleanup workspace',
    'metrics list',
    'metrics query',
    'metrics top',
    'metrics record',
    'health checks',
    'health check',
    'health graphs',
    'health services',
    'traffic summary',
    'traffic recent',
    'alerts list',
    'alerts history',
    'alerts ack',
    'alerts test',
    'alerts rules list',
    'alerts rules show',
    'alerts rules put',
    'alerts rules delete',
    'alerts rules export',
    'alerts silence',
    'alerts silences list',
    'alerts silences end',
    'alerts receivers list',
    'alerts receivers test',
    'alerts receivers add',
    'alerts receivers remove',
    'alerts deliveries list',
    'alerts deliveries show',
    'alerts deliveries retry',
    'gateway status',
    'key create',
    'key list',
    'key revoke',
    'quota list',
    'quota show',
    'quota set',
    'quota replay',
    'quota remove',
    'quota reset',
    'quota check',
    'quota violations',
    'quota reservations',
    'quota release',
    'quota settle',
    'tune get',
    'tune set',
    'tune reset',
    'tune check',
    'tune history',
    'tune show',
    'tune diff',
    'tune rollback',
    'tune drift',
    'tune advise',
    'tune running',
    'tune provider list',
    'tune provider switch',
    'tune apply',
    'token create',
    'token list',
    'token revoke',
    'token rotate',
    'token login-link',
    'token end-sessions',
    'settings list',
    'settings get',
    'settings set',
    'settings reset',
    'settings reload',
    'config check',
    'config show',
    'config reference',
    'config schema',
    'config example',
    'doctor',
    'fold',
    'explain',
    'completion',
  ]);
});

describe('help', () => {
  test.each(commands.map((words) => [words.join(' '), words] as const))(
    'of %s ends well and names the exit codes',
    async (_, words) => {
      const { code, stdout, stderr } = await runInPipe([...words, '--help']);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toContain('Usage: ragwarden');
      expect(stdout).toContain('130 interrupted');
    },
  );

  test.each([
    [[]],
    [['up']],
    [['serve']],
    [['status']],
    [['backup']],
    [['backup', 'restore']],
    [['events']],
    [['token']],
    [['config']],
    [['doctor']],
    [['explain']],
    [['completion']],
  ])('of %j begins with examples', async (words) => {
    expect((await runInPipe([...words, '--help'])).stdout).toMatch(/^Examples:\n {2}\$ ragwarden /);
  });
});

describe('what cannot be parsed ends with 2', () => {
  test.each([
    [['statsu'], 'status'],
    [['backup', 'craete'], 'create'],
    [['status', '--jsno'], '--json'],
    [['up', '--prot', '1'], '--port'],
  ])('and %j is told the nearest', async (argv, nearest) => {
    const { code, stdout, stderr } = await runInPipe(argv);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(`Did you mean ${nearest}?`);
  });

  test.each([
    [[]],
    [['backup']],
    [['backup', 'show']],
    [['backup', 'list', 'extra']],
    [['events', '--limit', '0']],
    [['events', '--limit', 'many']],
    [['token', 'create', 'ci']],
    [['token', 'create', 'ci', '--role', 'king']],
    [['serve', '--gateway-port', '70000']],
    [['backup', 'kit', '--json']],
  ])('such as %j', async (argv) => {
    const { code, stdout, stderr } = await runInPipe(argv);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).not.toBe('');
  });
});

describe('an enumerated value that is mistyped ends with 2 and is told the nearest', () => {
  test.each([
    [['token', 'create', 'ci', '--role', 'admni'], 'admin'],
    [['operations', 'list', '--state', 'runing'], 'running'],
    [['events', '--severity', 'error,critcal'], 'critical'],
    [['completion', 'bahs'], 'bash'],
  ])('%j', async (argv, nearest) => {
    const { code, stdout, stderr } = await runInPipe(argv);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(`Did you mean ${nearest}?`);
  });
});

describe('options that most commands have may stand before the command', () => {
  const file = join(folder, 'before.yaml');
  const other = join(folder, 'other.yaml');
  writeFileSync(file, 'server:\n  port: 8801\n');
  writeFileSync(other, 'server:\n  port: 8802\n');
  const portShown = async (argv: readonly string[]): Promise<unknown> => {
    const shown: { key: string; value: string }[] = JSON.parse((await runInPipe(argv)).stdout);
    return shown.find((one) => one.key === 'server.port')?.value;
  };

  test.each([
    [['--config', file, '--json', 'config', 'show']],
    [['config', '--config', file, 'show', '--json']],
    [['--json', 'config', `--config=${file}`, 'show']],
    [['--config', other, '--json', 'config', 'show', '--config', file]],
    [['--config', other, 'config', '--config', file, 'show', '--json']],
  ])('%j, and the nearest one counts', async (argv) => {
    expect(await portShown(argv)).toBe('8801');
  });

  test('and are refused where the command has no such option', async () => {
    const { code, stdout, stderr } = await runInPipe(['--json', 'config', 'reference']);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain("'reference' has no option --json");
  });
});

test('the version is one line', async () => {
  const { code, stdout } = await runInPipe(['--version']);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test('a remote command without a server ends with 13 and says what to do', async () => {
  const { code, stderr } = await runInPipe(['status', '--data-dir', folder]);
  expect(code).toBe(13);
  expect(stderr).toContain('ragwarden up');
});

describe('settings', () => {
  const bad = { RAGWARDEN_PRT: '1', RAGWARDEN_PORT: 'x' };

  test('that are wrong are all told before anything is started', async () => {
    const { code, stdout, stderr } = await runInPipe(['serve', '--metrics-port', '99999'], { env: bad });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    for (const place of ['RAGWARDEN_PRT', 'RAGWARDEN_PORT', '--metrics-port']) expect(stderr).toContain(place);
    expect(stderr).toContain('Did you mean RAGWARDEN_PORT?');
  });

  test('can be checked alone, as text and as a document', async () => {
    expect((await runInPipe(['config', 'check'])).code).toBe(0);
    const { code, stdout } = await runInPipe(['config', 'check', '--json'], { env: bad });
    expect(code).toBe(2);
    expect(JSON.parse(stdout).problems).toHaveLength(2);
  });

  test('are shown with their origin and without their secrets', async () => {
    const file = join(folder, 'ragwarden.yaml');
    writeFileSync(file, 'server:\n  port: 8800\n');
    const env = { RAGWARDEN_ADMIN_TOKEN: 'do-not-show-this-one', RAGWARDEN_HOST: '127.0.0.1' };
    const { code, stdout } = await runInPipe(['config', 'show', '--origin', '--config', file], { env });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^server\.port +8800 +.*ragwarden\.yaml:2$/m);
    expect(stdout).toMatch(/^server\.host +127\.0\.0\.1 +RAGWARDEN_HOST$/m);
    expect(stdout).toMatch(/^server\.admin_token +\(set\) +RAGWARDEN_ADMIN_TOKEN$/m);
    expect(stdout).not.toContain('do-not-show');
  });

  test('have a reference', async () => {
    expect((await runInPipe(['config', 'reference'])).stdout).toContain('| `server.port` |');
  });
});

test('the recovery kit is printed without a server, and only the page goes to standard output', async () => {
  const { code, stdout, stderr } = await runInPipe(['backup', 'kit']);
  expect({ code, stdout }).toEqual({ code: 0, stdout: 'the page\n' });
  expect(stderr).toContain('--confirm');
});

describe('a script is never left waiting for an answer', () => {
  const asking: Readonly<Record<string, readonly string[]>> = {
    'backup restore': ['ID'],
    'backup adopt-repository': [],
    'backup snapshot delete': ['target:graph', 'ID'],
    'backup cleanup': [],
    'failover run': [],
    'failover reseed': [],
    'checkpoint failover': ['ID'],
    'replicate heal': ['REPLICA'],
    'repo forget': [],
    recover: ['--kit', '/nonexistent/kit'],
    'system cleanup-logs': [],
    'system restart': [],
    'cleanup run': ['logs'],
    'cleanup workspace': ['WORKSPACE'],
    'alerts rules delete': ['RULE'],
    'alerts receivers remove': ['ID'],
    'key revoke': ['ID'],
    'quota remove': ['ID'],
    'quota reset': ['ID'],
    'tune reset': [],
    'tune apply': [],
    'tune provider switch': ['ID'],
    'token revoke': ['ID'],
  };
  /** It asks about some caches only, which the server knows. */
  const later = ['system clear-caches'];
  /** Act at once. Whoever adds a command here says that a script may run it unasked; docs/cli.md tells people so. */
  const atOnce = [
    ...['up', 'serve', 'status', 'jobs', 'growth', 'doctor', 'explain', 'completion'],
    // Show or check something.
    ...['list', 'show', 'verify', 'sources', 'graphs', 'snapshots', 'snapshot show', 'retention', 'kit'].map(
      (verb) => `backup ${verb}`,
    ),
    ...['list', 'show', 'evidence'].map((verb) => `drill ${verb}`),
    ...['recovery status', 'failover status', 'failover list', 'failover show'],
    ...['list', 'show', 'validate'].map((verb) => `checkpoint ${verb}`),
    ...['status', 'targets', 'show', 'verify', 'received', 'logs'].map((verb) => `replicate ${verb}`),
    ...['repo status', 'repo check', 'target list', 'target inspect', 'target orphans'],
    ...['resources summary', 'resources list', 'resources observed', 'leaks list', 'leaks evidence'],
    ...['profiles', 'patterns', 'recommendations', 'forecast', 'run'].map((verb) => `analytics ${verb}`),
    ...['documents status', 'documents stuck', 'canary status'],
    ...['list', 'watch', 'analytics', 'export', 'verify'].map((verb) => `events ${verb}`),
    ...['system validate', 'system bundle', 'operations list', 'operations show'],
    ...['strategies', 'plan', 'tasks', 'history', 'quarantine'].map((verb) => `cleanup ${verb}`),
    ...['metrics list', 'metrics query', 'metrics top', 'gateway status', 'key list', 'token list'],
    ...['checks', 'check', 'graphs', 'services'].map((verb) => `health ${verb}`),
    ...['traffic summary', 'traffic recent'],
    ...['list', 'history', 'test', 'rules list', 'rules show', 'rules export', 'silences list'].map(
      (verb) => `alerts ${verb}`,
    ),
    ...['receivers list', 'receivers test', 'deliveries list', 'deliveries show'].map((verb) => `alerts ${verb}`),
    ...['list', 'show', 'replay', 'violations', 'reservations'].map((verb) => `quota ${verb}`),
    ...['get', 'check', 'history', 'show', 'diff', 'drift', 'advise', 'running', 'provider list'].map(
      (verb) => `tune ${verb}`,
    ),
    ...['settings list', 'settings get'],
    ...['check', 'show', 'reference', 'schema', 'example'].map((verb) => `config ${verb}`),
    // Add something, or write beside what there is.
    ...['create', 'snapshot take', 'rebuild-catalogue', 'export-config'].map((verb) => `backup ${verb}`),
    ...['drill run', 'drill chaos', 'checkpoint create', 'replicate add', 'replicate run', 'replicate adopt'],
    ...['documents reprocess', 'canary run', 'canary plant', 'metrics record', 'fold'],
    ...['alerts rules put', 'alerts receivers add', 'alerts silence', 'alerts deliveries retry'],
    ...['key create', 'quota check', 'token create', 'token login-link'],
    // Change what a second command changes back.
    ...['pin', 'unpin', 'start', 'stop', 'schedule'].map((verb) => `backup ${verb}`),
    ...['replicate enable', 'replicate disable', 'analytics dismiss', 'analytics reopen', 'alerts ack'],
    ...['cleanup enable', 'cleanup disable', 'cleanup undo', 'quota set', 'tune set', 'tune rollback'],
    ...['settings set', 'settings reset', 'settings reload', 'system reload', 'system rotate-logs'],
    // End what can be begun anew, or leave alone what it named.
    ...['operations cancel', 'alerts silences end', 'quota release', 'quota settle', 'checkpoint remove'],
    ...['replicate remove', 'token rotate', 'token end-sessions'],
    // Free what nothing refers to any more, or whose holder is dead.
    ...['repo prune', 'replicate prune', 'repo unlock'],
  ];

  test('each command is here: as one that asks, or as one that acts at once', async () => {
    const withYes: string[] = [];
    const without: string[] = [];
    for (const words of commands)
      ((await runInPipe([...words, '--help'])).stdout.includes('--yes') ? withYes : without).push(words.join(' '));
    expect(withYes.sort()).toEqual([...Object.keys(asking), ...later].sort());
    expect(without.sort()).toEqual(atOnce.sort());
  });

  test.each([...Object.entries(asking), ['cleanup run', ['--task', 'ID']] as const])(
    '%s is refused where nobody can be asked, before anything is asked of a server',
    async (words, rest) => {
      const { code, stdout, stderr } = await runInPipe([...words.split(' '), ...rest]);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toContain('--yes');
    },
  );
});
