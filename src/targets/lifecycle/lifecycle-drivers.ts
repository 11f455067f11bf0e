import type { LifecycleStep } from '../../config/index.ts';
import type { ChildProcesses } from '../../platform/child-processes/index.ts';
import { systemSearchPath } from '../../platform/child-processes/index.ts';
import { AppError } from '../../platform/errors.ts';
import type { HttpRequester } from '../../platform/http-client.ts';
import type { LifecycleDriver } from './backend-lifecycle.ts';

/** Drives a backend as `target.lifecycle` of the settings file says: an argument list, a systemd unit or a webhook. */
export function createConfiguredDriver(options: {
  lifecycle: { readonly stop: LifecycleStep; readonly start: LifecycleStep };
  children: ChildProcesses;
  http: HttpRequester;
  stopTimeoutMs: number;
  startTimeoutMs: number;
  /** Of the commands; `PATH` is the system's own where it is not given. */
  environment?: Readonly<Record<string, string>>;
}): LifecycleDriver {
  const { lifecycle, children, http } = options;

  const carryOut = async (
    step: LifecycleStep,
    verb: 'stop' | 'start',
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<void> => {
    if ('webhook' in step) {
      const response = await http.request({
        url: step.webhook,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ action: verb }),
        timeoutMs,
        maxBytes: 65_536,
        signal,
      });
      if (response.status < 200 || response.status >= 300)
        throw new AppError('target/lifecycle-failed', `the webhook answered ${response.status}`);
      return;
    }
    const [program, ...args] = 'systemd' in step ? ['systemctl', verb, '--', step.systemd] : step.command;
    if (program === undefined) throw new AppError('target/lifecycle-failed', `no command to ${verb} it`);
    const result = await children.run({
      program,
      args,
      env: { PATH: systemSearchPath, ...options.environment },
      purpose: `${verb} the backend`,
      signal,
      timeoutMs,
      // A command that starts a daemon hands its outputs down to it, and the daemon has to outlive both command and us.
      discardOutput: true,
    });
    if (result.exitCode !== 0)
      throw new AppError(
        'target/lifecycle-failed',
        `${program} ended ${result.exitCode === null ? `by ${result.signal ?? 'a signal'}` : `with exit code ${result.exitCode}`}; run it by hand to see why`,
      );
  };

  return {
    automatic: true,
    describe: { stop: describeStep(lifecycle.stop, 'stop'), start: describeStep(lifecycle.start, 'start') },
    stop: (signal) => carryOut(lifecycle.stop, 'stop', options.stopTimeoutMs, signal),
    start: (signal) => carryOut(lifecycle.start, 'start', options.startTimeoutMs, signal),
  };
}

function describeStep(step: LifecycleStep, verb: 'stop' | 'start'): string {
  if ('command' in step) return `${verb} it by running ${step.command.join(' ')}`;
  if ('systemd' in step) return `${verb} the systemd unit ${step.systemd}`;
  return `${verb} it through the webhook ${new URL(step.webhook).host}`;
}
