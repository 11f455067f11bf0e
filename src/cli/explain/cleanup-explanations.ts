import type { ErrorCode } from '../../platform/errors.ts';
import type { Explanation } from './explanations.ts';

/** Of cleanups: plans, tasks, the quarantine. */
export const cleanupExplanations = {
  'cleanup/unknown-strategy': {
    means: 'Nothing here knows how to clean that up. Nothing was done.',
    causes: ['A typing error.', 'A strategy that a program adds, and that program does not run.'],
    mend: ['`ragwarden cleanup strategies` lists what there is.'],
    runbook: 'cleanup.md',
  },
  'cleanup/unknown-task': {
    means: 'There is no cleanup task of this id.',
    causes: ['It was removed.', 'It stood in the settings file and stands there no more.'],
    mend: ['`ragwarden cleanup tasks` lists them.'],
  },
  'cleanup/unknown-plan': {
    means: 'There is no cleanup plan of this id.',
    causes: ['It is old, and went with the history (`growth.cleanup_history`).'],
    mend: ['Make a new one: `ragwarden cleanup plan STRATEGY`.'],
  },
  'cleanup/unknown-entry': {
    means: 'The quarantine holds nothing of this id, or of this run.',
    causes: ['It came back already, or its window is over.', 'The run took nothing away that can be undone.'],
    mend: ['`ragwarden cleanup quarantine --all` tells what became of each.'],
    runbook: 'cleanup.md',
  },
  'cleanup/plan-stale': {
    means: 'A plan is carried out within an hour: what was seen then says little about now.',
    causes: ['It was looked at for long.'],
    mend: ['Make a new one: `ragwarden cleanup plan STRATEGY`.'],
  },
  'cleanup/timeout': {
    means:
      'The cleanup took longer than its task allows and was stopped. What it had taken away lies in the quarantine.',
    causes: ['More is to be cleaned up than usual.', 'The disk or the database is slow.'],
    mend: ['Raise `timeout_seconds` of the task, or give it a budget, so that it hands the rest back.'],
    runbook: 'cleanup.md',
  },
  'cleanup/not-verified': {
    means: 'Something was cleaned up, and a look afterwards still finds it.',
    causes: ['A program makes it anew at once.'],
    mend: ['Look at the item that `detail` names, and who writes it.'],
    runbook: 'cleanup.md',
  },
  'cleanup/workspace-busy': {
    means: 'The workspace is in use, so it is not cleaned up, forced or not.',
    causes: ['A backend serves it.', 'A process has one of its files open.', 'It was written within the grace period.'],
    mend: ['Stop what uses it; `detail` names it.'],
    runbook: 'cleanup.md',
  },
} as const satisfies Partial<Record<ErrorCode, Explanation>>;
