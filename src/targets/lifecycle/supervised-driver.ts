import type { ChildProcesses, ChildSpec, RunningChild } from '../../platform/child-processes/index.ts';
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
  return {
    automatic: true,
    describe: { stop: 'stop the sample backend', start: 'start the sample backend' },
    pid: () => running?.pid,
    async stop() {
      await running?.stop(options.graceMs);
      running = undefined;
    },
    async start() {
      if (running) return;
      const child = await options.children.start(options.spec);
      running = child;
      void child.exited.then(() => {
        if (running === child) running = undefined;
      });
    },
  };
}
