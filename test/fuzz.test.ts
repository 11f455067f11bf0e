import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { ApiDocument } from '../src/platform/http/openapi.ts';
import { createLaws } from './fuzz/laws.ts';
import { type Caller, type FuzzRequest, operationsOf, requestOf, resolverOf, worstRequests } from './fuzz/requests.ts';
import { type StateWatch, watchState } from './fuzz/state-watch.ts';
import { createWire, type Wire, type WireAnswer } from './fuzz/wire.ts';
import { hasPart } from './setup/parts.ts';
import { field, type RunningWarden, removeFolder, startWarden, temporaryFolder, until } from './warden-harness.ts';

/** Requests per operation (a third where only headers can differ), and where the making of them begins; the same seed makes the same requests. */
const runs = Number(process.env.FUZZ_RUNS ?? 14);
const seed = Number(process.env.FUZZ_SEED ?? 20_260_101);

/** How often an operation may really begin work; afterwards only those ask who may not. */
const greatestStarts = (operationId: string): number => (operationId === restarts ? 4 : 1);
/** Every job of the background runs once for each, which takes seconds. */
const restarts = 'postSystemServicesRestart';

const document = JSON.parse(
  readFileSync(join(resolve(import.meta.dirname, '..'), 'docs/openapi.json'), 'utf8'),
) as ApiDocument;
const operations = operationsOf(document);
const callers: readonly Caller[] = ['user', 'service', 'scrape', 'stranger', 'forged', 'session'];
const anybody = fc.oneof(
  { weight: 5, arbitrary: fc.constant<Caller>('admin') },
  { weight: 2, arbitrary: fc.constantFrom(...callers) },
);

describe(`every operation, asked ${runs} times with seed ${seed}`, () => {
  // On a busy machine a cleanup that was asked for waits a while until the pressure is gone.
  vi.setConfig({ testTimeout: 400_000 });
  const dataDir = temporaryFolder('fuzz');
  const known: Record<string, string[]> = {};
  let warden: RunningWarden;
  let wire: Wire;
  let state: StateWatch;
  let laws: ReturnType<typeof createLaws>;

  beforeAll(async () => {
    warden = await startWarden({
      dataDir,
      settings: {
        ...{ BACKUP_FREQUENCY: '86400', RAGWARDEN_SAMPLE_INTERVAL: '1' },
        // What is written by itself would be taken for what a request wrote.
        ...{ RAGWARDEN_ALERT_EVALUATION_INTERVAL: '3600', RAGWARDEN_RESOURCE_CLEANUP_INTERVAL: '86400' },
        ...{ RAGWARDEN_CLEANUP_CHECK_INTERVAL: '86400', RAGWARDEN_LEAK_CHECK_INTERVAL: '86400' },
      },
    });
    await until('the sample is healthy', async () =>
      field((await warden.call('GET', '/api/v1/targets/sample')).body, 'status') === 'HEALTHY' ? true : undefined,
    );
    const tokens: Partial<Record<Caller, string>> = {};
    for (const role of ['user', 'service', 'scrape'] as const) {
      const { body } = await warden.call('POST', '/api/v1/access/tokens', { name: `fuzz-${role}`, role });
      tokens[role] = String(field(body, 'token'));
    }
    const spare = await warden.call('POST', '/api/v1/access/tokens', { name: 'spare', role: 'scrape' });
    if (hasPart('restic'))
      await until('the first point is there', async () =>
        field((await warden.call('GET', '/api/v1/backup/points')).body, 'items', 0, 'verified_at') ? true : undefined,
      );
    const points = (await warden.call('GET', '/api/v1/backup/points')).body;
    const operation = await warden.call('POST', '/api/v1/targets/sample/inspect', undefined, { prefer: 'wait=60' });
    known.points = [String(field(points, 'items', 0, 'backup_id') ?? 'backup_20200101_000000_zzzz')];
    known.restore = known.points;
    known.operations = [String(field(operation.body, 'id'))];
    known.tokens = [String(field(spare.body, 'id'))];
    known.targets = ['sample'];

    const local = readFileSync(join(dataDir, 'local-token'), 'utf8').trim();
    const bearer = (token = ''): Record<string, string> => ({ authorization: `Bearer ${token}` });
    const login = await fetch(`${warden.api}/api/v1/access/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token: local }),
    });
    wire = createWire(warden.api, {
      admin: bearer(local),
      user: bearer(tokens.user),
      service: { 'x-api-key': tokens.service ?? '' },
      scrape: bearer(tokens.scrape),
      stranger: {},
      forged: bearer(`rw_${'f'.repeat(43)}`),
      session: { cookie: login.headers.get('set-cookie')?.split(';')[0] ?? '' },
    });
    laws = createLaws(document, {
      secrets: [local, ...Object.values(tokens)],
      places: [dataDir, resolve(import.meta.dirname, '..')],
    });
    state = watchState(dataDir);
  });
  afterAll(async () => {
    state?.close();
    wire?.close();
    await warden?.stop();
    removeFolder(dataDir);
  });

  /** Who asks: once enough work was begun, nobody who would begin more. */
  const asked = async (request: FuzzRequest, isEnough: boolean): Promise<[FuzzRequest, WireAnswer]> => {
    const wouldStart = ['admin', 'session'].includes(request.caller) && isEnough;
    const sent = wouldStart ? { ...request, caller: 'user' as const } : request;
    return [sent, await wire.send(sent)];
  };

  test.for(operations.map((described) => [described.operation.operationId, described] as const))(
    '%s',
    async ([, described]) => {
      let started = 0;
      const { operationId } = described.operation;
      const worst = worstRequests(described, resolverOf(document), known);
      const hasInput = described.operation.parameters || described.operation.requestBody;
      await state.settle();
      await fc.assert(
        fc.asyncProperty(requestOf(described, resolverOf(document), known, anybody), async (request) => {
          const [sent, answer] = await asked(request, started >= greatestStarts(operationId));
          const told = `${sent.caller} ${sent.method} ${sent.target} ${JSON.stringify(sent.headers)} ${String(sent.body ?? '').slice(0, 500)}\n→ ${answer.status} ${answer.text.slice(0, 1_000)}`;
          expect(laws(described, sent, answer), told).toEqual([]);
          // What was begun anew works by itself, whatever is refused meanwhile.
          if (answer.status >= 400 && operationId !== restarts) {
            let changes = state.changes();
            // Work in the background may have written just then; what the refusal did it would do each time.
            for (let again = 0; changes.length > 0 && again < 8; again += 1) {
              await new Promise((passed) => setTimeout(passed, again * 100));
              state.changes();
              await wire.send(sent);
              changes = state.changes();
            }
            expect(changes, `changed by a refusal: ${told}`).toEqual([]);
          }
          if (answer.status < 400 && described.method !== 'GET') {
            const begun = typeof field(JSON.parse(answer.text || 'null'), 'allowed_actions') === 'object';
            if (begun || operationId === restarts) started += 1;
            await state.settle();
          }
        }),
        {
          seed,
          examples: worst.map((request): [FuzzRequest] => [request]),
          numRuns: worst.length + (hasInput ? runs : Math.ceil(runs / 3)),
        },
      );
    },
  );

  test('nothing failed unexpectedly, and the server still answers', async () => {
    expect(warden.log()).not.toMatch(/failed unexpectedly|unhandled|uncaught/i);
    expect((await warden.callStranger('GET', '/readyz')).status).toBe(200);
    expect(field((await warden.call('GET', '/api/v1/audit/verify')).body, 'intact')).toBe(true);
  });
});
