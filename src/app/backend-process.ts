import { runningProcess } from '../platform/child-processes/index.ts';
import { findPortHolder } from '../platform/http/index.ts';

const loopback = new Set(['127.0.0.1', 'localhost', '[::1]']);

export type BackendProcess = {
  /** The process that listens where the backend answers, as last found; undefined where it is not of this machine or not visible. */
  pid(): number | undefined;
  /** Called when the backend answered: looks for its process unless the known one still runs. Never throws. */
  look(): Promise<void>;
};

/** Of what is no process, as a project of files. */
export const noProcess: BackendProcess = { pid: () => undefined, look: async () => undefined };

/** Finds the process of a backend on this machine by the port that it listens on, so that its memory and CPU can be watched. */
export function findBackendProcess(url: string): BackendProcess {
  const { hostname, port, protocol } = new URL(url);
  const number = Number(port || (protocol === 'https:' ? 443 : 80));
  let known: { readonly pid: number; readonly startTicks: number } | undefined;
  let looking = false;
  return {
    pid: () => known?.pid,
    async look() {
      if (!loopback.has(hostname) || looking) return;
      // A pid alone proves nothing: it may belong to somebody else by now.
      if (known && runningProcess(known.pid) === known.startTicks) return;
      looking = true;
      const holder = await findPortHolder(number);
      const startTicks = holder && runningProcess(holder.pid);
      known = holder && startTicks !== undefined ? { pid: holder.pid, startTicks } : undefined;
      looking = false;
    },
  };
}
