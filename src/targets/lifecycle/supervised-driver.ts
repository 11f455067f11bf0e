import type { ChildProcesses, ChildResult, ChildSpec, RunningChild } from '../../platform/child-processes/index.ts';
import type { LifecycleDriver } from './backend-lifecycle.ts';

export type SupervisedDriver = LifecycleDriver & {
  /** Undefined while it does not run. */
  pid(): number | undefined;
};

/** A backend that is our own child: the bundled sample. It is not restarted when it dies; its status says so. */
export function createSupervisedDriver(options: {
  children: ChildProcesses;
  spec: ChildSpec;
  graceMs: number;
}): SupervisedDriver {
  let running: RunningChild | undefined;
  let end: string | undefined;
  let starting: Promise<void> | undefined;

  const startOne = async (): Promise<void> => {
    const child = await options.children.start(options.spec);
    running = child;
    void child.exited.then((result) => {
      if (running !== child) return;
      running = undefined;
      end = describeEnd(result);
    });
  };

  return {
    automatic: true,
    describe: { stop: 'stop the sample backend', start: 'start the sample backend' },
    pid: () => running?.pid,
    findEnd: () => end,
    async stop() {
      await starting?.catch(() => undefined);
      const child = running;
      await child?.stop(options.graceMs);
      if (running === child) running = undefined;
    },
    async start() {
      if (running) return;
      end = undefined;
      starting ??= startOne().finally(() => {
        starting = undefined;
      });
      await starting;
    },
  };
}

/** How it ended, with the last line it said. */
function describeEnd({ exitCode, signal, stderr }: ChildResult): string {
  const how = exitCode === null ? `ended by ${signal ?? 'a signal'}` : `exit code ${exitCode}`;
  const said = stderr.trimEnd().split('\n').at(-1) ?? '';
  return said === '' ? `${how}.` : `${how}, and its last words were: ${said.slice(0, 300)}`;
}
