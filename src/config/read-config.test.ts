import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isAppError } from '../platform/errors.ts';
import { describeConfig } from './describe-config.ts';
import { createLiveConfig } from './live-config.ts';
import { readConfig, requireConfig } from './read-config.ts';

const folder = (): string => mkdtempSync(join(tmpdir(), 'ragwarden-config-'));
const read = (env: Record<string, string>, yaml?: string, flags: Record<string, string> = {}) => {
  const cwd = folder();
  if (yaml !== undefined) writeFileSync(join(cwd, 'ragwarden.yaml'), yaml);
  return readConfig({ env, flags, cwd });
};
const places = (reading: ReturnType<typeof read>): string[] =>
  reading.problems.map((one) => one.place.replace(/^.*\//, ''));

describe('order of the sources', () => {
  test('a flag beats the environment, which beats the file, which beats the default', () => {
    const yaml = 'server:\n  port: 1003\n';
    expect(read({ RAGWARDEN_PORT: '1002' }, yaml, { port: '1001' }).config.server.port).toBe(1001);
    expect(read({ RAGWARDEN_PORT: '1002' }, yaml).config.server.port).toBe(1002);
    expect(read({}, yaml).config.server.port).toBe(1003);
    expect(read({}).config.server.port).toBe(8710);
  });

  test('each value tells where it came from', () => {
    const reading = read({ BACKUP_FREQUENCY: '3600' }, 'server:\n  host: 127.0.0.1\n', { port: '1' });
    expect(reading.origins.port.place).toBe('--port');
    expect(reading.origins.backupFrequencySeconds.place).toBe('BACKUP_FREQUENCY');
    expect(reading.origins.host.place).toMatch(/ragwarden\.yaml:2$/);
    expect(reading.origins.metricsPort).toEqual({ kind: 'default', place: 'default' });
  });

  test('an empty variable counts as unset', () => {
    expect(read({ RAGWARDEN_PORT: '' }).config.server.port).toBe(8710);
  });
});

describe('two names of one setting', () => {
  test('either works', () => {
    expect(read({ BACKUP_DIR: '/srv/one' }).config.backup.location).toBe('/srv/one');
    expect(read({ LIGHTRAG_BACKUP_STORAGE: '/srv/two' }).config.backup.location).toBe('/srv/two');
  });

  test('the same value in different units is no conflict', () => {
    const reading = read({ BACKUP_FREQUENCY: '86400', LIGHTRAG_AUTO_BACKUP_INTERVAL: '24' });
    expect(reading.problems).toEqual([]);
    expect(reading.config.backup.frequencyMs).toBe(86_400_000);
  });

  test('different values are refused with both named', () => {
    expect(places(read({ BACKUP_DIR: '/srv/one', LIGHTRAG_BACKUP_STORAGE: '/srv/two' }))).toEqual([
      'BACKUP_DIR and LIGHTRAG_BACKUP_STORAGE',
    ]);
  });
});

describe('problems', () => {
  test('all of them are reported at once, with place and mend', () => {
    const reading = read(
      { RAGWARDEN_PORT: 'eighty', BACKUP_RETENTION_DAYS: '-1', RAGWARDEN_HOTS: 'x', MONITORING_ENABLED: 'perhaps' },
      'server:\n  prot: 1\nbackup:\n  frequency_seconds: often\n',
    );
    expect(places(reading).sort()).toEqual([
      'BACKUP_RETENTION_DAYS',
      'MONITORING_ENABLED',
      'RAGWARDEN_HOTS',
      'RAGWARDEN_PORT',
      'ragwarden.yaml:2',
      'ragwarden.yaml:4',
    ]);
    expect(reading.problems.every((one) => one.mend !== '')).toBe(true);
  });

  test('a value of the file is told with its key, and a name with another unit with that unit', () => {
    const [inFile] = read({}, 'server: {port: "x"}\n').problems;
    expect(inFile?.message).toBe('server.port must be a whole number, not "x"');
    const [inHours] = read({ LIGHTRAG_AUTO_BACKUP_INTERVAL: 'daily' }).problems;
    expect(inHours?.mend).toContain('units of 3600 seconds');
  });

  test('a wrong lifecycle says what it may be', () => {
    const [wrong] = read(
      { RAGWARDEN_TARGET_URL: 'http://127.0.0.1:1' },
      'target:\n  lifecycle: {stop: {command: "rm x"}, start: {systemd: a.service}}\n',
    ).problems;
    expect(wrong?.message).toContain('must be {command: [program, argument, …]}');
  });

  test('a mistyped key or variable gets the nearest name', () => {
    const mends = read({ RAGWARDEN_HOTS: 'x' }, 'server:\n  prot: 1\n').problems.map((one) => one.mend);
    expect(mends).toContain('Did you mean RAGWARDEN_HOST?');
    expect(mends).toContain('Did you mean server.port?');
  });

  test('broken YAML names its line', () => {
    expect(places(read({}, 'server:\n  port: [1\nx: 2\n'))[0]).toMatch(/^ragwarden\.yaml:\d+$/);
  });

  test('a key twice is refused', () => {
    expect(read({}, 'profile: production\nprofile: development\n').problems).toHaveLength(1);
  });

  test('a file that was named but is missing is a problem, an unnamed one is not', () => {
    expect(read({}).problems).toEqual([]);
    expect(read({ RAGWARDEN_CONFIG: 'nowhere.yaml' }).problems).toHaveLength(1);
  });

  test('parts of a target without its URL are refused', () => {
    expect(places(read({ WORKING_DIR: '/srv/rag' }))).toEqual(['WORKING_DIR']);
  });

  test('a repository inside the folder it protects is refused', () => {
    const reading = read({
      RAGWARDEN_TARGET_URL: 'http://127.0.0.1:9621',
      WORKING_DIR: '/srv/rag',
      BACKUP_DIR: '/srv/rag/backups',
    });
    expect(reading.problems.map((one) => one.message)).toEqual(['the repository lies inside the folder it protects']);
  });

  test('listening beyond loopback without an own token is refused', () => {
    expect(places(read({ RAGWARDEN_HOST: '0.0.0.0' }))).toEqual(['RAGWARDEN_HOST']);
    expect(read({ RAGWARDEN_HOST: '0.0.0.0', RAGWARDEN_ADMIN_TOKEN: 'a-long-enough-token' }).problems).toEqual([]);
  });

  test('requireConfig throws one error that lists them', () => {
    const reading = read({ RAGWARDEN_PORT: 'x', LIGHTRAG_METRICS_PORT: 'y' });
    try {
      requireConfig(reading);
      expect.unreachable();
    } catch (err) {
      if (!isAppError(err)) throw err;
      expect(err.code).toBe('config/invalid');
      expect(err.violations).toHaveLength(2);
    }
  });
});

describe('secrets', () => {
  test('are read from a file that a variable names', () => {
    const path = join(folder(), 'key');
    writeFileSync(path, 'from-the-file\n');
    const reading = read({ RAGWARDEN_TARGET_URL: 'http://127.0.0.1:1', LIGHTRAG_API_KEY_FILE: path });
    expect(reading.config.target?.apiKey).toBe('from-the-file');
  });

  test('are refused in the file and never shown', () => {
    expect(read({}, 'server:\n  admin_token: abcdefghijklmnopqrstu\n').problems).toHaveLength(1);
    const reading = read({ RAGWARDEN_ADMIN_TOKEN: 'abcdefghijklmnopqrstu' });
    expect(JSON.stringify(describeConfig(reading))).not.toContain('abcdefgh');
  });

  test('do not appear in complaints', () => {
    const reading = read({ RAGWARDEN_ADMIN_TOKEN: 'tooshort' });
    expect(JSON.stringify(reading.problems)).not.toContain('tooshort');
  });
});

describe('the issuer of JWTs', () => {
  const long = 'a-shared-secret-of-more-than-32-bytes';
  const auth0 = { AUTH0_DOMAIN: 'tenant.eu.auth0.com', AUTH0_API_AUDIENCE: 'https://rag.example/api' };

  test('is nobody unless a key is set, and nobody is an admin by it', () => {
    expect(read({}).config.access).toEqual({ adminUserIds: [], jwt: undefined });
    expect(read({ ADMIN_USER_IDS: '' }).config.access.adminUserIds).toEqual([]);
    expect(read({ ADMIN_USER_IDS: ' , ,' }).config.access.adminUserIds).toEqual([]);
    expect(read({ ADMIN_USER_IDS: ' auth0|a , google-oauth2|b,' }).config.access.adminUserIds).toEqual([
      'auth0|a',
      'google-oauth2|b',
    ]);
  });

  test('is an Auth0 tenant by its domain alone', () => {
    const reading = read({ ...auth0, RAGWARDEN_JWT_WORKSPACES_CLAIM: 'https://rag.example/workspaces' });
    expect(reading.problems).toEqual([]);
    expect(reading.config.access.jwt).toEqual({
      key: { kind: 'jwks', url: 'https://tenant.eu.auth0.com/.well-known/jwks.json' },
      issuer: 'https://tenant.eu.auth0.com/',
      audience: 'https://rag.example/api',
      workspacesClaim: 'https://rag.example/workspaces',
    });
  });

  test('is any other by key set, issuer and audience, or by a shared secret from a file', () => {
    const set = {
      RAGWARDEN_JWT_JWKS_URL: 'https://id.example/certs',
      RAGWARDEN_JWT_ISSUER: 'https://id.example/realms/a',
    };
    const byKeySet = read({ ...set, RAGWARDEN_JWT_AUDIENCE: 'ragwarden' });
    expect(byKeySet.problems).toEqual([]);
    expect(byKeySet.config.access.jwt?.issuer).toBe('https://id.example/realms/a');
    const path = join(folder(), 'secret');
    writeFileSync(path, `${long}\n`);
    expect(read({ RAGWARDEN_JWT_SECRET_FILE: path }).config.access.jwt?.key).toEqual({ kind: 'secret', secret: long });
  });

  test.each<[Record<string, string>, string]>([
    [{ RAGWARDEN_JWT_SECRET: 'short' }, 'RAGWARDEN_JWT_SECRET'],
    [{ RAGWARDEN_JWT_SECRET: long, ...auth0 }, 'RAGWARDEN_JWT_SECRET'],
    [{ AUTH0_DOMAIN: auth0.AUTH0_DOMAIN }, 'AUTH0_DOMAIN'],
    [{ ...auth0, AUTH0_DOMAIN: 'https://tenant.eu.auth0.com' }, 'AUTH0_DOMAIN'],
    [{ ...auth0, AUTH0_DOMAIN: 'tenant.eu.auth0.com/@evil.example' }, 'AUTH0_DOMAIN'],
    [{ AUTH0_API_AUDIENCE: auth0.AUTH0_API_AUDIENCE }, 'AUTH0_API_AUDIENCE'],
    [{ RAGWARDEN_JWT_ISSUER: 'https://id.example' }, 'RAGWARDEN_JWT_ISSUER'],
    [{ RAGWARDEN_JWT_WORKSPACES_CLAIM: 'workspaces' }, 'RAGWARDEN_JWT_WORKSPACES_CLAIM'],
    [{ ...auth0, RAGWARDEN_JWT_ISSUER: 'https://other.example/' }, 'RAGWARDEN_JWT_ISSUER'],
    [{ ...auth0, RAGWARDEN_JWT_JWKS_URL: 'https://other.example/keys' }, 'RAGWARDEN_JWT_JWKS_URL'],
    [{ ...auth0, RAGWARDEN_JWT_AUDIENCE: 'other' }, 'RAGWARDEN_JWT_AUDIENCE and AUTH0_API_AUDIENCE'],
    [{ ...auth0, RAGWARDEN_JWT_JWKS_URL: 'file:///etc/passwd' }, 'RAGWARDEN_JWT_JWKS_URL'],
    [{ RAGWARDEN_JWT_JWKS_URL: 'https://i.example/k', RAGWARDEN_JWT_AUDIENCE: 'a' }, 'RAGWARDEN_JWT_JWKS_URL'],
    [{ RAGWARDEN_JWT_JWKS_URL: 'https://i.example/k', RAGWARDEN_JWT_ISSUER: 'a' }, 'RAGWARDEN_JWT_JWKS_URL'],
  ])('with %j is refused', (env, place) => {
    const { problems } = read(env);
    expect([...new Set(problems.map((one) => one.place))]).toContain(place);
    expect(JSON.stringify(problems)).not.toContain('shared-secret');
  });
});

test('the structure of a target comes from the file', () => {
  const reading = read(
    { RAGWARDEN_TARGET_URL: 'http://127.0.0.1:9621/' },
    'target:\n  working_dir: rag\n  lifecycle:\n    stop: {command: [systemctl, stop, rag]}\n    start: {systemd: rag.service}\n  paths:\n    /app/data: /srv/data\n',
  );
  expect(reading.problems).toEqual([]);
  expect(reading.config.target?.url).toBe('http://127.0.0.1:9621');
  expect(reading.config.target?.workingDir).toMatch(/\/rag$/);
  expect(reading.config.target?.lifecycle?.stop).toEqual({ command: ['systemctl', 'stop', 'rag'] });
  expect(reading.config.target?.paths).toEqual({ '/app/data': '/srv/data' });
});

describe('stores that get the metrics', () => {
  const store = (lines: string, env: Record<string, string> = {}) =>
    read(env, `metrics:\n  remote_write:\n    - {name: a, url: 'https://store.example/api/v1/write', ${lines}}\n`);

  test('come from the file, which names their secrets and holds none', () => {
    const { problems, notices, config } = store(
      'bearer_token_env: RAGWARDEN_STORE_TOKEN, headers: {X-Scope-OrgID: rag}, labels: {site: north}, queue_mb: 8',
      { RAGWARDEN_STORE_TOKEN: 'of-the-store' },
    );
    // A variable that the file names is a setting, whatever it is called.
    expect([problems, notices]).toEqual([[], []]);
    expect(config.metrics.remoteWrite).toEqual([
      {
        name: 'a',
        endpoint: {
          url: 'https://store.example/api/v1/write',
          headers: { 'X-Scope-OrgID': 'rag' },
          auth: { kind: 'bearer', token: { value: 'of-the-store' } },
          timeoutMs: 30_000,
        },
        labels: { site: 'north' },
        intervalMs: 10_000,
        maxQueueBytes: 8 * 1_048_576,
        batchSamples: 2_000,
      },
    ]);
    expect(store('username: me, password_file: secret').config.metrics.remoteWrite[0]?.endpoint.auth).toMatchObject({
      kind: 'basic',
      password: { file: expect.stringMatching(/^\/.*\/secret$/) },
    });
  });

  test.each([
    ['bearer_token_env: NOT_THERE', 'names the variable NOT_THERE, which is not set'],
    ['bearer_token_env: A, bearer_token_file: b', 'bearer_token is named twice'],
    ['username: me', 'has a user name or a password without the other'],
    ['username: me, password_file: p, bearer_token_file: b', 'has a bearer token and a user name or password'],
    ['headers: {authorization: secret-one}', 'the header Authorization holds a secret'],
    ['bearer_token: secret-one', 'Unrecognized key'],
    ['interval_seconds: 0', 'Too small'],
    ['labels: {__name__: x}', 'Invalid key'],
  ])('are refused with %s', (lines, complaint) => {
    const { problems } = store(lines, { A: 'x' });
    expect(problems.map(({ place, message }) => `${place} ${message}`).join()).toContain(complaint);
    expect(JSON.stringify(problems)).not.toContain('secret-one');
  });

  test('have names and URLs of their own, and a change waits for a restart', () => {
    const one = "{name: a, url: 'https://me:secret-one@store.example/'}";
    const { problems } = read({}, `metrics:\n  remote_write: [${one}, ${one}]\n`);
    const told = problems.map(({ message }) => message);
    expect(told).toContain('the name a is there twice');
    expect(told).toContain('the URL carries credentials');
    const started = store('queue_mb: 8');
    const plan = createLiveConfig(started, new Map()).plan({ sources: store('queue_mb: 9').sources });
    expect(plan.needsRestart).toEqual(['metrics.remote_write']);
  });
});

describe('endpoints that are scraped', () => {
  const scrape = (lines: string) =>
    read({}, `metrics:\n  scrape:\n    - {job: a, url: 'http://127.0.0.1:9400/metrics'${lines}}\n`);

  test('come from the file, each with limits of its own', () => {
    const { problems, config } = scrape(', interval_seconds: 5, drop: [go_*], sample_limit: 20');
    expect(problems).toEqual([]);
    expect(config.metrics.scrape).toEqual([
      {
        ...{ job: 'a', intervalMs: 5_000, labels: {}, sampleLimit: 20, bodyLimitBytes: 16 * 1_048_576 },
        ...{ keep: undefined, drop: ['go_*'] },
        endpoint: { url: 'http://127.0.0.1:9400/metrics', headers: {}, auth: { kind: 'none' }, timeoutMs: 5_000 },
      },
    ]);
  });

  test.each([
    [', timeout_seconds: 40', 'timeout_seconds is longer than interval_seconds'],
    [', labels: {instance: x}', 'the label instance is set by ragwarden'],
    [', keep: ["*"]', 'must be the name of a metric'],
    ['}\n    - {job: a, url: "http://127.0.0.1:9400/metrics"', 'is there twice'],
    [', bearer_token_env: NOT_THERE', 'which is not set'],
  ])('are refused with %s', (lines, complaint) => {
    const { problems } = scrape(lines);
    expect(problems.map(({ message }) => message).join()).toContain(complaint);
  });
});

test('whether the metrics port was asked for is known, since only the default one may be taken', () => {
  expect(read({}).config.metrics.portChosen).toBe(false);
  expect(read({ LIGHTRAG_METRICS_PORT: '9090' }).config.metrics.portChosen).toBe(true);
});

test('the development profile changes defaults but nothing that was set', () => {
  expect(read({ RAGWARDEN_PROFILE: 'development' }).config.monitoring.sampleIntervalMs).toBe(1000);
  expect(
    read({ RAGWARDEN_PROFILE: 'development', RAGWARDEN_SAMPLE_INTERVAL: '7' }).config.monitoring.sampleIntervalMs,
  ).toBe(7000);
});

/** By production, the default profile, and by development; seconds, days, bytes and numbers as the documents have them. */
test.each([
  ['metricsMaxValues', 1_000_000, 100_000],
  ['metricsAggregationIntervalSeconds', 60, 60],
  ['metricsCleanupIntervalSeconds', 3_600, 3_600],
  ['alertEvaluationIntervalSeconds', 30, 10],
  ['leakCheckIntervalSeconds', 60, 10],
  ['resourceCleanupIntervalSeconds', 300, 30],
  ['quotaCheckIntervalSeconds', 30, 30],
  ['cleanupMaxConcurrent', 10, 10],
  ['cleanupBatchSize', 100, 100],
  ['cleanupCheckIntervalSeconds', 60, 60],
  ['replicationMaxConcurrent', 3, 3],
  ['logsRotateOverBytes', 100 * 2 ** 20, 100 * 2 ** 20],
  ['logsKeepDays', 30, 30],
  ['logLevel', 'info', 'debug'],
] as const)('the numbers of the documents are the defaults: %s', (name, production, development) => {
  expect(read({}).values[name]).toBe(production);
  expect(read({ RAGWARDEN_PROFILE: 'production' }).values[name]).toBe(production);
  expect(read({ RAGWARDEN_PROFILE: 'development' }).values[name]).toBe(development);
});

test('the configuration cannot be changed afterwards', () => {
  expect(Object.isFrozen(read({}).config.backup)).toBe(true);
});

describe('the databases of the backend', () => {
  test('are named by one URL or by its pieces', () => {
    const whole = { host: 'db.example', port: 5433, user: 'rag', password: 'p@ss', database: 'light rag' };
    expect(
      read({ DATABASE_URL: 'postgresql+asyncpg://rag:p%40ss@db.example:5433/light%20rag?ssl=true' }).config
        .targetDatabases.postgres,
    ).toEqual({ ...whole, tls: { mode: 'require' } });
    const pieces = {
      POSTGRES_HOST: 'db.example',
      POSTGRES_PORT: '5433',
      POSTGRES_USER: 'rag',
      POSTGRES_PASSWORD: 'p@ss',
      POSTGRES_DATABASE: 'light rag',
    };
    expect(read(pieces).config.targetDatabases.postgres).toEqual(whole);
    expect(read({ POSTGRES_DATABASE: 'd' }).config.targetDatabases.postgres).toEqual({
      host: 'localhost',
      port: 5432,
      user: undefined,
      password: undefined,
      database: 'd',
    });
    expect(read({ POSTGRES_PASSWORD: 'x' }).config.targetDatabases.postgres).toBeUndefined();
  });

  test.each([
    ['p@ss/w:rd%40?#', 'postgresql://u:p@ss%2fw:rd%2540%3f%23@h/d'],
    ['a:b/c@d?e#f', 'postgresql://u:a:b/c@d?e#f@h/d'],
    ['%', 'postgresql://u:%@h/d'],
  ])('a password with odd characters is read whole: %s', (password, url) => {
    expect(read({ DATABASE_URL: url }).config.targetDatabases.postgres).toMatchObject({
      password,
      user: 'u',
      host: 'h',
      database: 'd',
    });
  });

  test.each([
    ['postgresql://u@[::1]:5433/d', '::1', 5433],
    ['postgresql://u@%2Fvar%2Frun%2Fpostgresql/d', '/var/run/postgresql', 5432],
    ['postgresql://u@%2Fvar%2Frun:5433/d', '/var/run', 5433],
    ['postgresql:///d?host=/var/run/postgresql&port=6432', '/var/run/postgresql', 6432],
    ['postgresql://u@h', 'h', 5432],
  ])('%s', (url, host, port) => {
    const { config, problems } = read({ DATABASE_URL: url });
    expect(problems).toEqual([]);
    expect(config.targetDatabases.postgres).toMatchObject({ host, port });
  });

  test('how TLS is spoken stands in the URL or beside it', () => {
    const tls = { mode: 'verify-full', rootCert: '/etc/ca.pem' };
    expect(
      read({ DATABASE_URL: 'postgresql://u@h/d?sslmode=verify-full&sslrootcert=/etc/ca.pem' }).config.targetDatabases
        .postgres,
    ).toEqual({ host: 'h', port: 5432, user: 'u', database: 'd', tls });
    expect(
      read({ POSTGRES_HOST: 'h', POSTGRES_SSL_MODE: 'verify-full', POSTGRES_SSL_ROOT_CERT: '/etc/ca.pem' }).config
        .targetDatabases.postgres,
    ).toMatchObject({ tls });
  });

  test('URL and pieces that agree are one setting, others are refused with both named and neither shown', () => {
    const url = 'postgres://rag:secret-one@db.example/rag';
    expect(read({ DATABASE_URL: url, POSTGRES_PORT: '5432', POSTGRES_USER: 'rag' }).problems).toEqual([]);
    const { problems } = read({ DATABASE_URL: url, POSTGRES_HOST: 'other', POSTGRES_PASSWORD: 'secret-two' });
    expect(problems.map(({ place }) => place)).toEqual([
      'DATABASE_URL and POSTGRES_HOST',
      'DATABASE_URL and POSTGRES_PASSWORD',
    ]);
    expect(JSON.stringify(problems)).not.toMatch(/secret-one|secret-two/);
  });

  test.each([
    ['DATABASE_URL', 'mysql://h/d'],
    ['DATABASE_URL', 'postgres:///d'],
    ['DATABASE_URL', 'db.example/d'],
    ['REDIS_URI', 'http://h'],
    ['POSTGRES_PORT', '0'],
  ])('%s=%s is refused', (name, value) => {
    expect(places(read({ [name]: value }))).toEqual([name]);
  });
});

test.each([
  ['CHUNK_SIZE', 'chunkSize', '1200', 1200, 1000, '99'],
  ['GRAPH_TRAVERSAL_DEPTH', 'graphTraversalDepth', '5', 5, 3, '6'],
  ['CACHE_ENABLED', 'cacheEnabled', 'false', false, true, 'maybe'],
  ['CACHE_SIZE', 'cacheSize', '10', 10, 1000, '9'],
  ['VECTOR_DIMENSION', 'vectorDimension', '768', 768, 1536, '767'],
  ['MAX_TOKEN_SIZE', 'maxTokenSize', '1024', 1024, 8192, '32769'],
  ['LIGHTRAG_REPLICATION_ENABLED', 'replicationEnabled', 'true', true, false, '2'],
  ['LIGHTRAG_REPLICATION_HEALTH_CHECK_INTERVAL', 'replicationCheckIntervalSeconds', '60', 60, 300, '0'],
  ['LIGHTRAG_RECOVERY_ENABLED', 'recoveryEnabled', 'no', false, true, 'nein'],
  ['LIGHTRAG_RECOVERY_CHECKPOINT_INTERVAL', 'checkpointIntervalSeconds', '6', 21_600, 43_200, '0'],
] as const)(
  'the names of replication and recovery have their defaults, units and ranges: %s',
  (variable, name, written, value, fallback, wrong) => {
    expect(read({ [variable]: written }).values[name]).toBe(value);
    expect(read({}).values[name]).toBe(fallback);
    expect(places(read({ [variable]: wrong }))).toEqual([variable]);
  },
);

test('only what somebody wrote down is a first value of the tuning', () => {
  expect(read({}).config.tuning.first).toEqual({});
  expect(read({ CHUNK_SIZE: '1000', CACHE_ENABLED: 'false' }).config.tuning.first).toEqual({
    chunk_size: 1_000,
    cache_enabled: false,
  });
});

test('the file gives first values of the tuning, and the environment counts more', () => {
  const yaml = 'tuning:\n  chunk_size: 1200\n  cache_size: 50\n';
  expect(read({}, yaml).config.tuning.first).toEqual({ chunk_size: 1_200, cache_size: 50 });
  expect(read({ CHUNK_SIZE: '900' }, yaml).config.tuning.first).toEqual({ chunk_size: 900, cache_size: 50 });
});

test('the providers that the backend may be switched to are those of the file, with their keys from where it says', () => {
  const yaml = [
    'tuning:',
    '  providers:',
    '    - {id: ollama, llm: {binding: ollama, model: q, host: "http://127.0.0.1:1"}}',
    '    - {id: google_gemini, llm: {binding: gemini, model: g, host: "https://example.org/", key_env: GEMINI}}',
    '    - {id: quiet, embedding: {binding: openai, model: e, host: "http://127.0.0.1:2", check: none, key_file: key}}',
  ].join('\n');
  const { config, problems } = read({ GEMINI: 'k' }, yaml);
  expect(problems).toEqual([]);
  expect(config.tuning.providers).toMatchObject([
    { id: 'ollama', llm: { key: undefined, check: { api: 'ollama', look: 'list', url: 'http://127.0.0.1:1' } } },
    { llm: { key: { value: 'k' }, check: { api: 'openai', url: 'https://example.org/v1beta/openai' } } },
    { embedding: { key: { file: expect.stringMatching(/\/key$/) }, check: undefined, dimension: undefined } },
  ]);
  const wrong = `${yaml}\n    - {id: ollama}\n`;
  expect(read({}, wrong).problems.map(({ message }) => message)).toEqual([
    'names the variable GEMINI, which is not set',
    'stands there twice',
    'names no model',
  ]);
});

test('resources are looked through each minute and 100,000 are tracked, unless told otherwise', () => {
  expect(read({}).config.resources).toMatchObject({ leakCheckIntervalMs: 60_000, maxTracked: 100_000 });
  const told = { RAGWARDEN_LEAK_CHECK_INTERVAL: '10', RAGWARDEN_MAX_TRACKED_RESOURCES: '7' };
  expect(read(told).config.resources).toMatchObject({ leakCheckIntervalMs: 10_000, maxTracked: 7 });
});
