import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { bareRepository, bytesBelow, type Step, takePoint } from './backup-steps.ts';
import { cpuWithChildrenMs, sleep, temporaryFolder } from './processes.ts';
import { adminToken, type Product, startProduct, startSample } from './product.ts';
import { type Bench, median } from './report.ts';

async function ask(product: Product, method: string, path: string, body?: object): Promise<Record<string, unknown>> {
  const answer = await fetch(new URL(path, product.api), {
    method,
    headers: { authorization: `Bearer ${adminToken}`, prefer: 'wait=300', 'content-type': 'application/json' },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return JSON.parse(text) as Record<string, unknown>;
}

async function timed(product: Product, work: () => Promise<unknown>): Promise<Step> {
  const [cpu, wall] = [cpuWithChildrenMs(product.pid), performance.now()];
  await work();
  return { wall: performance.now() - wall, cpu: cpuWithChildrenMs(product.pid) - cpu };
}

/** How long the phase lasts in which inserts would be held; looked at every few milliseconds. */
async function captureMs(product: Product, take: () => Promise<unknown>): Promise<number> {
  let over = false;
  const taking = take().finally(() => {
    over = true;
  });
  let [first, last] = [0, 0];
  while (!over) {
    const { items } = (await ask(product, 'GET', '/api/v1/operations?limit=1')) as { items: { phase: string }[] };
    if (items[0]?.phase === 'capturing') {
      first ||= performance.now();
      last = performance.now();
    }
    await sleep(5);
  }
  await taking;
  return last - first;
}

export const restore: Bench = {
  name: 'restore',
  async run(size) {
    const [rounds, workspace] = size === 'full' ? ([3, 'medium'] as const) : ([1, 'tiny'] as const);
    const sample = await startSample(workspace);
    const allowed = temporaryFolder();
    const mebibytes = (bytesBelow(sample.workingDir) + bytesBelow(sample.inputDir)) / 2 ** 20;
    const product = await startProduct(sample, size, {
      RAGWARDEN_ALLOWED_ROOTS: allowed,
      RAGWARDEN_DRILL_MIN_FREE: '0',
    });
    const { init, restic } = bareRepository(size);
    await init();
    await restic(['backup', sample.workingDir, sample.inputDir]);
    const firstHold = await captureMs(product, () => takePoint(product));
    const nextHold = await captureMs(product, () => takePoint(product));
    const { items } = (await ask(product, 'GET', '/api/v1/backup/points')) as { items: { backup_id: string }[] };
    const point = items[0]?.backup_id ?? 'none';
    const bare: Step[] = [];
    const beside: Step[] = [];
    const rto: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const to = join(temporaryFolder(), 'bare');
      mkdirSync(to);
      const [got, checked] = [await restic(['restore', 'latest', '--verify', '--target', to]), await restic(['check'])];
      bare.push({ wall: got.wall + checked.wall, cpu: got.cpu + checked.cpu });
      const folder = join(allowed, `round-${round}`);
      beside.push(
        await timed(product, () =>
          ask(product, 'POST', `/api/v1/backup/restore/${point}`, { confirm: true, to: { folder } }),
        ),
      );
      const drill = (await ask(product, 'POST', '/api/v1/recovery/drills', {})) as {
        result?: { rto_seconds?: number };
      };
      rto.push(drill.result?.rto_seconds ?? Number.NaN);
    }
    await product.stop();
    await sample.stop();
    const of = (steps: readonly Step[], what: keyof Step) => median(steps.map((step) => step[what]));
    return {
      row: 'Restore, hold and RTO of files',
      target:
        'Restore with its check at most as long as restic restore and check; RTO of the sample at most 5 minutes.',
      method: `Median of ${rounds} rounds in turn over ${mebibytes.toFixed(0)} MiB. Bare: restic restore --verify into an empty folder and restic check. Ours: the point beside the live data (plan, listing, restic, folding, every digest, modes and times). The hold is how long the phase lasts in which inserts would be kept waiting, at the first point and at the next, unchanged one. The RTO is what a drill measures.`,
      columns: ['step', 'wall s', 'CPU s'],
      lines: [
        ['restic restore --verify and check', of(bare, 'wall') / 1_000, of(bare, 'cpu') / 1_000],
        ['ragwarden, beside the live data', of(beside, 'wall') / 1_000, of(beside, 'cpu') / 1_000],
        ['hold of inserts, first point', firstHold / 1_000, ''],
        ['hold of inserts, unchanged', nextHold / 1_000, ''],
        ['RTO of a drill', median(rto), ''],
      ],
      figures: [
        { what: 'restore and check, wall', value: of(beside, 'wall') / of(bare, 'wall'), limit: 1, unit: 'times' },
        { what: 'restore and check, CPU', value: of(beside, 'cpu') / of(bare, 'cpu'), unit: 'times' },
        { what: 'hold of inserts for 400 MB, first point', value: (firstHold / mebibytes) * 381, unit: 'ms' },
        { what: 'hold of inserts for 400 MB, unchanged', value: (nextHold / mebibytes) * 381, unit: 'ms' },
        { what: 'RTO', value: median(rto), limit: 300, unit: 's' },
      ],
    };
  },
};
