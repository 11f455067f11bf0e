import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hasPart } from '../../test/setup/parts.ts';
import { createDefaultRules } from '../alerts/index.ts';
import { readConfig } from '../config/index.ts';
import { silentLogger } from '../platform/logging.ts';
import { createWarden, type StartedWarden, type Warden } from './warden.ts';

let folder: string;
let warden: Warden;
let started: StartedWarden;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ragwarden-default-rules-'));
  const env = {
    ...{ RAGWARDEN_DATA_DIR: join(folder, 'data'), RAGWARDEN_PORT: '0', LIGHTRAG_METRICS_PORT: '0' },
    ...{ RAGWARDEN_GATEWAY_PORT: '0', RAGWARDEN_ADMIN_TOKEN: 'the-token-of-this-test' },
    ...{ RAGWARDEN_TARGET_URL: 'http://127.0.0.1:9', WORKING_DIR: join(folder, 'rag') },
    RAGWARDEN_BACKUP_AT_START: 'false',
  };
  warden = createWarden({ reading: readConfig({ env, cwd: folder }), log: silentLogger, command: 'serve' });
  started = await warden.start();
});
afterAll(async () => {
  await warden.stop('the test is over');
  rmSync(folder, { recursive: true, force: true });
});

const limits = { cpuPercent: 80, memoryPercent: 85, diskPercent: 80 };
const rules = createDefaultRules({ warning: limits, critical: limits });
/** Made with the canary, which is there where a target has one. */
const elsewhere = new Set(['ragwarden_canary_passed']);

test('every metric that a default rule names exists in a running warden', () => {
  const known = new Set(
    started.registry
      .families()
      .flatMap(({ definition }) => [definition.name, definition.storedName ?? definition.name]),
  );
  const named = rules.flatMap(({ metric_name: name, divide_by: by }) => [name, ...(by ? [by.metric_name] : [])]);
  expect(named.length).toBeGreaterThan(25);
  expect(named.filter((name) => !known.has(name) && !elsewhere.has(name))).toEqual([]);
});

test('the page names nothing by an address that begins at the root, so it may stand below a path of a proxy', async () => {
  const { headers } = await started.server.inject({ url: '/' });
  expect(new URL(String(headers.location), 'https://ops.example.org/rag/').pathname).toBe('/rag/health');
  const { payload } = await started.server.inject({ url: '/health', headers: { accept: 'text/html' } });
  expect(payload).toContain('<title>ragwarden');
  expect(payload).not.toMatch(/(?:src|href)="\//);
});

test('every default rule has a name of its own and a runbook that exists', () => {
  expect(new Set(rules.map(({ name }) => name)).size).toBe(rules.length);
  for (const { name, runbook_url: page = '' } of rules)
    expect([name, existsSync(join(import.meta.dirname, '../..', page))]).toEqual([name, true]);
});

const file = join(import.meta.dirname, '../../deploy/prometheus-rules.yml');

test('the rule file for Prometheus is what the running warden makes of them', async () => {
  const { payload, statusCode } = await started.server.inject({
    url: '/api/v1/metrics/alerts/rules/export?origin=default',
    headers: { authorization: 'Bearer the-token-of-this-test' },
  });
  expect(statusCode, payload).toBe(200);
  const written = existsSync(file) ? readFileSync(file, 'utf8') : '';
  expect(written, '`ragwarden alerts rules export --origin default > deploy/prometheus-rules.yml` makes it').toBe(
    JSON.parse(payload).rule_file,
  );
});

test.skipIf(!hasPart('prometheus'))('and promtool takes it', () => {
  expect(execFileSync('promtool', ['check', 'rules', file], { encoding: 'utf8' })).toMatch(
    /SUCCESS: \d{2} rules found/,
  );
});

test('searches, queries and the own API are slow from the bars on that were promised: 200 ms, 3 s, 500 ms', () => {
  const bars = rules
    .filter(({ name }) => ['search_slow', 'query_slow', 'api_slow'].includes(name))
    .map(({ name, aggregation, condition, threshold }) => [name, aggregation, condition, threshold]);
  expect(bars).toEqual([
    ['search_slow', 'p95', 'gt', 200],
    ['query_slow', 'p95', 'gt', 3_000],
    ['api_slow', 'p95', 'gt', 500],
  ]);
});
