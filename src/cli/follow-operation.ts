import { systemClock } from '../platform/clock.ts';
import type { OperationAnswer } from './answers.ts';
import { operationAnswer, pathPart, read } from './answers.ts';
import type { ApiClient } from './api-client.ts';
import type { CommandContext } from './cli.ts';
import { exitCodeOfCode, exitCodes } from './exit-code.ts';
import { formatBytes, formatDuration } from './format.ts';

const pollMs = 250;

/** Every operation begins as `starting`, so a request counts only once the one before it was made. */
type Request = { readonly phase: string; readonly text: string };

export type Followed = { readonly document: unknown; readonly operation: OperationAnswer };

/**
 * Watches an operation to its end: a bar that redraws itself on a terminal, a line per phase elsewhere, nothing when quiet.
 * @param first the body with which the server answered the start
 * @param requests what a person has to do for it to go on, in the order of the phases; each said once, also when quiet
 */
export async function followOperation(
  context: Pick<CommandContext, 'terminal' | 'signal'>,
  api: ApiClient,
  first: unknown,
  quiet: boolean,
  requests: readonly Request[] = [],
): Promise<Followed> {
  const { terminal, signal } = context;
  const display = quiet ? undefined : createDisplay(terminal.stderr);
  let document = first;
  let operation = read(operationAnswer, document);
  const pending = [...requests];
  try {
    while (operation.state === 'running') {
      if (pending[0]?.phase === operation.phase) {
        display?.clear();
        terminal.note(pending[0].text);
        pending.shift();
      }
      display?.show(operation);
      await systemClock.sleep(pollMs, signal);
      document = await api.call(`/api/v1/operations/${pathPart(operation.id)}`);
      operation = read(operationAnswer, document);
    }
    display?.show(operation);
  } catch (err) {
    display?.clear();
    if (signal.aborted)
      terminal.note(`The operation goes on in the server. See \`ragwarden operations show ${operation.id}\`.`);
    throw err;
  }
  display?.clear();
  return { document, operation };
}

/** What the way an operation ended means to a script. */
export function exitCodeOfOperation(operation: OperationAnswer): number {
  switch (operation.state) {
    case 'succeeded':
      return exitCodes.ok;
    case 'partial':
      return exitCodes.partial;
    case 'cancelled':
      return exitCodes.interrupted;
    default:
      return operation.error ? exitCodeOfCode(operation.error.code) : exitCodes.failure;
  }
}

type Display = { show(operation: OperationAnswer): void; clear(): void };

function createDisplay(stream: {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}): Display {
  let phase: string | undefined;
  if (stream.isTTY === true)
    return {
      show: (operation) => stream.write(`\r\u001b[2K${progressLine(operation, stream.columns ?? 80)}`),
      clear: () => stream.write('\r\u001b[2K'),
    };
  return {
    show(operation) {
      if (operation.phase === phase || operation.state !== 'running') return;
      phase = operation.phase;
      stream.write(`${operation.kind}: ${operation.phase}\n`);
    },
    clear: () => undefined,
  };
}

const barCells = 24;

/** One line that fits the terminal: phase, bar, share, amounts, speed, what remains. */
export function progressLine(operation: OperationAnswer, columns: number): string {
  const { progress, phase } = operation;
  const parts: string[] = [phase.padEnd(10)];
  if (progress.percent !== null) {
    const filled = Math.round((barCells * progress.percent) / 100);
    parts.push(`[${'#'.repeat(filled)}${'.'.repeat(barCells - filled)}] ${progress.percent.toFixed(0).padStart(3)} %`);
  }
  if (progress.bytes_done > 0 || progress.bytes_total !== null)
    parts.push(
      progress.bytes_total === null
        ? formatBytes(progress.bytes_done)
        : `${formatBytes(progress.bytes_done)} of ${formatBytes(progress.bytes_total)}`,
    );
  if (progress.rate_bytes_per_second !== null) parts.push(`${formatBytes(progress.rate_bytes_per_second)}/s`);
  if (progress.remaining_seconds !== null) parts.push(`${formatDuration(progress.remaining_seconds * 1_000)} left`);
  return parts.join('  ').slice(0, Math.max(10, columns - 1));
}
