import { describeError } from '../../platform/errors.ts';
import type { LightragConnection } from '../lightrag/lightrag-connection.ts';
import { createLightragRetrieval, type RetrievalMode } from '../lightrag/lightrag-retrieval.ts';
import { type CanaryVerdict, decideVerdict, describeVerdict } from './canary-verdict.ts';

/** Asks the question whose answer is known of this very server, whoever watches what. Never throws but for an abort. */
export async function askCanaryOnce(
  connection: LightragConnection,
  settings: {
    readonly question: string;
    readonly expected: string;
    readonly mode: RetrievalMode;
    readonly timeoutMs: number;
  },
  signal: AbortSignal,
): Promise<{ readonly verdict: CanaryVerdict; readonly message: string | null }> {
  const { question, expected, mode, timeoutMs } = settings;
  const answer = await createLightragRetrieval(connection)({ question, mode, timeoutMs }, signal).then(
    (texts) => ({ texts }),
    (err: unknown) => ({ error: describeError(err) }),
  );
  signal.throwIfAborted();
  // How long vectors are is a matter of whoever watches the index.
  const unknown = { index: undefined, embedding: undefined };
  const verdict = decideVerdict(answer, expected, unknown);
  return { verdict, message: describeVerdict(verdict, answer, unknown) };
}
