import { env, setting } from './setting.ts';
import { decimal, flag, oneOf, text, wholeNumber } from './value-parsers.ts';

/** How documents are followed to their end, when their work counts as stuck, and what asks whether the graph answers. */
export const documentSettings = {
  stuckAfterSeconds: setting({
    key: 'documents.stuck_after_seconds',
    env: env('RAGWARDEN_DOCUMENTS_STUCK_AFTER'),
    parser: decimal(5, 86_400),
    fallback: 60,
    unit: 'seconds',
    runtime: true,
    about: 'How long unfinished documents may lie in an idle pipeline; shorter calls the pause between two jobs stuck.',
  }),
  noProgressAfterSeconds: setting({
    key: 'documents.no_progress_after_seconds',
    env: env('RAGWARDEN_DOCUMENTS_NO_PROGRESS_AFTER'),
    parser: decimal(30, 86_400),
    fallback: 900,
    unit: 'seconds',
    runtime: true,
    about: 'How long a busy pipeline may show no progress; shorter calls a slow model stuck.',
  }),
  reprocessStuck: setting({
    key: 'documents.reprocess_stuck',
    env: env('RAGWARDEN_DOCUMENTS_REPROCESS_STUCK'),
    parser: flag,
    fallback: false,
    runtime: true,
    about:
      'Have stuck documents of an idle pipeline taken up again by themselves. The backend tries failed ones again with them, which costs model calls.',
  }),
  reprocessMostPerDay: setting({
    key: 'documents.reprocess_most_per_day',
    env: env('RAGWARDEN_DOCUMENTS_REPROCESS_MOST_PER_DAY'),
    parser: wholeNumber(1, 100),
    fallback: 4,
    runtime: true,
    about:
      'How often in 24 hours that is done at most; the pause after the first is ten minutes and doubles each time.',
  }),
  followMost: setting({
    key: 'documents.follow_most',
    env: env('RAGWARDEN_DOCUMENTS_FOLLOW_MOST'),
    parser: wholeNumber(0, 100_000),
    fallback: 500,
    runtime: true,
    about: 'Accepted inserts that are followed at once; each costs the backend a question now and then.',
  }),
  followHours: setting({
    key: 'documents.follow_hours',
    env: env('RAGWARDEN_DOCUMENTS_FOLLOW_HOURS'),
    parser: decimal(0.1, 720),
    fallback: 24,
    unit: 'hours',
    runtime: true,
    about:
      'How long an insert is followed before it is given up; its documents are counted all the same when they end.',
  }),
  canaryQuestion: setting({
    key: 'target.canary.question',
    env: env('RAGWARDEN_CANARY_QUESTION'),
    parser: text,
    fallback: undefined,
    example: 'Who keeps the lamp of the ragwarden canary?',
    about:
      'A question whose answer is known, asked on a schedule without the answer of a model. Without it there is no canary.',
  }),
  canaryExpected: setting({
    key: 'target.canary.expected',
    env: env('RAGWARDEN_CANARY_EXPECTED'),
    parser: text,
    fallback: undefined,
    example: 'Ottilie Rabenau',
    about: 'What the text that is found for the question must hold, letter by letter.',
  }),
  canaryDocument: setting({
    key: 'target.canary.document',
    env: env('RAGWARDEN_CANARY_DOCUMENT'),
    parser: text,
    fallback: undefined,
    example: 'The lamp of the ragwarden canary is kept by Ottilie Rabenau.',
    about:
      'The document that `ragwarden canary plant` puts into the backend. Without it the answer is expected in a document of your own.',
  }),
  canaryMode: setting({
    key: 'target.canary.mode',
    env: env('RAGWARDEN_CANARY_MODE'),
    parser: oneOf(['naive', 'local', 'global', 'hybrid', 'mix']),
    fallback: 'naive',
    about:
      'Way of retrieval that is checked. naive asks the vectors of the chunks; the others ask the graph too, with keywords that are sent along, so that no model is called.',
  }),
  canaryIntervalSeconds: setting({
    key: 'target.canary.interval_seconds',
    env: env('RAGWARDEN_CANARY_INTERVAL'),
    parser: decimal(10, 86_400),
    fallback: 300,
    unit: 'seconds',
    runtime: true,
    about: 'Time between two questions; each costs one embedding.',
  }),
  canaryTimeoutSeconds: setting({
    key: 'target.canary.timeout_seconds',
    env: env('RAGWARDEN_CANARY_TIMEOUT'),
    parser: decimal(1, 600),
    fallback: 30,
    unit: 'seconds',
    runtime: true,
    about: 'How long the answer may take before it counts as failed.',
  }),
} as const;
