import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import axe from 'axe-core';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasPart, programOf } from '../setup/parts.ts';
import { field, removeFolder, temporaryFolder } from '../warden-harness.ts';

const main = resolve(import.meta.dirname, '../../dist/main.js');
const quiet = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

type Product = { readonly child: ChildProcess; readonly api: string; readonly gateway: string };

/** What was built, with the sample, as `npm start` runs it. */
async function startProduct(dataDir: string): Promise<Product> {
  if (!existsSync(main)) throw new Error('dist/ is missing: `npm run build` makes it');
  const child = spawn(
    process.execPath,
    [main, 'up', '--data-dir', dataDir, '--port', '0', '--metrics-port', '0', '--gateway-port', '0'],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        HOME: dataDir,
        RAGWARDEN_NO_INSTALL: '1',
        RAGWARDEN_SAMPLE_INTERVAL: '0.5',
        RAGWARDEN_PROBE_INTERVAL: '1',
        LIGHTRAG_REPLICATION_ENABLED: 'true',
      },
    },
  );
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => {
    log += chunk.toString();
  });
  const lines = createInterface({ input: child.stdout });
  const line = await Promise.race([
    once(lines, 'line').then(([text]) => String(text)),
    once(child, 'exit').then(([code]) => {
      throw new Error(`the product ended before it was ready (${code}):\n${log}`);
    }),
  ]);
  const [api, gateway] = [field(JSON.parse(line), 'api'), field(JSON.parse(line), 'gateway')];
  if (typeof api !== 'string' || typeof gateway !== 'string') throw new Error(`this is no ready line: ${line}`);
  return { child, api, gateway };
}

describe.skipIf(!hasPart('chromium'))('the page', () => {
  const dataDir = temporaryFolder('page');
  let product: Product;
  let browser: Browser;
  let page: Page;
  /** What the browser complained of: errors of scripts, and what the Content-Security-Policy refused. */
  const complaints: string[] = [];

  beforeAll(async () => {
    product = await startProduct(dataDir);
    browser = await chromium.launch({ executablePath: programOf('chromium'), args: quiet });
    page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    page.setDefaultTimeout(90_000);
    page.on('pageerror', (err) => complaints.push(err.message));
    page.on('console', (message) => {
      // A stranger's session is asked for and refused, a canary that nobody set is not there: the browser tells both.
      if (message.type() === 'error' && !/\b(401|409)\b/.test(message.text())) complaints.push(message.text());
    });
  });

  afterAll(async () => {
    await browser?.close();
    if (product && product.child.exitCode === null && product.child.signalCode === null) {
      product.child.kill('SIGTERM');
      await once(product.child, 'exit');
    }
    removeFolder(dataDir);
  });

  /** Asks the API beside the page. */
  const asAdmin = async (path: string, body?: unknown): Promise<unknown> => {
    const token = readFileSync(join(dataDir, 'local-token'), 'utf8').trim();
    const answer = await fetch(new URL(path, `${product.api}/`), {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return answer.json();
  };
  /** What breaks a rule of accessibility (WCAG 2 and good practice), each with the first element that does. */
  const faults = async (): Promise<string[]> => {
    const { violations } = await page.evaluate<axe.AxeResults>(`${axe.source}; axe.run()`);
    return violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`);
  };
  /** The browser tells a new address by itself, a moment after what led to it is there. */
  const address = (part: (url: URL) => unknown) => expect.poll(() => part(new URL(page.url())), { timeout: 30_000 });
  const loginPath = async (): Promise<string> => String(field(await asAdmin('api/v1/access/login-links', {}), 'path'));

  test('a stranger sees the overall word and a login, and a wrong token stays outside', async () => {
    await page.goto(`${product.api}/health`);
    await page.getByLabel('Access token').waitFor();
    const words = (await page.innerText('body')).split(/\s+/).filter((word) => word !== '');
    expect(words.join(' ')).toMatch(
      /^ragwarden (healthy|unknown|degraded|unhealthy) Access token Log in The token of the first start, or ragwarden token login-link on the machine it runs on\.$/,
    );
    await page.getByLabel('Access token').fill('rw_nobody-knows-this-one');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('alert').waitFor();
    expect(await page.getByRole('heading', { name: 'Backend' }).count()).toBe(0);
  });

  test('the one-time link logs in and leaves the address', async () => {
    await page.goto(`${product.api}${await loginPath()}`);
    await page.getByRole('heading', { name: 'Backend' }).waitFor();
    await address((url) => url.href).toBe(`${product.api}/health`);
    expect(await page.evaluate('document.cookie')).toBe('');
  });

  test('backend, host and events are seen with what was measured', async () => {
    const target = page.getByRole('article', { name: 'Target sample' });
    await target.getByText('HEALTHY', { exact: true }).waitFor();
    expect(await target.innerText()).toMatch(/lightrag 1\.\d+\.\d+/);
    expect(await target.innerText()).toMatch(/\d+ documents/);
    await page.getByRole('status').getByText('live').waitFor();
    const host = page.getByRole('region', { name: 'Host' });
    await host.getByText('Memory', { exact: true }).waitFor();
    // A share of the time between two looks, so a look later than the memory.
    await expect.poll(() => host.innerText(), { timeout: 30_000 }).toMatch(/CPU\s+\d/);
    await page
      .getByRole('region', { name: 'Events' })
      .getByText(/started/)
      .first()
      .waitFor();
  });

  describe('the explorer of metrics', () => {
    afterAll(async () => {
      await page.getByRole('link', { name: 'Overview' }).click();
      await page.getByRole('heading', { name: 'Backend' }).waitFor();
      await page.waitForURL(`${product.api}/health`);
    });
    test('finds a metric by a word, draws it and tells where it came from and how to ask for it', async () => {
      const of = (endpoint: string, value: number) => ({
        name: 'page_latency',
        unit: 'ms',
        value,
        labels: { endpoint },
      });
      const items = [of('/search', 120), of('/search', 480), of('/list', 20)];
      await asAdmin('api/v1/metrics/record', { items });
      await page.getByRole('link', { name: 'Metrics' }).click();
      await page.getByRole('searchbox', { name: 'Search metrics' }).fill('timer latency');
      // By keyboard alone, from the search field on.
      await page.getByRole('link', { name: /^page_latency/ }).waitFor();
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('Enter');
      const room = page.getByRole('region', { name: 'page_latency' });
      await room.getByRole('img', { name: /^page_latency, average: 2 series/ }).waitFor();
      expect(await room.getByRole('row').allInnerTexts()).toEqual([
        expect.stringMatching(/^Series\s+Pointed at\s+Latest\s+Least\s+Greatest$/),
        // The greatest first.
        expect.stringMatching(/^endpoint=\/search\s+–\s+300 ms\s+300 ms\s+300 ms$/),
        expect.stringMatching(/^endpoint=\/list\s+–\s+20 ms\s+20 ms\s+20 ms$/),
      ]);
      const told = await room.innerText();
      expect(told).toMatch(/Read from\s+raw single samples, 5 s apart/);
      expect(told).toContain('ragwarden metrics query page_latency --aggregation average --last 1h --step 30s');
    });

    test('has the whole question in its address, and the way back leads through it', async () => {
      await page.getByLabel('Aggregation').selectOption('max');
      await page.getByLabel('Range').selectOption('6h');
      await page.getByRole('radio', { name: 'all as one' }).check();
      await page.getByLabel('Only where endpoint is').selectOption('/search');
      await address((url) => Object.fromEntries(url.searchParams)).toEqual({
        ...{
          view: 'metrics',
          metric: 'page_latency',
          aggregation: 'max',
          last: '6h',
          by: '',
          match: 'endpoint=/search',
        },
      });
      await page.reload();
      await page.getByRole('row', { name: /^all – 480 ms/ }).waitFor();
      expect(await page.getByLabel('Range').inputValue()).toBe('6h');
      // The call that is shown gives the same to whoever asks it.
      const call = page.getByRole('link', {
        name: /query\?name=page_latency&aggregation=max.*match=endpoint%3D%2Fsearch/,
      });
      const answer = await asAdmin((await call.getAttribute('href')) ?? '');
      expect(field(answer, 'series', 0, 'values')).toContain(480);
      await page.goBack();
      await page.getByRole('row', { name: /^all – 480 ms/ }).waitFor();
      await page.goBack();
      await page.getByRole('img', { name: /^page_latency, max: 2 series/ }).waitFor();
    });

    test('goes through the windows by arrow keys, and shows them as a table', async () => {
      await page.getByRole('img', { name: /^page_latency/ }).focus();
      await page.keyboard.press('ArrowLeft');
      await page.getByRole('columnheader', { name: /^\d\d:\d\d:\d\d$/ }).waitFor();
      await page.getByText('As a table').click();
      await page.getByRole('columnheader', { name: 'Window from' }).waitFor();
      expect(await faults()).toEqual([]);
      await page.setViewportSize({ width: 320, height: 740 });
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(320);
      await page.setViewportSize({ width: 1280, height: 900 });
    });

    test('says what was never recorded, what is refused and what does not exist', async () => {
      const at = (search: string) => page.goto(`${product.api}/health?view=metrics&${search}`);
      await at('metric=agent_executions&match=agent_id=nobody');
      await page.getByText('Nothing was recorded in this range with these labels.').waitFor();
      await at('metric=system_memory_bytes&last=365d&step=1');
      await page
        .getByRole('alert')
        .getByText(/Ask for a longer step/)
        .waitFor();
      await at('metric=no_such_metric');
      await page.getByText('Nothing is recorded as no_such_metric.').waitFor();
      // The refusal above is told by the browser too.
      expect(complaints.splice(0).every((text) => text.includes('422'))).toBe(true);
    });
  });

  describe('the view of traffic', () => {
    afterAll(async () => void (await page.goto(`${product.api}/health`)));
    /** @returns the status */
    const pass = async (path: string, body: unknown = {}, headers: Record<string, string> = {}): Promise<number> => {
      const answer = await fetch(`${product.gateway}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
      });
      await answer.text();
      return answer.status;
    };

    test('what passed the gateway is there with its time and what became of it, in all and one by one', async () => {
      await pass('/query', { query: 'tram', mode: 'naive' });
      await pass('/query', { query: 'zzzz', mode: 'mix' });
      await pass('/nothing');
      await page.getByRole('link', { name: 'Traffic' }).click();
      const traffic = page.getByRole('region', { name: 'Traffic' });
      await page.getByLabel('Group by').selectOption('mode');
      await traffic.getByRole('row', { name: /^mix 1 0 \d/ }).waitFor();
      await expect
        .poll(() => traffic.innerText(), { timeout: 30_000 })
        .toMatch(/Requests\s+3\s+1 empty, 1 asked wrongly/);
      const latest = page.getByRole('region', { name: 'Latest exchanges' });
      // The list is asked for by itself, so it may be a moment behind the sums.
      const outcomes = async () => (await latest.locator('summary').allInnerTexts()).map((text) => text.split('\n')[1]);
      await expect.poll(outcomes, { timeout: 30_000 }).toEqual(['client error', 'empty', 'ok']);
      await latest.locator('summary').nth(1).click();
      expect(await latest.locator('dl').nth(1).innerText()).toMatch(
        /route\s+POST \/query\s+status\s+200\s+reason\s+no-context/,
      );
      await page.getByLabel('only what did not end well').check();
      await expect.poll(() => latest.locator('summary').count(), { timeout: 30_000 }).toBe(1);
      await address((url) => url.search).toBe('?view=traffic&by=mode&failed=true');
    });

    test('the gateway says where clients ask and what it reaches', async () => {
      const gateway = page.getByRole('region', { name: 'Gateway' });
      await gateway.getByText(product.gateway, { exact: true }).waitFor();
      await gateway.getByRole('row', { name: /^sample.*reached/ }).waitFor();
      await page.getByText(/^There is no canary: set/).waitFor();
    });

    test('a key is made, shown once, passes as its holder, and is revoked when that was confirmed', async () => {
      const keys = page.getByRole('region', { name: 'Keys' });
      await keys.getByLabel('For').fill('page-test');
      await keys.getByRole('button', { name: 'Make a key' }).click();
      const key = await keys.getByText(/^rw_gw_/).innerText();
      const asHolder = (): Promise<number> =>
        pass('/query', { query: 'tram', mode: 'naive' }, { authorization: `Bearer ${key}` });
      expect(await asHolder()).toBe(200);
      await keys.getByRole('button', { name: /^I have it/ }).click();
      expect(await page.innerText('body')).not.toContain(key);
      await page.getByLabel('Group by').selectOption('user');
      await page.getByRole('row', { name: /^local:page-test 1 0 / }).waitFor();
      await keys.getByRole('button', { name: 'Revoke the key of local:page-test' }).click();
      // What changes nothing has the focus.
      await keys.locator('button:focus', { hasText: 'Keep' }).waitFor();
      await page.keyboard.press('Enter');
      await keys.locator('button:focus', { hasText: 'Revoke' }).waitFor();
      expect(await keys.getByText('revoked', { exact: true }).count()).toBe(0);
      await keys.getByRole('button', { name: 'Revoke the key of local:page-test' }).click();
      await keys
        .getByRole('group')
        .getByRole('button', { name: /^Revoke/ })
        .click();
      await keys.getByText('revoked', { exact: true }).waitFor();
      // The gateway, a thread of its own, hears of it from the server.
      await expect.poll(asHolder, { timeout: 30_000 }).toBe(401);
    });

    test('failed documents are listed with their cause, and taken up again when that was confirmed', async () => {
      const documents = page.getByRole('region', { name: 'Documents' });
      const again = documents.getByRole('button', { name: /^Take up again/ });
      expect(await again.isDisabled()).toBe(true);
      expect(await again.getAttribute('title')).toBe('Nothing is stuck or failed.');
      // So many that, however quick the machine, some are not yet done when they are cancelled.
      const many = Array.from({ length: 60 }, (_, n) => `Of page ${n} and its button: ${'a word '.repeat(400)}`);
      await pass('/documents/texts', { texts: many, file_sources: many.map((_, n) => `button-${n}.txt`) });
      await pass('/documents/cancel_pipeline');
      await documents.getByText('cancelled: User cancelled').first().waitFor();
      await again.click();
      await documents.getByText(/The backend takes up \d+ failed documents? again/).waitFor();
      expect(await faults()).toEqual([]);
      await documents.getByRole('button', { name: 'Take up again', exact: true }).click();
      await expect.poll(() => documents.getByText(/button-\d+\.txt/).count(), { timeout: 30_000 }).toBe(0);
      await documents.getByText(/\d+ processed/).waitFor();
      await page.setViewportSize({ width: 320, height: 740 });
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(320);
      await page.setViewportSize({ width: 1280, height: 900 });
    });
  });

  describe('the view of health', () => {
    afterAll(async () => void (await page.goto(`${product.api}/health`)));

    test('every check, every graph, the machine and what runs are there with what was seen, and are looked at on asking', async () => {
      await page.getByRole('link', { name: 'Health', exact: true }).click();
      const checks = page.getByRole('region', { name: 'Health', exact: true });
      await checks.getByRole('row', { name: /^target sample to answer and ingest\s+(healthy|degraded)/ }).waitFor();
      for (const name of ['host', 'background jobs', 'state database', 'scheduler', 'outbox'])
        await checks.getByRole('row', { name: new RegExp(`^${name} `) }).waitFor();
      expect(await checks.innerText()).toMatch(/Can answer\s+yes\s+Can ingest\s+yes/);
      const looked = page.waitForResponse((answer) => answer.url().endsWith('status?fresh=true'));
      await checks.getByRole('button', { name: /^Look now/ }).click();
      expect((await looked).status()).toBe(200);
      await checks.getByRole('row', { name: /^state database .*PostgreSQL|^state database .*takes/ }).waitFor();

      const graph = page.getByRole('article', { name: 'Graph sample' });
      // Whatever the documents of the tests before are at, and however their files were found.
      await expect
        .poll(() => graph.innerText(), { timeout: 30_000 })
        .toMatch(/Documents\s+[^\n]*\d+ processed[\s\S]*Pipeline\s+(idle|busy)[\s\S]*Audit\s+(?!not)\w+/);
      await page.getByRole('region', { name: 'Host' }).getByText('Memory', { exact: true }).waitFor();
      const services = page.getByRole('region', { name: 'Services' });
      await services.getByRole('row', { name: /^health watch (running|waiting)/ }).waitFor();
      expect(await services.innerText()).toContain('alive');
      expect(await faults()).toEqual([]);
      await page.setViewportSize({ width: 320, height: 740 });
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(320);
      await page.setViewportSize({ width: 1280, height: 900 });
    });
  });

  describe('the view of alerts', () => {
    let attempts = 0;
    let rule = '';
    const removeRule = async (): Promise<void> => {
      const token = readFileSync(join(dataDir, 'local-token'), 'utf8').trim();
      const path = `api/v1/metrics/alerts/rules/${rule}`;
      await fetch(new URL(path, `${product.api}/`), {
        ...{ method: 'DELETE', headers: { authorization: `Bearer ${token}` } },
      });
    };
    afterAll(async () => {
      await removeRule();
      await page.goto(`${product.api}/health`);
    });

    test('what fires is looked after and silenced, its rule is tried out on the past, and its end is in the history', async () => {
      attempts += 1;
      rule = `page_up_${attempts}`;
      await asAdmin('api/v1/metrics/alerts/rules', {
        ...{ name: rule, metric_name: 'ragwarden_target_up', condition: 'gte', threshold: 0, duration_seconds: 0 },
        ...{ severity: 'warning', runbook_url: 'docs/runbooks/backend-offline.md' },
      });
      await page.getByRole('link', { name: 'Alerts', exact: true }).click();
      const alert = page
        .getByRole('region', { name: 'Alerts', exact: true })
        .getByRole('article', { name: new RegExp(`^${rule} .*target=sample`) });
      await alert.getByText('warning, firing', { exact: true }).waitFor();
      expect(await alert.innerText()).toContain('ragwarden_target_up is at or above 0');
      expect(await alert.innerText()).toContain('docs/runbooks/backend-offline.md');

      await alert.getByRole('button', { name: /^Fill in a silence/ }).click();
      const silences = page.getByRole('region', { name: 'Silences' });
      await silences.getByLabel(/^Why/).fill('tried in a browser');
      await silences.getByRole('button', { name: 'Silence', exact: true }).click();
      const held = silences.getByRole('listitem').filter({ hasText: `alertname=${rule}` });
      await held.getByText('tried in a browser').waitFor();
      await alert.getByText('warning, silenced', { exact: true }).waitFor();

      await alert.getByRole('button', { name: /^Acknowledge/ }).click();
      await alert.getByLabel(/^Note/).fill('on it');
      await alert.getByRole('button', { name: 'Acknowledge', exact: true }).click();
      await alert.getByText(/looks after it since .*: on it$/).waitFor();

      const rules = page.getByRole('region', { name: 'Rules' });
      await rules.getByRole('button', { name: `Try out ${rule} on what is stored` }).click();
      await expect.poll(() => rules.getByRole('combobox').first().inputValue(), { timeout: 30_000 }).toBe(rule);
      await rules.getByRole('form', { name: 'Try a rule out' }).getByRole('button', { name: 'Try out' }).click();
      await rules
        .getByRole('status')
        .getByText(/^It would (not )?have fired/)
        .waitFor();
      expect(await faults()).toEqual([]);
      await page.setViewportSize({ width: 320, height: 740 });
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(320);
      await page.setViewportSize({ width: 1280, height: 900 });

      await held.getByRole('button', { name: /^End the silence/ }).click();
      await held.getByRole('button', { name: 'End', exact: true }).click();
      await held.waitFor({ state: 'detached' });
      await removeRule();
      await alert.waitFor({ state: 'detached' });
      const past = page
        .getByRole('region', { name: 'History' })
        .getByRole('listitem')
        .filter({ hasText: rule })
        .first();
      await past.locator('summary').click();
      await past.getByText('The rule was removed.').waitFor();
    });
  });

  describe('the views of resources and of cleanup', () => {
    afterAll(async () => void (await page.goto(`${product.api}/health`)));
    const isPhone = async (): Promise<unknown> => {
      await page.setViewportSize({ width: 360, height: 740 });
      const width = await page.evaluate('document.documentElement.scrollWidth');
      await page.setViewportSize({ width: 1280, height: 900 });
      return width;
    };
    const register = (resource_id: string) =>
      asAdmin('api/v1/metrics/resources', { resource_id, resource_type: 'lock', owner: resource_id });

    test('what is registered, what leaks and what is left over are seen', async () => {
      await register('seen');
      await page.goto(`${product.api}/health?view=resources`);
      await page
        .getByRole('region', { name: 'Registered resources' })
        .getByRole('row', { name: /^lock \d+ 0$/ })
        .waitFor();
      await page.getByRole('region', { name: 'Leaks', exact: true }).waitFor();
      await page.getByRole('region', { name: 'Processes and servers' }).waitFor();
      const orphans = page.getByRole('region', { name: /^Left over in/ });
      await orphans.getByRole('button', { name: /^Look now/ }).click();
      await orphans.getByText(/^Looked at/).waitFor();
      expect(await faults()).toEqual([]);
      expect(await isPhone()).toBe(360);
    });

    test('a plan is shown first, carried out when that was confirmed, and undone from the quarantine', async () => {
      // Another one with each attempt.
      const id = `lock-${Date.now()}`;
      const statusOfLock = async () => field(await asAdmin(`api/v1/metrics/resources/${id}`), 'status');
      await register(id);
      await page.getByRole('link', { name: 'Cleanup', exact: true }).click();
      await address((url) => url.searchParams.get('view')).toBe('cleanup');
      const form = page.getByRole('region', { name: 'Clean up', exact: true });
      await form.getByLabel('What to clean up').selectOption('resources');
      await form.getByLabel('Parameters').fill(`owner=${id} force=true`);
      await form.getByRole('button', { name: 'Show the plan' }).click();
      const plan = form.getByRole('article', { name: 'Plan for resources' });
      await plan.getByRole('row', { name: new RegExp(`^lock ${id} in use, and forced`) }).waitFor();
      expect(await statusOfLock()).toBe('active');
      await plan.getByRole('button', { name: 'Carry out' }).click();
      expect(await faults()).toEqual([]);
      await plan.getByRole('group', { name: 'Carry out' }).getByRole('button', { name: 'Carry out' }).click();
      const entry = page.getByRole('region', { name: 'Quarantine' }).getByRole('listitem').filter({ hasText: id });
      await entry.getByText(`lock ${id}`, { exact: true }).waitFor();
      expect(await statusOfLock()).not.toBe('active');
      expect(await isPhone()).toBe(360);
      await entry.getByRole('button', { name: /^Undo/ }).click();
      await entry.getByRole('group').getByRole('button', { name: 'Undo', exact: true }).click();
      await entry.waitFor({ state: 'detached' });
      await expect.poll(statusOfLock, { timeout: 30_000 }).toBe('active');
      expect(await faults()).toEqual([]);
    });
  });

  describe('the view of quotas', () => {
    const quotaId = 'page_chunks';
    afterAll(async () => {
      const token = readFileSync(join(dataDir, 'local-token'), 'utf8').trim();
      await fetch(new URL(`api/v1/metrics/quotas/${quotaId}`, `${product.api}/`), {
        ...{ method: 'DELETE', headers: { authorization: `Bearer ${token}` } },
      });
      await page.goto(`${product.api}/health`);
    });

    test('what was used of a limit is seen, who passed it, and counting begins anew when that was confirmed', async () => {
      await asAdmin('api/v1/metrics/quotas', {
        ...{ quota_id: quotaId, name: 'Chunks of the page', resource_type: 'chunks', limit: 10, action: 'block' },
      });
      for (const amount of [8, 5])
        await asAdmin('api/v1/metrics/quotas/check', { resource_type: 'chunks', usage_amount: amount });
      await page.getByRole('link', { name: 'Quotas', exact: true }).click();
      const limit = page.getByRole('region', { name: 'Limits' }).getByRole('article', { name: 'Chunks of the page' });
      await limit.getByText(/^8 .*of 10 .*\(80 %\)/).waitFor();
      await page.getByRole('region', { name: 'Beyond the limit' }).getByText(quotaId).waitFor();
      await page.getByRole('region', { name: 'Ledger' }).waitFor();
      expect(await faults()).toEqual([]);
      await page.setViewportSize({ width: 320, height: 740 });
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(320);
      await page.setViewportSize({ width: 1280, height: 900 });
      await limit.getByRole('button', { name: `Reset what was counted of ${quotaId}`, exact: true }).click();
      await limit.getByRole('group').getByRole('button', { name: 'Reset', exact: true }).click();
      await limit.getByText(/^0 .*of 10 /).waitFor();
    });
  });

  describe('the view of events', () => {
    afterAll(async () => void (await page.goto(`${product.api}/health`)));

    test('is narrowed by filters that are in its address, and one event leads to all that belongs to it', async () => {
      const message = 'The nightly copy went to the other house.';
      await asAdmin('api/v1/events', {
        ...{ kind: 'replication', event_type: 'synced', graph_id: 'sample', severity: 'critical', message },
      });
      await page.getByRole('link', { name: 'Events', exact: true }).click();
      const log = page.getByRole('region', { name: 'Events' });
      await log.getByText(message).waitFor();
      await log.getByLabel('Kind').selectOption('replication');
      await log.getByLabel('Severity').selectOption('critical');
      await address((url) => [url.searchParams.get('view'), url.searchParams.get('kind')]).toEqual([
        'events',
        'replication',
      ]);
      await expect.poll(() => log.getByRole('listitem').count(), { timeout: 30_000 }).toBe(1);
      await page.reload();
      await log.getByText(message).click();
      await log.getByText('replication.told.synced').waitFor();
      expect(await faults()).toEqual([]);
      // What was asked is in the trail, what came of it in the log: one list.
      await asAdmin('api/v1/settings/reload', {});
      await log.getByLabel('Kind').selectOption('lifecycle');
      await log.getByLabel('Severity').selectOption('');
      await log.getByText(/^The settings were read again/).click();
      await log.getByRole('button', { name: 'Show what belongs together' }).click();
      const together = page.getByRole('region', { name: 'What belongs together' });
      await together.getByText(/^The settings were read again/).waitFor();
      await together
        .getByText(/settings\.reload/)
        .first()
        .waitFor();
      await together.getByRole('button', { name: 'Back to all events' }).click();
      await page.getByRole('region', { name: 'How many, and when' }).waitFor();
    });

    test('the course is counted by kind, the trail is verified, and both are exported', async () => {
      await page.goto(`${product.api}/health?view=events`);
      const counts = page.getByRole('region', { name: 'How many, and when' });
      await counts.getByRole('img', { name: /^\d+ events? over time/ }).waitFor();
      await counts.getByRole('row', { name: /^replication / }).waitFor();
      const trail = page.getByRole('region', { name: 'Audit trail' });
      await trail.getByRole('button', { name: /^Verify/ }).click();
      await trail.getByText('whole', { exact: true }).waitFor();
      const link = trail.getByRole('link', { name: 'Export these events' });
      const lines = await page.evaluate<string>(
        `fetch(${JSON.stringify(await link.getAttribute('href'))}).then((answer) => answer.text())`,
      );
      expect(lines).toContain('The nightly copy went to the other house.');
      await page.setViewportSize({ width: 320, height: 740 });
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(320);
      await page.setViewportSize({ width: 1280, height: 900 });
    });
  });

  test('a parameter is changed after what it would do was shown, told in the history, and brought back', async () => {
    await page.goto(`${product.api}/health?view=tuning`);
    const values = page.getByRole('region', { name: 'Parameters' });
    const past = page.getByRole('region', { name: 'History' });
    await page.getByRole('region', { name: 'Advice' }).waitFor();
    await values.getByRole('button', { name: 'All of them' }).click();
    // Another one at a second attempt: what is so already would change nothing.
    const first = 1_000 + (Date.now() % 900);
    for (const typed of [String(first), String(first + 1)]) {
      await values.getByRole('button', { name: 'Change chunk_size', exact: true }).click();
      const form = values.getByRole('form', { name: 'Change chunk_size' });
      await form.getByRole('textbox', { name: 'Value' }).fill(typed);
      await form.getByRole('button', { name: 'What would it do?' }).click();
      await form
        .getByText(/keep what they were read with|The index is empty/)
        .first()
        .waitFor();
      await form.getByRole('button', { name: 'Set it' }).click();
      await past.getByText(`→ ${typed}`).first().waitFor();
      await values.getByRole('button', { name: 'Close chunk_size', exact: true }).click();
    }
    expect(await faults()).toEqual([]);
    await past
      .getByRole('button', { name: /^Go back to it, revision/ })
      .first()
      .click();
    await past.getByRole('button', { name: 'Go back to it', exact: true }).click();
    await past.getByText(`chunk_size: ${first + 1} → ${first}`).waitFor();
    await page.goto(`${product.api}/health`);
  });

  test('nothing is wider than a phone', async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
    await page.setViewportSize({ width: 1280, height: 900 });
  });

  describe.skipIf(!hasPart('restic'))('recovery', () => {
    const row = (cause: string) => page.getByRole('row').filter({ hasText: cause });

    test('the first point comes by itself, another when it is asked for, each as an event at once', async () => {
      await row('scheduled').getByText('consistent').waitFor();
      const take = page.getByRole('button', { name: 'Take a point now' });
      await expect.poll(() => take.isEnabled(), { timeout: 30_000 }).toBe(true);
      await take.click();
      // Both at once: a point of the sample is soon taken.
      await Promise.all([
        page.getByRole('progressbar').waitFor(),
        page.locator('button.is-main:disabled[title="A recovery point is being taken."]').waitFor(),
      ]);
      await row('manual').getByText('consistent').waitFor();
      await page
        .getByRole('region', { name: 'Events' })
        .getByText(/was taken/)
        .first()
        .waitFor();
    });

    test('the details of a point are in the address', async () => {
      await row('manual').getByRole('button', { expanded: false }).click();
      await page.getByText('Why this grade').waitFor();
      await address((url) => url.search).toMatch(/^\?point=backup_/);
      await page.goBack();
      await expect.poll(() => page.getByText('Why this grade').count()).toBe(0);
    });

    test('the course of the points has a mark for each, and a mark leads to its point', async () => {
      const course = page.getByRole('region', { name: 'Course' });
      const mark = course.getByRole('button', { name: /consistent points?.* of .*read back/ });
      await mark.click();
      await page.getByText('Do its stores belong together').waitFor();
      await address((url) => url.search).toMatch(/^\?point=backup_/);
      const detail = page.locator('.point-detail');
      expect(await detail.innerText()).toMatch(/clean[\s\S]*workspace files · [\s\S]*by record/);
      expect(await course.innerText()).toContain('without a good point');
      await page.goBack();
    });

    test('the schedule is stopped and started, and said to be off in between', async () => {
      const recovery = page.getByRole('region', { name: 'Recovery' });
      await recovery.getByRole('button', { name: /^Stop the schedule/ }).click();
      await recovery.getByText('the schedule is off').waitFor();
      await recovery.getByRole('button', { name: /^Start the schedule/ }).click();
      await recovery.getByRole('button', { name: /^Stop the schedule/ }).waitFor();
    });

    test('a restore shows the plan of what is chosen, waits until the target was named, and tells what it did', async () => {
      await row('manual')
        .getByRole('button', { name: /^Restore/ })
        .click();
      const dialog = page.getByRole('dialog');
      await dialog.getByText('What happens').waitFor();
      expect(await dialog.innerText()).toMatch(/What will be lost/);
      // But what no restore of this kind ever puts back.
      expect(await dialog.innerText()).toMatch(/Left alone\s+ragwarden-state/);
      expect((await dialog.innerText()).match(/by `ragwarden recover`/g)).toHaveLength(1);
      await dialog.getByRole('radio', { name: 'Some components' }).check();
      await dialog.getByText('Choose at least one component.').waitFor();
      const confirm = dialog.getByRole('button', { name: 'Restore', exact: true });
      expect(await confirm.count()).toBe(0);
      await dialog.getByRole('checkbox', { name: /^inputs/ }).check();
      await dialog.getByText('workspace: not asked for').waitFor();
      await address((url) => url.searchParams.get('only')).toBe('inputs');
      expect(await dialog.getByRole('radio', { name: /^Under another name/ }).isDisabled()).toBe(true);
      expect(await confirm.isDisabled()).toBe(true);
      await dialog.getByLabel(/to replace its data/).fill('sample');
      expect(await confirm.isEnabled()).toBe(true);
      await confirm.click();
      await dialog.getByText('Restored').waitFor({ timeout: 60_000 });
      const told = await dialog.innerText();
      expect(told).toMatch(/What went back\s+100 files[\s\S]*Safety point\s+backup_[\s\S]*undo-/);
      await dialog.getByRole('button', { name: 'Close' }).click();
      // The address follows the dialog, not within the same turn.
      await page.waitForURL(`${product.api}/health`);
      await row('safety').waitFor();
    });

    test('nobody drilled, which is a warning; a drill is run, and its verdict, phases and evidence are there', async () => {
      const panel = page.getByRole('region', { name: 'Drills and objectives' });
      await panel.getByText(/^Never drilled/).waitFor();
      await panel.getByRole('button', { name: /^Run a drill/ }).click();
      await panel.getByText('passed').waitFor({ timeout: 60_000 });
      await expect.poll(() => panel.getByText(/^Never drilled/).count(), { timeout: 30_000 }).toBe(0);
      await panel.getByText(/^\d+ phases$/).click();
      expect(await panel.innerText()).toMatch(/Time to restore \(RTO\)\s+[\d.]+ s\s+met/);
      expect(await panel.getByRole('link', { name: 'Evidence' }).getAttribute('href')).toMatch(/\/op_\w+\/evidence$/);
      await page
        .getByRole('region', { name: 'Course' })
        .getByRole('button', { name: /^passed drill/ })
        .waitFor();
    });

    test('the upkeep of the repository is seen, and nothing is wider than a phone now either', async () => {
      const table = page.getByRole('region', { name: 'Repository' });
      expect(await table.getByRole('row').count()).toBe(4);
      expect(await table.innerText()).toMatch(/Checked[\s\S]*never yet/);
      expect(await faults()).toEqual([]);
      await page.setViewportSize({ width: 320, height: 740 });
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(320);
      await page.setViewportSize({ width: 1280, height: 900 });
    });
  });

  describe.skipIf(!hasPart('restic'))('the view of replication', () => {
    const copies = temporaryFolder('page-copies');
    afterAll(async () => {
      await page.goto(`${product.api}/health`);
      removeFolder(copies);
    });

    test('points are copied to a place, and what was done there is its history', async () => {
      await asAdmin('api/v1/backup-replication/replication/targets', {
        ...{ name: 'second place', target_id: 'second', location: join(copies, 'repository') },
      });
      await page.getByRole('link', { name: 'Replication', exact: true }).click();
      const places = page.getByRole('region', { name: 'Copies elsewhere' });
      await places.getByText(/^[1-9]\d* there, 0 missing$/).waitFor();
      await places.getByText('healthy', { exact: true }).first().waitFor();
      const history = page.getByRole('region', { name: 'What was done' }).getByRole('listitem');
      await history
        .filter({ hasText: /backup_.* → second/ })
        .first()
        .waitFor();
      expect(await faults()).toEqual([]);
      await page.setViewportSize({ width: 320, height: 740 });
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(320);
      await page.setViewportSize({ width: 1280, height: 900 });
    });
  });

  test('logging out ends it, and the browser had nothing to complain of', async () => {
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByLabel('Access token').waitFor();
    await page.reload();
    await page.getByLabel('Access token').waitFor();
    expect(complaints).toEqual([]);
  });

  test('when ragwarden is gone, the page says so and does not repeat its last word', async () => {
    product.child.kill('SIGTERM');
    await page.getByText('ragwarden does not answer.').waitFor();
    expect(await page.innerText('.overall')).toMatch(/^\s*unknown/);
  });
});
