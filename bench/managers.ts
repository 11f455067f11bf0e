import { cpuMs, memoryMib, sleep } from './processes.ts';
import { adminToken, type Product, startProduct, startSample } from './product.ts';
import { type Bench, median } from './report.ts';

const without = {
  // Copies elsewhere are off unless somebody names a place.
  managers: { BACKUP_ENABLED: 'false', LIGHTRAG_RECOVERY_ENABLED: 'false' },
  collection: { MONITORING_ENABLED: 'false', LIGHTRAG_METRICS_ENABLED: 'false' },
};

/** What the overview and the view of health ask for, again and again. */
const asked = [
  '/api/v1/targets',
  '/api/v1/monitoring/system',
  '/api/v1/health-dashboard/status',
  '/api/v1/health-dashboard/graphs',
  '/api/v1/system/services',
  '/api/v1/backup/points?limit=20',
  '/api/v1/events?limit=50',
];

/** As a page that is open: each second, and the stream of events beside it. Ends when the time is over. */
async function holdOpen({ api }: Product, ms: number): Promise<void> {
  const headers = { authorization: `Bearer ${adminToken}` };
  const end = new AbortController();
  const stream = fetch(new URL('/api/v1/events/stream', api), { headers, signal: end.signal });
  await stream;
  for (const until = performance.now() + ms; performance.now() < until; await sleep(Math.min(1_000, ms / 2)))
    await Promise.all(
      asked.map(async (path) => {
        const answer = await fetch(new URL(path, api), { headers });
        if (!answer.ok) throw new Error(`${path} answers ${answer.status}`);
        await answer.arrayBuffer();
      }),
    );
  end.abort();
}

/** What parts of the product cost that can be switched off, and what an open page costs. */
export const managers: Bench = {
  name: 'managers',
  async run(size) {
    const [rounds, settleMs, measureMs] = size === 'full' ? [3, 10_000, 10_000] : [1, 100, 300];
    const sample = await startSample(size === 'full' ? 'small' : 'tiny');
    // Fills the compile cache beside the bundle.
    if (size === 'full') await (await startProduct(sample, size)).stop();
    const kinds = { all: {}, ...without };
    const seen = new Map(
      Object.keys(kinds).map((kind) => [kind, { ready: [], readyCpu: [], rss: [], cpu: [] } as Seen]),
    );
    const open: number[] = [];
    for (let round = 0; round < rounds; round += 1)
      for (const [kind, settings] of Object.entries(kinds)) {
        const into = seen.get(kind) as Seen;
        const product = await startProduct(sample, size, settings);
        into.ready.push(product.readyMs);
        into.readyCpu.push(cpuMs(product.pid));
        await sleep(settleMs);
        const [cpuBefore, beganMs] = [cpuMs(product.pid), performance.now()];
        await sleep(measureMs);
        into.cpu.push((100 * (cpuMs(product.pid) - cpuBefore)) / (performance.now() - beganMs));
        const closed = memoryMib(product.pid);
        into.rss.push(closed);
        if (kind === 'all') {
          await holdOpen(product, measureMs);
          open.push(memoryMib(product.pid) - closed);
        }
        await product.stop();
      }
    await sample.stop();
    const of = (kind: string, what: keyof Seen): number => median(seen.get(kind)?.[what] ?? []);
    const more = (than: string, what: keyof Seen): number => of('all', what) - of(than, what);
    const line = (name: string, kind: string) => [
      name,
      of(kind, 'ready'),
      of(kind, 'readyCpu'),
      of(kind, 'rss'),
      of(kind, 'cpu'),
    ];
    return {
      row: 'P19 and P20 (F474, F475): what parts cost',
      target:
        'backup and recovery at most 500 ms to ready and 50 MB; collection at most 5 % of a core; an open page at most 30 MB.',
      method: `Median of ${rounds} starts of each in turn. After ${settleMs / 1_000} s of quiet: memory, and CPU over ${measureMs / 1_000} s. Then the page's requests each second and its stream for as long; what grew meanwhile by itself counts against the page.`,
      columns: ['process', 'wall ms to ready', 'CPU ms to ready', 'RSS MiB', 'CPU, % of a core'],
      lines: [
        line('everything on', 'all'),
        line('without backup and recovery', 'managers'),
        line('without collection', 'collection'),
      ],
      figures: [
        { what: 'backup and recovery, to ready', value: more('managers', 'ready'), limit: 500, unit: 'ms' },
        { what: 'backup and recovery, CPU to ready', value: more('managers', 'readyCpu'), unit: 'ms' },
        { what: 'backup and recovery, memory', value: more('managers', 'rss'), limit: 50, unit: 'MiB' },
        { what: 'collection, CPU', value: more('collection', 'cpu'), limit: 5, unit: '% of a core' },
        { what: 'an open page, memory', value: median(open), limit: 30, unit: 'MiB' },
        { what: 'start to ready, everything on', value: of('all', 'ready'), limit: 5_000, unit: 'ms' },
      ],
    };
  },
};

type Seen = { readonly ready: number[]; readonly readyCpu: number[]; readonly rss: number[]; readonly cpu: number[] };
