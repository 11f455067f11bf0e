// What holds for all routes alike, asked of the running product through the description of its API.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ApiDocument, operationId } from '../src/platform/http/openapi.ts';
import { type ApiShape, missingFrom, shapeOf } from './api-shape.ts';
import { operationsOf } from './fuzz/requests.ts';
import { field, type RunningWarden, removeFolder, startWarden, temporaryFolder } from './warden-harness.ts';

const root = resolve(import.meta.dirname, '..');
const readJson = (path: string): unknown => JSON.parse(readFileSync(join(root, path), 'utf8'));
const document = readJson('docs/openapi.json') as ApiDocument;
const operations = operationsOf(document);
const takes = (name: string) =>
  operations.filter(({ operation }) => operation.parameters?.some((one) => one.name === name));

describe('the routes of the running product', () => {
  const dataDir = temporaryFolder('protocol');
  let warden: RunningWarden;
  beforeAll(async () => {
    warden = await startWarden({ dataDir, settings: { BACKUP_ENABLED: 'true', BACKUP_FREQUENCY: '86400' } });
  });
  afterAll(async () => {
    await warden?.stop();
    removeFolder(dataDir);
  });

  const lists = takes('cursor').map(({ path }) => path);

  test('every list refuses a cursor that is none of its own, and a page of no size', async () => {
    expect(lists.length).toBeGreaterThan(4);
    for (const path of lists)
      for (const query of [
        'cursor=nonsense',
        'cursor=',
        "cursor=1'--",
        'cursor=%00',
        'cursor=-1',
        'limit=0',
        'limit=x',
        'limit=100000',
      ])
        expect([path, query, (await warden.call('GET', `${path}?${query}`)).status]).toEqual([path, query, 422]);
  });

  const keyOf = (item: unknown): string =>
    String(field(item, 'seq') ?? field(item, 'id') ?? field(item, 'backup_id') ?? field(item, 'name'));

  test.each(lists)('%s pages through everything that was there, nothing twice, while more is added', async (path) => {
    for (let i = 0; i < 3; i += 1) {
      await warden.call('POST', '/api/v1/access/tokens', { name: `page-${i}`, role: 'scrape' });
      await warden.call('POST', '/api/v1/targets/sample/inspect', undefined, { prefer: 'wait=30' });
    }
    const all = (await warden.call('GET', `${path}?limit=100`)).body;
    const there = (field(all, 'items') as unknown[]).map(keyOf);
    const seen: string[] = [];
    let cursor: unknown = '';
    while (cursor !== null && seen.length < 200) {
      const { status, body } = await warden.call('GET', `${path}?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`);
      expect(status).toBe(200);
      seen.push(...(field(body, 'items') as unknown[]).map(keyOf));
      cursor = field(body, 'next_cursor');
      if (seen.length < 6) {
        await warden.call('POST', '/api/v1/access/tokens', { name: 'added', role: 'scrape' });
        await warden.call('POST', '/api/v1/targets/sample/inspect', undefined, { prefer: 'wait=30' });
      }
    }
    expect(new Set(seen).size).toBe(seen.length);
    expect(there.filter((key) => !seen.includes(key))).toEqual([]);
  });

  test('every route that is read answers HEAD as it answers GET, without a body', async () => {
    const wrong: string[] = [];
    for (const { path, method, operation } of operations) {
      if (method !== 'GET' || path.includes('{') || 'text/event-stream' in contentOf(operation)) continue;
      const [get, head] = [await warden.call('GET', path), await warden.call('HEAD', path)];
      if (get.status !== head.status || head.text !== '') wrong.push(`${path}: ${get.status}, ${head.status}`);
      if (get.headers.get('content-type') !== head.headers.get('content-type')) wrong.push(`${path}: types`);
    }
    expect(wrong).toEqual([]);
  });

  test('every path answers OPTIONS with its methods, and no page of elsewhere is let in', async () => {
    for (const [path, methods] of Object.entries(document.paths)) {
      const answer = await warden.callStranger('OPTIONS', path.replaceAll(/\{\w+\}/g, 'x'), {
        origin: 'https://elsewhere.example',
      });
      expect([path, answer.status]).toEqual([path, 204]);
      const allowed = answer.headers.get('allow')?.split(', ') ?? [];
      for (const method of Object.keys(methods)) expect(allowed, path).toContain(method.toUpperCase());
      expect(answer.headers.get('access-control-allow-origin')).toBeNull();
    }
  });

  test('whatever may be read again unchanged is not sent again', async () => {
    const tagged = takes('If-None-Match').filter(({ path }) => !path.includes('{'));
    expect(tagged.map(({ path }) => path)).toContain('/openapi.json');
    for (const { path } of [...tagged, { path: '/api/v1/targets/sample' }]) {
      const first = await warden.call('GET', path);
      const etag = first.headers.get('etag') ?? '';
      expect(etag, path).toMatch(/^"[\w-]+"$/);
      const again = await warden.call('GET', path, undefined, { 'if-none-match': etag });
      // What is watched may have moved on between the two.
      if (again.status === 200) expect(again.headers.get('etag')).not.toBe(etag);
      else expect([again.status, again.text]).toEqual([304, '']);
    }
    expect((await warden.callStranger('GET', '/openapi.json')).body).toEqual(document);
  });

  test('a repeated request finds its operation, another one under its key is refused', async () => {
    for (const { path } of takes('Idempotency-Key').filter(({ path }) => path.endsWith('/inspect'))) {
      const there = path.replace(/\{\w+\}/, 'sample');
      const key = { 'idempotency-key': 'the-same', prefer: 'wait=30' };
      const [one, two] = [
        await warden.call('POST', there, undefined, key),
        await warden.call('POST', there, undefined, key),
      ];
      expect([one.status, field(two.body, 'id')]).toEqual([200, field(one.body, 'id')]);
      expect(one.headers.get('preference-applied')).toBe('wait=30');
      const other = await warden.call('POST', `${there}?x=1`, undefined, key);
      expect([other.status, field(other.body, 'code')]).toEqual([422, 'request/idempotency-conflict']);
    }
  });

  test('the page has a policy that lets in no script but its own', async () => {
    const page = await warden.callStranger('GET', '/health', { accept: 'text/html' });
    const policy = page.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).toMatch(/script-src 'self'(;|$)/);
    expect(policy).not.toMatch(/unsafe|\*|https?:/);
    expect(page.text).not.toMatch(/<script(?![^>]+src=)|\son\w+=|javascript:/i);
  });
});

const contentOf = (operation: (typeof operations)[number]['operation']): object => {
  const answer = operation.responses['200'];
  return answer && 'content' in answer ? (answer.content ?? {}) : {};
};

describe('callers of version 0.1.0', () => {
  const before = readJson('test/fixtures/api-0.1.0.json') as ApiShape;

  test('find every route as it was: nothing gone, nothing more required, nothing less answered', () => {
    expect(Object.keys(before).length).toBeGreaterThan(40);
    expect(missingFrom(before, shapeOf(document))).toEqual([]);
  });

  test('would be missed in a comparison that sees nothing', () => {
    const path = Object.keys(document.paths).find((one) => one.endsWith('/trigger')) ?? '';
    const { [path]: _gone, ...paths } = document.paths;
    expect(missingFrom(before, shapeOf({ ...document, paths }))).toEqual([`POST ${path} is gone`]);
    const status = document.paths['/api/v1/backup/status']?.get;
    if (!status) throw new Error('no such operation');
    const changed = {
      ...status,
      'x-access': 'user' as const,
      responses: {},
      parameters: [{ name: 'new', in: 'query', required: true, schema: {} }],
    };
    const found = missingFrom(
      before,
      shapeOf({
        ...document,
        paths: {
          ...document.paths,
          '/api/v1/backup/status': {
            get: { ...changed, parameters: changed.parameters.map((one) => ({ ...one, in: 'query' as const })) },
          },
        },
      }),
    );
    expect(found.some((one) => one.includes('is for user now'))).toBe(true);
    expect(found.some((one) => one.includes('takes no query target any more'))).toBe(true);
    expect(found.some((one) => one.includes('requires query new now'))).toBe(true);
    expect(found.some((one) => one.includes('without .rpo.met'))).toBe(true);
  });

  test('call operations by names that come from their paths, so a name lives as long as its path', () => {
    for (const { path, method, operation } of operations)
      expect(operation.operationId).toBe(operationId({ method, url: path.replaceAll(/\{(\w+)\}/g, ':$1') }));
  });
});
