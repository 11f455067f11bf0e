import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** By then the first inspections and probes are over, whose memory is the largest part of it. */
const afterMs = 20_000;

/**
 * While much is loaded that stays, V8 takes it for a sign of a busy program and grows the young generation to its most, 32 MiB that
 * a process that mostly waits never needs again. So it may grow only after the start. To be called first of all.
 */
export function holdYoungGenerationBack(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}

/**
 * Starting needs more memory than running: what was compiled once, and a young generation grown for it. V8 keeps such pages for
 * later, and a process that mostly waits has no later. One thorough collection gives them back: about 12 MiB, for a pause of a tenth
 * of a second, once. For programs that own their process; a library leaves the collector to its host.
 */
export function giveBackStartupMemory(): void {
  setTimeout(() => {
    setFlagsFromString('--semi-space-growth-factor=2');
    // The collector can only be called where it was asked for at the start of Node.js, or through a context made afterwards.
    setFlagsFromString('--expose-gc');
    const collect: unknown = runInNewContext('gc');
    setFlagsFromString('--no-expose-gc');
    if (typeof collect === 'function') collect({ type: 'major', flavor: 'last-resort' });
  }, afterMs).unref();
}
