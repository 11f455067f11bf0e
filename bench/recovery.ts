import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { bytesBelow, takePoint } from './backup-steps.ts';
import { call, callWhenFree, type Product, startProduct, startSample } from './product.ts';
import { type Bench, median, type Size } from './report.ts';
import { editWorkspace } from './scattered-edits.ts';

type Phase = { name: string; seconds: number | null };
type Failover = { state: string; to: string; answered_after_seconds: number | null; phases: Phase[] };

/** The place where the target lives is emptied, and the other one takes over; then back again, and so on. */
async function failOver(product: Product, times: number): Promise<{ right: number; seen: Failover[] }> {
  const folders = { home: 'sample', standby: 'sample-standby' };
  const seen: Failover[] = [];
  let right = 0;
  for (let n = 0; n < times; n += 1) {
    const { active } = (await call(product.api, 'GET', '/api/v1/recovery/failover')) as { active: 'home' | 'standby' };
    for (const part of ['rag_storage', 'inputs'])
      rmSync(join(product.dataDir, folders[active], part), { recursive: true, force: true });
    await callWhenFree(product.api, '/api/v1/recovery/failover', { confirm: true }, 300);
    const { active: now, last } = (await call(product.api, 'GET', '/api/v1/recovery/failover')) as {
      active: string;
      last: Failover;
    };
    if (last.state === 'succeeded' && now !== active && now === last.to) right += 1;
    seen.push(last);
  }
  return { right, seen };
}

/** A point whose restore beside everything passed each of its checks. */
async function drill(product: Product): Promise<boolean> {
  const { id } = await callWhenFree(product.api, '/api/v1/recovery/drills', {}, 300);
  const { verdict } = await call(product.api, 'GET', `/api/v1/recovery/drills/${id}`);
  return verdict === 'passed';
}

/** Whether a backend that hangs, and one that answers, are told apart: each state is looked at once, freshly. */
async function judge(size: Size, times: number): Promise<number> {
  const sample = await startSample('tiny');
  const product = await startProduct(sample, size, { RAGWARDEN_PROBE_TIMEOUT: '0.5' });
  let right = 0;
  try {
    for (let n = 0; n < times; n += 1)
      for (const [signal, answers] of [
        ['SIGSTOP', false],
        ['SIGCONT', true],
      ] as const) {
        process.kill(sample.pid, signal);
        const report = (await call(product.api, 'GET', '/api/v1/health-dashboard/components?fresh=true')) as {
          components: { application_services: { services: Record<string, { status: string }> } };
        };
        const found = report.components.application_services.services['target default']?.status;
        if (found === (answers ? 'healthy' : 'unhealthy')) right += 1;
      }
  } finally {
    process.kill(sample.pid, 'SIGCONT');
    await product.stop();
    await sample.stop();
  }
  return right;
}

const share = (right: number, of: number): number => (100 * right) / of;

export const recovery: Bench = {
  name: 'recovery',
  async run(size) {
    const [points, drills, failovers, verdicts] = size === 'full' ? [28, 40, 20, 25] : [1, 1, 1, 1];
    const product = await startProduct(undefined, size);
    const workspace = join(product.dataDir, 'sample', 'rag_storage');
    const taken: number[] = [];
    for (let n = 0; n < points; n += 1) {
      if (n > 0) editWorkspace(workspace, n % 100);
      taken.push((await takePoint(product)).wall / 1_000);
    }
    const { items } = (await call(product.api, 'GET', '/api/v1/backup/points?limit=100')) as {
      items: { total_size_mb: number }[];
    };
    const logical = items.reduce((sum, one) => sum + one.total_size_mb, 0) * 2 ** 20;
    const stored = bytesBelow(join(product.dataDir, 'repository'));
    let restored = 0;
    const restores: number[] = [];
    for (let n = 0; n < drills; n += 1) {
      const beganMs = performance.now();
      if (await drill(product)) restored += 1;
      restores.push((performance.now() - beganMs) / 1_000);
    }
    const { right, seen } = await failOver(product, failovers);
    await product.stop();
    const judged = await judge(size, verdicts);

    const phase = (name: string) =>
      median(seen.map(({ phases }) => phases.find((one) => one.name === name)?.seconds ?? Number.NaN));
    const names = seen[0]?.phases.map(({ name }) => name) ?? [];
    const answered = median(seen.map((one) => one.answered_after_seconds ?? Number.NaN));
    return {
      row: 'P21, F476: recovery on the sample',
      target:
        'a whole point within 2 minutes; over 99.9 % of validate-and-restore rounds, 99 % of failovers and of health verdicts right; a week of points stored in less than 30 % of their bytes; answering again within 5 minutes.',
      method: `The bundled sample. ${points} points (a week of four a day), each after every hundredth record of every file was changed; ${drills} drills, each of which restores a point beside everything, starts a backend on it and checks it; ${failovers} failovers, each after the folders of the place where the target lives were removed; ${2 * verdicts} fresh looks at a backend that was stopped (SIGSTOP) or continued just before. A share is that of these few: it cannot show more nines than there were rounds.`,
      columns: ['', 'median s'],
      lines: [
        ['a whole point', median(taken)],
        ['a drill', median(restores)],
        ['failover, until it answered', answered],
        ...names.map((name): [string, number] => [`failover: ${name}`, phase(name)]),
      ],
      figures: [
        { what: 'a whole point, the slowest', value: Math.max(...taken), limit: 120, unit: 's' },
        { what: 'drills passed', value: share(restored, drills), limit: 99.9, atLeast: true, unit: '%' },
        { what: 'storage efficiency', value: 100 * (1 - stored / logical), limit: 70, atLeast: true, unit: '%' },
        { what: 'failover, until it answered', value: answered, limit: 300, unit: 's' },
        { what: 'failovers right', value: share(right, failovers), limit: 99, atLeast: true, unit: '%' },
        { what: 'health verdicts right', value: share(judged, 2 * verdicts), limit: 99, atLeast: true, unit: '%' },
      ],
    };
  },
};
