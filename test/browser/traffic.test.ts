import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasPart } from '../setup/parts.ts';
import { field } from '../warden-harness.ts';
import { openPage } from './open-page.ts';

describe.skipIf(!hasPart('chromium'))('the views of what passes', () => {
  const open = openPage('page-traffic', { BACKUP_ENABLED: 'false' });

  beforeAll(() => open.logIn());

  describe('the explorer of metrics', () => {
    afterAll(async () => {
      await open.page.getByRole('link', { name: 'Overview' }).click();
      await open.page.getByRole('heading', { name: 'Backend' }).waitFor();
      await open.page.waitForURL(`${open.product.api}/health`);
    });
    test('finds a metric by a word, draws it and tells where it came from and how to ask for it', async () => {
      const of = (endpoint: string, value: number) => ({
        name: 'page_latency',
        unit: 'ms',
        value,
        labels: { endpoint },
      });
      const items = [of('/search', 120), of('/search', 480), of('/list', 20)];
      await open.asAdmin('api/v1/metrics/record', { items });
      await open.page.getByRole('link', { name: 'Metrics' }).click();
      await open.page.getByRole('searchbox', { name: 'Search metrics' }).fill('timer latency');
      // By keyboard alone, from the search field on.
      await open.page.getByRole('link', { name: /^page_latency/ }).waitFor();
      await open.page.keyboard.press('ArrowDown');
      await open.page.keyboard.press('Enter');
      const room = open.page.getByRole('region', { name: 'page_latency' });
      await room.getByRole('img', { name: /^page_latency, average: 2 series/ }).waitFor();
      await expect
        .poll(() => room.getByRole('row').allInnerTexts())
        .toEqual([
          expect.stringMatching(/^Series\s+Pointed at\s+Latest\s+Least\s+Greatest$/),
          // The greatest first.
          expect.stringMatching(/^endpoint=\/search\s+–\s+300 ms\s+300 ms\s+300 ms$/),
          expect.stringMatching(/^endpoint=\/list\s+–\s+20 ms\s+20 ms\s+20 ms$/),
        ]);
      await expect.poll(() => room.innerText()).toMatch(/Read from\s+raw single samples, 5 s apart/);
      await expect
        .poll(() => room.innerText())
        .toContain('ragwarden metrics query page_latency --aggregation average --last 1h --step 30s');
    });

    test('has the whole question in its address, and the way back leads through it', async () => {
      await open.page.getByLabel('Aggregation').selectOption('max');
      await open.page.getByLabel('Range').selectOption('6h');
      await open.page.getByRole('radio', { name: 'all as one' }).check();
      await open.page.getByLabel('Only where endpoint is').selectOption('/search');
      await open
        .address((url) => Object.fromEntries(url.searchParams))
        .toEqual({
          ...{
            view: 'metrics',
            metric: 'page_latency',
            aggregation: 'max',
            last: '6h',
            by: '',
            match: 'endpoint=/search',
          },
        });
      await open.page.reload();
      await open.page.getByRole('row', { name: /^all – 480 ms/ }).waitFor();
      await expect.poll(() => open.page.getByLabel('Range').inputValue()).toBe('6h');
      // The call that is shown gives the same to whoever asks it.
      const call = open.page.getByRole('link', {
        name: /query\?name=page_latency&aggregation=max.*match=endpoint%3D%2Fsearch/,
      });
      const answer = await open.asAdmin((await call.getAttribute('href')) ?? '');
      expect(field(answer, 'series', 0, 'values')).toContain(480);
      await open.page.goBack();
      await open.page.getByRole('row', { name: /^all – 480 ms/ }).waitFor();
      await open.page.goBack();
      await open.page.getByRole('img', { name: /^page_latency, max: 2 series/ }).waitFor();
    });

    test('goes through the windows by arrow keys, and shows them as a table', async () => {
      await open.page.getByRole('img', { name: /^page_latency/ }).focus();
      await open.page.keyboard.press('ArrowLeft');
      await open.page.getByRole('columnheader', { name: /^\d\d:\d\d:\d\d$/ }).waitFor();
      await open.page.getByText('As a table').click();
      await open.page.getByRole('columnheader', { name: 'Window from' }).waitFor();
      expect(await open.faults()).toEqual([]);
    });

    test('says what was never recorded, what is refused and what does not exist', async () => {
      const at = (search: string) => open.page.goto(`${open.product.api}/health?view=metrics&${search}`);
      await at('metric=agent_executions&match=agent_id=nobody');
      await open.page.getByText('Nothing was recorded in this range with these labels.').waitFor();
      await at('metric=system_memory_bytes&last=365d&step=1');
      await open.page
        .getByRole('alert')
        .getByText(/Ask for a longer step/)
        .waitFor();
      await at('metric=no_such_metric');
      await open.page.getByText('Nothing is recorded as no_such_metric.').waitFor();
      // The refusal above is told by the browser too.
      expect(open.complaints.splice(0).every((text) => text.includes('422'))).toBe(true);
    });
  });

  describe('the view of traffic', () => {
    afterAll(async () => void (await open.page.goto(`${open.product.api}/health`)));
    /** @returns the status */
    const pass = async (path: string, body: unknown = {}, headers: Record<string, string> = {}): Promise<number> => {
      const answer = await fetch(`${open.product.gateway}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
      });
      await answer.text();
      return answer.status;
    };

    test('what passed the gateway is there with its time and what became of it, in all and one by one', async () => {
      // Beside what an attempt before this one let pass.
      const count = async (query: string, ...path: (string | number)[]): Promise<number> =>
        Number(field(await open.asAdmin(`api/v1/traffic/summary?window=1h&${query}`), ...path) ?? 0);
      const before = {
        all: await count('by=mode', 'total', 'requests'),
        empty: await count('by=mode', 'total', 'empty'),
        wrong: await count('by=mode', 'total', 'client_errors'),
      };
      await pass('/query', { query: 'tram', mode: 'naive' });
      await pass('/query', { query: 'zzzz', mode: 'mix' });
      await pass('/nothing');
      await open.page.getByRole('link', { name: 'Traffic' }).click();
      const traffic = open.page.getByRole('region', { name: 'Traffic' });
      await open.page.getByLabel('Group by').selectOption('mode');
      await traffic.getByRole('row', { name: new RegExp(`^mix ${before.empty + 1} 0 \\d`) }).waitFor();
      const told = `Requests\\s+${before.all + 3}\\s+${before.empty + 1} empty, ${before.wrong + 1} asked wrongly`;
      await expect.poll(() => traffic.innerText(), { timeout: 60_000 }).toMatch(new RegExp(told));
      const latest = open.page.getByRole('region', { name: 'Latest exchanges' });
      // The list is asked for by itself, so it may be a moment behind the sums.
      const outcomes = async () =>
        (await latest.locator('summary').allInnerTexts()).slice(0, 3).map((text) => text.split('\n')[1]);
      await expect
        .poll(() => latest.locator('summary').count(), { timeout: 60_000 })
        .toBe(Math.min(20, before.all + 3));
      await expect.poll(outcomes, { timeout: 60_000 }).toEqual(['client error', 'empty', 'ok']);
      await latest.locator('summary').nth(1).click();
      await expect
        .poll(() => latest.locator('dl').nth(1).innerText())
        .toMatch(/route\s+POST \/query\s+status\s+200\s+reason\s+no-context/);
      await open.page.getByLabel('only what did not end well').check();
      await expect.poll(() => latest.locator('summary').count(), { timeout: 60_000 }).toBe(before.wrong + 1);
      await open.address((url) => url.search).toBe('?view=traffic&by=mode&failed=true');
    });

    test('the gateway says where clients ask and what it reaches', async () => {
      const gateway = open.page.getByRole('region', { name: 'Gateway' });
      await gateway.getByText(open.product.gateway, { exact: true }).waitFor();
      await gateway.getByRole('row', { name: /^sample.*reached/ }).waitFor();
      await open.page.getByText(/^There is no canary: set/).waitFor();
    });

    test('a key is made, shown once, passes as its holder, and is revoked when that was confirmed', async () => {
      const keys = open.page.getByRole('region', { name: 'Keys' });
      // Another one with each attempt: how often it passed is counted.
      const holder = `page-test-${Date.now()}`;
      await keys.getByLabel('For').fill(holder);
      await keys.getByRole('button', { name: 'Make a key' }).click();
      const key = await keys.getByText(/^rw_gw_/).innerText();
      const asHolder = (): Promise<number> =>
        pass('/query', { query: 'tram', mode: 'naive' }, { authorization: `Bearer ${key}` });
      expect(await asHolder()).toBe(200);
      await keys.getByRole('button', { name: /^I have it/ }).click();
      await expect.poll(() => open.page.innerText('body')).not.toContain(key);
      await open.page.getByLabel('Group by').selectOption('user');
      await open.page.getByRole('row', { name: new RegExp(`^local:${holder} 1 0 `) }).waitFor();
      await keys.getByRole('button', { name: `Revoke the key of local:${holder}` }).click();
      // What changes nothing has the focus.
      await keys.locator('button:focus', { hasText: 'Keep' }).waitFor();
      await open.page.keyboard.press('Enter');
      await keys.locator('button:focus', { hasText: 'Revoke' }).waitFor();
      const its = keys.getByRole('listitem').filter({ hasText: holder });
      await expect.poll(() => its.getByText('revoked', { exact: true }).count()).toBe(0);
      await keys.getByRole('button', { name: `Revoke the key of local:${holder}` }).click();
      await keys
        .getByRole('group')
        .getByRole('button', { name: /^Revoke/ })
        .click();
      await its.getByText('revoked', { exact: true }).waitFor();
      // The gateway, a thread of its own, hears of it from the server.
      await expect.poll(asHolder, { timeout: 60_000 }).toBe(401);
    });

    test('failed documents are listed with their cause, and taken up again when that was confirmed', async () => {
      const documents = open.page.getByRole('region', { name: 'Documents' });
      const again = documents.getByRole('button', { name: /^Take up again/ });
      await expect.poll(() => again.isDisabled()).toBe(true);
      await expect.poll(() => again.getAttribute('title')).toBe('Nothing is stuck or failed.');
      // So many that, however quick the machine, some are not yet done when they are cancelled.
      const many = Array.from({ length: 60 }, (_, n) => `Of page ${n} and its button: ${'a word '.repeat(400)}`);
      await pass('/documents/texts', { texts: many, file_sources: many.map((_, n) => `button-${n}.txt`) });
      await pass('/documents/cancel_pipeline');
      await documents.getByText('cancelled: User cancelled').first().waitFor();
      await again.click();
      await documents.getByText(/The backend takes up \d+ failed documents? again/).waitFor();
      expect(await open.faults()).toEqual([]);
      await documents.getByRole('button', { name: 'Take up again', exact: true }).click();
      await expect.poll(() => documents.getByText(/button-\d+\.txt/).count(), { timeout: 60_000 }).toBe(0);
      await documents.getByText(/\d+ processed/).waitFor();
    });
  });

  describe('the view of health', () => {
    afterAll(async () => void (await open.page.goto(`${open.product.api}/health`)));

    test('every check, every graph, the machine and what runs are there with what was seen, and are looked at on asking', async () => {
      await open.page.getByRole('link', { name: 'Health', exact: true }).click();
      const checks = open.page.getByRole('region', { name: 'Health', exact: true });
      await checks.getByRole('row', { name: /^target sample to answer and ingest\s+(healthy|degraded)/ }).waitFor();
      for (const name of ['host', 'background jobs', 'state database', 'scheduler', 'outbox'])
        await checks.getByRole('row', { name: new RegExp(`^${name} `) }).waitFor();
      await expect.poll(() => checks.innerText()).toMatch(/Can answer\s+yes\s+Can ingest\s+yes/);
      const looked = open.page.waitForResponse((answer) => answer.url().endsWith('status?fresh=true'));
      await checks.getByRole('button', { name: /^Look now/ }).click();
      expect((await looked).status()).toBe(200);
      await checks.getByRole('row', { name: /^state database .*PostgreSQL|^state database .*takes/ }).waitFor();

      const graph = open.page.getByRole('article', { name: 'Graph sample' });
      // Whatever the documents of the tests before are at, and however their files were found.
      await expect
        .poll(() => graph.innerText(), { timeout: 60_000 })
        .toMatch(/Documents\s+[^\n]*\d+ processed[\s\S]*Pipeline\s+(idle|busy)[\s\S]*Audit\s+(?!not)\w+/);
      await open.page.getByRole('region', { name: 'Host' }).getByText('Memory', { exact: true }).waitFor();
      const services = open.page.getByRole('region', { name: 'Services' });
      await services.getByRole('button', { name: /^Show \d+ more/ }).click();
      await services.getByRole('row', { name: /^health watch (running|waiting)/ }).waitFor();
      await expect.poll(() => services.innerText()).toContain('alive');
      expect(await open.faults()).toEqual([]);
    });
  });
});
