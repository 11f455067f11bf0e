import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import axe from 'axe-core';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect } from 'vitest';
import { hasPart, programOf } from '../setup/parts.ts';
import { field, prepareRepository, removeFolder, temporaryFolder } from '../warden-harness.ts';

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

export type OpenPage = {
  /** All of it is there from `beforeAll` on. */
  readonly page: Page;
  readonly product: Product;
  /** What the browser complained of: errors of scripts, and what the Content-Security-Policy refused. */
  readonly complaints: string[];
  readonly dataDir: string;
  /** Hands bytes to the API. */
  upload(path: string, bytes: Uint8Array): Promise<void>;
  /** Asks the API beside the page. */
  asAdmin(path: string, body?: unknown, method?: string): Promise<unknown>;
  /** The browser tells a new address by itself, a moment after what led to it is there. */
  address(part: (url: URL) => unknown): ReturnType<typeof expect.poll>;
  /** Follows a link that logs in once. */
  logIn(): Promise<void>;
  /**
   * Breaks no rule of accessibility (WCAG 2 and good practice) that a program can check, and nothing is wider than a small phone.
   * Tells each fault with the first element that has it.
   */
  faults(): Promise<string[]>;
};

/** What was built, with the sample, as `npm start` runs it; and a browser before it. Ends both after the tests of a file. */
export function openPage(name: string, settings: Readonly<Record<string, string>> = {}): OpenPage {
  const dataDir = temporaryFolder(name);
  const complaints: string[] = [];
  let product: Product | undefined;
  let browser: Browser | undefined;
  let page: Page | undefined;

  beforeAll(async () => {
    // A key that is derived in a moment: what is tested here is not restic's.
    if (settings.BACKUP_ENABLED !== 'false' && hasPart('restic')) await prepareRepository(dataDir);
    product = await startProduct(dataDir, settings);
    browser = await chromium.launch({ executablePath: programOf('chromium'), args: quiet });
    page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    page.setDefaultTimeout(90_000);
    page.on('pageerror', (err) => complaints.push(err.message));
    // What is switched off or was never set up is known to the page, which does not ask for it.
    page.on('response', (answer) => {
      if (answer.status() === 409 && answer.request().method() === 'GET') complaints.push(`409 of ${answer.url()}`);
    });
    page.on('console', (message) => {
      // A stranger's session is asked for and refused, a press comes while something else works: the browser tells both.
      if (message.type() === 'error' && !/\b(401|409)\b/.test(message.text())) complaints.push(message.text());
    });
  });

  afterAll(async () => {
    await browser?.close();
    const child = product?.child;
    if (child && child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    removeFolder(dataDir);
  });

  const open: OpenPage = {
    complaints,
    dataDir,
    async upload(path, bytes) {
      const token = readFileSync(join(dataDir, 'local-token'), 'utf8').trim();
      const answer = await fetch(new URL(path, `${open.product.api}/`), {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' },
        body: bytes as Uint8Array<ArrayBuffer>,
      });
      expect([answer.status, await answer.text()]).toEqual([200, expect.any(String)]);
    },
    get page() {
      if (!page) throw new Error('the browser is not open yet');
      return page;
    },
    get product() {
      if (!product) throw new Error('the product does not run yet');
      return product;
    },
    async asAdmin(path, body, method = body === undefined ? 'GET' : 'POST') {
      const token = readFileSync(join(dataDir, 'local-token'), 'utf8').trim();
      const answer = await fetch(new URL(path, `${open.product.api}/`), {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      return text === '' ? undefined : JSON.parse(text);
    },
    address: (part) => expect.poll(() => part(new URL(open.page.url())), { timeout: 60_000 }),
    async logIn() {
      const path = String(field(await open.asAdmin('api/v1/access/login-links', {}), 'path'));
      await open.page.goto(`${open.product.api}${path}`);
      await open.page.getByRole('heading', { name: 'Backend' }).waitFor();
    },
    async faults() {
      const { violations } = await open.page.evaluate<axe.AxeResults>(`${axe.source}; axe.run()`);
      await open.page.setViewportSize({ width: 320, height: 740 });
      // Tables become cards a moment after the room became narrow, and what comes meanwhile may be wide for a moment.
      const beganMs = performance.now();
      let width = Number.POSITIVE_INFINITY;
      while (width > 320 && performance.now() - beganMs < 60_000) {
        await open.page.waitForTimeout(50);
        width = await open.page.evaluate<number>('document.documentElement.scrollWidth');
      }
      await open.page.setViewportSize({ width: 1280, height: 900 });
      return [
        ...violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`),
        ...(width > 320 ? [`${width} pixels wide on a phone of 320`] : []),
      ];
    },
  };
  return open;
}

async function startProduct(dataDir: string, settings: Readonly<Record<string, string>>): Promise<Product> {
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
        ...settings,
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
