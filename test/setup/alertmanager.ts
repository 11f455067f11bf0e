import { type ChildProcess, spawn } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '../../tools/system-packages.mjs';
import { freePort } from './free-port.ts';
import { memoryFolder } from './memory-folder.ts';
import { programOf } from './parts.ts';

export type RealAlertmanager = {
  readonly url: string;
  /** What it knows now, by its own API. */
  alerts(): Promise<readonly HeldAlert[]>;
  stop(): Promise<void>;
};

export type HeldAlert = {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: string;
  readonly endsAt: string;
};

/**
 * A real Alertmanager on a free port of loopback, that speaks with no other.
 * @param webhookUrl where it passes on what it gets, firing and resolved, at once
 */
export async function startAlertmanager(webhookUrl: string, port?: number): Promise<RealAlertmanager> {
  const folder = memoryFolder('alertmanager');
  const config = join(folder, 'alertmanager.yml');
  writeFileSync(
    config,
    `route: {receiver: hook, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}
receivers:
  - name: hook
    webhook_configs: [{url: '${webhookUrl}', send_resolved: true}]
`,
  );
  const at = port ?? (await freePort());
  const url = `http://127.0.0.1:${at}`;
  // Ends with the test run, however that ends.
  const setpriv = findProgram('setpriv');
  const alone = setpriv ? [setpriv, '--pdeathsig', 'KILL', '--'] : [];
  const [program = '', ...args] = [
    ...alone,
    programOf('alertmanager'),
    ...[
      `--config.file=${config}`,
      `--storage.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${at}`,
      '--cluster.listen-address=',
      '--log.level=error',
    ],
  ];
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await untilReady(url, child, () => said);
  return {
    url,
    async alerts() {
      const answer = await fetch(`${url}/api/v2/alerts`);
      return (await answer.json()) as HeldAlert[];
    },
    async stop() {
      const over = new Promise((resolve) => child.once('exit', resolve));
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await over;
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function untilReady(url: string, child: ChildProcess, said: () => string): Promise<void> {
  const until = performance.now() + 30_000;
  for (;;) {
    const ready = await fetch(`${url}/-/ready`).then(
      (answer) => answer.ok,
      () => false,
    );
    if (ready) return;
    if (child.exitCode !== null || performance.now() > until)
      throw new Error(`Alertmanager did not get ready: ${said()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
