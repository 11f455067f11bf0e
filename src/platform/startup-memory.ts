import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** By then the first inspections and probes are over, whose memory is the largest part of it. */
const afterMs = 20_000;

/**
 * Starting needs more memory than running: what was compiled once, and a young generation grown for it. V8 keeps such pages for
 * later, and a process that mostly waits has no later. One thorough collection gives them back: about 12 MiB, for a pause of a tenth
 * of a second, once. Flags of V8 are not touched before: its own modules lie compiled inside Node.js, for the flags it came with, and
 * would all be compiled anew, here and in each thread, a tenth of the processor time to ready. For programs that own their process; a library leaves the collector to its host.
 */
export function giveBackStartupMemory(): void {
  setTimeout(() => {
    // The collector can only be called where it was asked for at the start of Node.js, or through a context made afterwards.
    setFlagsFromString('--expose-gc');
    const collect: unknown = runInNewContext('gc');
    setFlagsFromString('--no-expose-gc');
    if (typeof collect === 'function') collect({ type: 'major', flavor: 'last-resort' });
  }, afterMs).unref();
}
