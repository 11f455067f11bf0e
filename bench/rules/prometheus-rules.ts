import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { cpuMs, isThere, sleep, startServer, temporaryFolder } from '../processes.ts';

/** A real Prometheus with so many rules, and one beside it that only scrapes; both at the same time. */
export type PrometheusRules = {
  /** CPU milliseconds of one evaluation of all rules, of each kind, without what the scraping takes. */
  measure(seconds: number): Promise<Readonly<Record<Kind, number>>>;
  stop(): Promise<void>;
};
type Kind = 'threshold' | 'window';

const expressions: Readonly<Record<Kind, (series: number) => string>> = {
  threshold: (series) => `level{series="${series}"} > 85`,
  window: (series) => `avg_over_time(level{series="${series}"}[60s]) > 70`,
};

/** Undefined where there is none. The series, and which of them fire, are those that our own rules are measured with. */
export async function startPrometheusRules(count: number, warmSeconds: number): Promise<PrometheusRules | undefined> {
  if (!isThere('prometheus')) return undefined;
  const exposed = createServer((_request, response) => {
    const second = Math.floor(performance.now() / 1_000);
    const lines = Array.from(
      { length: 1_000 },
      (_, i) => `level{series="${i}"} ${i % 4 === 0 ? 95 : 40 + ((second + i) % 20)}`,
    );
    response.end(`# TYPE level gauge\n${lines.join('\n')}\n`);
  });
  await new Promise<void>((resolve) => exposed.listen(0, '127.0.0.1', resolve));
  const { port: target } = exposed.address() as AddressInfo;
  const start = (kind: Kind | undefined) => {
    const folder = join(temporaryFolder(), kind ?? 'none');
    mkdirSync(folder);
    const rules = Array.from(
      { length: kind === undefined ? 0 : count },
      (_, i) => `  - {alert: A${i}, expr: '${expressions[kind ?? 'window'](i % 1_000)}', for: 10s}\n`,
    );
    writeFileSync(join(folder, 'rules.yml'), `groups:\n- name: all\n  interval: 1s\n  rules:\n${rules.join('')}`);
    writeFileSync(
      join(folder, 'prometheus.yml'),
      `global: {scrape_interval: 1s, evaluation_interval: 1s}
${kind === undefined ? '' : "rule_files: ['rules.yml']\n"}scrape_configs:
- job_name: bench
  static_configs: [{targets: ['127.0.0.1:${target}']}]
`,
    );
    return startServer(
      'prometheus',
      (port) => [
        ...[`--config.file=${join(folder, 'prometheus.yml')}`, `--storage.tsdb.path=${join(folder, 'tsdb')}`],
        ...[`--web.listen-address=127.0.0.1:${port}`, '--log.level=error'],
      ],
      '/-/ready',
    );
  };
  const [idle, threshold, window] = await Promise.all([start(undefined), start('threshold'), start('window')]);
  await sleep(warmSeconds * 1_000);
  const evaluations = async ({ url }: { url: string }): Promise<number> => {
    const text = await (await fetch(`${url}/metrics`)).text();
    const of = (name: string): number => Number(new RegExp(`^${name}\\{.*\\} (\\S+)$`, 'm').exec(text)?.[1] ?? 0);
    return of('prometheus_rule_group_iterations_total') - of('prometheus_rule_group_iterations_missed_total');
  };
  return {
    async measure(seconds) {
      const look = async () => ({
        cpu: [idle, threshold, window].map(({ pid }) => cpuMs(pid)),
        done: await Promise.all([threshold, window].map(evaluations)),
      });
      const before = await look();
      // At least one evaluation lies between the two looks.
      await sleep(Math.max(1.2, seconds) * 1_000);
      const after = await look();
      const cost = (at: number): number => (after.cpu[at] ?? 0) - (before.cpu[at] ?? 0);
      const perEvaluation = (at: number): number => {
        const times = Math.max(1, (after.done[at - 1] ?? 0) - (before.done[at - 1] ?? 0));
        return (cost(at) - cost(0)) / times;
      };
      return { threshold: perEvaluation(1), window: perEvaluation(2) };
    },
    async stop() {
      await Promise.all([idle, threshold, window].map((one) => one.stop()));
      exposed.close();
      exposed.closeAllConnections();
    },
  };
}
