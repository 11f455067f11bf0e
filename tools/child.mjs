// Starting programs so that stopping us stops them. Runs on Node.js 18: no newer syntax here.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';

/**
 * Runs a program to its end and passes on what we are told to stop with.
 * @param {string} command path of the program
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, stdio?: import('node:child_process').StdioOptions, softStop?: boolean }} [options]
 *   softStop: an interrupt is forwarded as SIGTERM, for servers that take a second SIGINT as "at once"
 * @returns {Promise<number>} its exit code; 128 + signal number when a signal ended it
 */
export function run(command, args, { cwd, env, stdio = 'inherit', softStop = false } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio });
    const stopForwarding = forwardSignals(child, softStop);
    child.once('error', (error) => {
      stopForwarding();
      reject(error);
    });
    child.once('close', (code, signal) => {
      stopForwarding();
      resolve(code ?? 128 + (os.constants.signals[signal] ?? 0));
    });
  });
}

/**
 * A terminal sends Ctrl-C to the whole foreground group, so the child has it already; npm forwards it once more. Forwarding
 * again would look like an impatient second Ctrl-C. So: on a terminal we only make sure, late and with SIGTERM, that the
 * child heard; without one we forward, once per signal.
 */
function forwardSignals(child, softStop) {
  const seen = new Set();
  const timers = [];
  const handlers = ['SIGINT', 'SIGTERM', 'SIGHUP'].map((signal) => {
    const handler = () => {
      if (seen.has(signal)) return;
      seen.add(signal);
      if (signal !== 'SIGTERM' && terminalTellsChildren()) {
        const timer = setTimeout(() => child.kill('SIGTERM'), 3000);
        timer.unref();
        timers.push(timer);
        return;
      }
      if (softStop && seen.size > 1) return;
      child.kill(softStop ? 'SIGTERM' : signal);
    };
    process.on(signal, handler);
    return [signal, handler];
  });
  const stopWatching = softStop ? watchNpm(() => child.kill('SIGTERM')) : () => {};
  return () => {
    stopWatching();
    for (const [signal, handler] of handlers) process.off(signal, handler);
    for (const timer of timers) clearTimeout(timer);
  };
}

/**
 * npm starts us through a shell and tells only that shell to stop; the shell dies and we would stay behind, unseen. Under npm
 * a lost parent therefore means stop. Without npm it may mean that somebody let us go on purpose.
 */
function watchNpm(stop) {
  if (process.env.npm_lifecycle_event === undefined) return () => {};
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    stop();
  }, 500);
  return () => clearInterval(timer);
}

/** Whether we are in the foreground group of a terminal, which then signals our children itself. */
function terminalTellsChildren() {
  try {
    const stat = readFileSync('/proc/self/stat', 'utf8');
    const [, , group, , terminal, foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return terminal !== '0' && group === foreground;
  } catch {
    return process.stdin.isTTY === true;
  }
}
