import type { Config, ConfigReading } from '../../config/index.ts';
import { describeError } from '../../platform/errors.ts';
import type { HttpRequester } from '../../platform/http-client.ts';
import type { BackupStatusAnswer, HealthAnswer, TargetAnswer } from '../answers.ts';
import type { ApiClient } from '../api-client.ts';
import type { OfflineWork } from '../cli.ts';

export type Verdict = 'ok' | 'warn' | 'fail' | 'skipped';

/** What one look found. `mend` is there when something is to be done: a command where there is one, else a sentence. */
export type Outcome = {
  readonly verdict: Verdict;
  readonly detail: string;
  readonly mend?: string;
  /** In place of the check's own words, where one check looks at several things. */
  readonly what?: string;
};

export type Finding = {
  readonly id: string;
  readonly what: string;
  readonly verdict: Verdict;
  readonly detail: string;
  readonly mend: string | null;
};

/** What is looked at. Nothing here is started or changed by looking. */
export type Subject = {
  readonly config: Config;
  readonly reading: ConfigReading;
  readonly http: HttpRequester;
  readonly server: Promise<ServerView>;
  readonly lookAtStores: OfflineWork['lookAtStores'];
  readonly nowMs: number;
};

/** The ragwarden that runs, as far as it lets itself be asked. */
export type ServerView =
  | {
      readonly state: 'running';
      readonly api: ApiClient;
      readonly health: HealthAnswer;
      readonly targets: readonly TargetAnswer[];
      /** Undefined with the reason when backups are switched off. */
      readonly backup: BackupStatusAnswer | { readonly refused: string };
    }
  | { readonly state: 'absent' }
  | { readonly state: 'refused'; readonly detail: string };

export type Check = {
  /** Stable: scripts key on it. */
  readonly id: string;
  readonly what: string;
  /** Must heed the signal; what it throws is told as a failed look. */
  look(subject: Subject, signal: AbortSignal): Promise<Outcome | readonly Outcome[]>;
};

export const ok = (detail: string, what?: string): Outcome => ({ verdict: 'ok', detail, ...(what ? { what } : {}) });
export const skipped = (detail: string, what?: string): Outcome => ({
  verdict: 'skipped',
  detail,
  ...(what ? { what } : {}),
});
export const warn = (detail: string, mend: string, what?: string): Outcome => ({
  verdict: 'warn',
  detail,
  mend,
  ...(what ? { what } : {}),
});
export const fail = (detail: string, mend: string, what?: string): Outcome => ({
  verdict: 'fail',
  detail,
  mend,
  ...(what ? { what } : {}),
});

const severity: Readonly<Record<Verdict, number>> = { skipped: 0, ok: 0, warn: 1, fail: 2 };

/** The worst of them; what was skipped does not count. */
export const worstVerdict = (findings: readonly Finding[]): 'ok' | 'warn' | 'fail' => {
  const worst = Math.max(0, ...findings.map((one) => severity[one.verdict]));
  return worst === 2 ? 'fail' : worst === 1 ? 'warn' : 'ok';
};

/**
 * Makes all checks at once, each with the same time limit, and keeps their order. A check that does not come back is told as
 * such and left behind: a dead network share must not hold up the others.
 * @throws the signal's reason
 */
export async function makeChecks(
  checks: readonly Check[],
  subject: Subject,
  options: { limitMs: number; signal: AbortSignal },
): Promise<Finding[]> {
  const { limitMs, signal } = options;
  const findings = await Promise.all(checks.map((check) => makeCheck(check, subject, limitMs, signal)));
  signal.throwIfAborted();
  return findings.flat();
}

async function makeCheck(check: Check, subject: Subject, limitMs: number, signal: AbortSignal): Promise<Finding[]> {
  const limit = new AbortController();
  const late: Promise<Outcome> = new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      resolve(
        warn(
          `no answer within ${limitMs / 1000} s`,
          'Look whether a disk, a network share or an address hangs, and run it again.',
        ),
      );
      limit.abort(new Error('the check took too long'));
    }, limitMs);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    limit.signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  });
  try {
    const looked = check.look(subject, AbortSignal.any([signal, limit.signal]));
    // It may fail long after it was given up on.
    looked.catch(() => undefined);
    const outcome = await Promise.race([looked, late]);
    const outcomes: readonly Outcome[] = 'verdict' in outcome ? [outcome] : outcome;
    return outcomes.map(({ what, verdict, detail, mend }) => ({
      id: check.id,
      what: what ?? check.what,
      verdict,
      detail,
      mend: mend ?? null,
    }));
  } catch (err) {
    if (signal.aborted) throw signal.reason;
    return [
      {
        id: check.id,
        what: check.what,
        verdict: 'fail',
        detail: `it could not be looked at: ${describeError(err)}`,
        mend: 'Run it as the user who runs ragwarden; what it says names the cause.',
      },
    ];
  } finally {
    limit.abort();
  }
}
