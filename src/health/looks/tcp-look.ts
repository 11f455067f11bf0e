import { connect } from 'node:net';
import type { Clock } from '../../platform/clock.ts';
import { describeError } from '../../platform/errors.ts';
import { networkReason } from './failure.ts';
import { answered, type Look, unreached } from './http-look.ts';

/** Whether somebody takes a connection. */
export async function lookAtTcp(
  clock: Clock,
  place: { readonly host: string; readonly port: number; readonly timeoutMs: number },
  signal: AbortSignal,
): Promise<Look> {
  const startedMs = clock.monotonic();
  const done = new AbortController();
  const late = clock.sleep(place.timeoutMs, AbortSignal.any([signal, done.signal])).then(
    () => new Error(`it does not answer within ${place.timeoutMs / 1_000} s`),
    () => undefined,
  );
  const socket = connect({ host: place.host, port: place.port });
  const outcome = new Promise<unknown>((resolve) => {
    socket.once('connect', () => resolve(undefined));
    socket.once('error', (err) => resolve(err));
  });
  // What goes wrong after the outcome is known goes wrong for nobody.
  socket.on('error', () => undefined);
  try {
    const failure = await Promise.race([outcome, late]);
    if (failure === undefined) return answered(clock.monotonic() - startedMs, 'It takes connections.');
    return unreached(new Error(`It cannot be reached: ${networkReason(failure) ?? describeError(failure)}.`));
  } finally {
    done.abort();
    socket.destroy();
  }
}
