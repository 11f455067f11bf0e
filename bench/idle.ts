import { cpuMs, cpuWithChildrenMs, memoryMib, sleep } from './processes.ts';
import { startProduct, startSample } from './product.ts';
import type { Bench } from './report.ts';

export const idle: Bench = {
  name: 'idle',
  async run(size) {
    const [settleMs, measureMs] = size === 'full' ? [60_000, 60_000] : [200, 500];
    const sample = await startSample(size === 'full' ? 'small' : 'tiny');
    const product = await startProduct(sample, size);
    await sleep(settleMs);
    const rss = memoryMib(product.pid);
    const beganMs = performance.now();
    const cpuBefore = cpuMs(product.pid);
    const withChildrenBefore = cpuWithChildrenMs(product.pid);
    await sleep(measureMs);
    const tookMs = performance.now() - beganMs;
    const percent = (100 * (cpuMs(product.pid) - cpuBefore)) / tookMs;
    const children = cpuWithChildrenMs(product.pid) - withChildrenBefore - (cpuMs(product.pid) - cpuBefore);
    const text = await (await fetch(new URL('/metrics', product.metrics))).text();
    const series = text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;
    const lines = [
      ['RSS after a minute', `${rss.toFixed(1)} MiB`],
      ['RSS after two minutes', `${memoryMib(product.pid).toFixed(1)} MiB`],
      [
        'of it anonymous (not shared with other Node.js processes)',
        `${memoryMib(product.pid, 'RssAnon').toFixed(1)} MiB`,
      ],
      ['highest RSS', `${memoryMib(product.pid, 'VmHWM').toFixed(1)} MiB`],
      ['CPU over the second minute', `${percent.toFixed(3)} % of a core`],
      ['CPU of child processes in that minute', `${Math.max(0, Math.round(children / 10) * 10)} ms`],
      ['series on /metrics', String(series)],
    ];
    await product.stop();
    await sample.stop();
    return {
      row: 'P16, idle',
      target: 'RSS at most 140 MiB (aim at 120), CPU at most 0.2 % of a core while sampling each second.',
      method: `One process that watches a sample backend, samples the host each second and has no other work. After ${settleMs / 1000} s of quiet, over ${measureMs / 1000} s. The rules are the default ones, and the series are those ragwarden has by itself.`,
      columns: ['what', 'measured'],
      lines,
      figures: [
        { what: 'RSS, idle', value: rss, limit: 140, unit: 'MiB' },
        { what: 'CPU, idle', value: percent, limit: 0.2, unit: '% of a core' },
      ],
    };
  },
};
