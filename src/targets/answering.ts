import { isAppError, systemCode } from '../platform/errors.ts';

/** How a name or address fails behind which nobody can hold files: there is no one to connect to. */
const nobodyThere = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);

const causeCode = (cause: unknown): string | undefined =>
  systemCode(cause) ?? (cause instanceof AggregateError ? systemCode(cause.errors[0]) : undefined);

/** Whether somebody accepts a connection: late, half an answer or none is alive too, and may still write its files. */
export async function isSomebodyThere(ask: () => Promise<unknown>): Promise<boolean> {
  try {
    await ask();
    return true;
  } catch (err) {
    return isAppError(err) && !nobodyThere.has(causeCode(err.cause) ?? '');
  }
}
