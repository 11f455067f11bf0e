/** Words that stand in states and verdicts, for `ragwarden explain WORD`; lower case. */
export const statusWords: Readonly<Record<string, { readonly means: string; readonly mend?: string }>> = {
  healthy: { means: 'It was looked at, and all is well.' },
  degraded: {
    means: 'It works, and something about it is wrong: each reason stands beside it.',
    mend: 'ragwarden status',
  },
  unhealthy: { means: 'It does not do its work.', mend: 'ragwarden doctor' },
  critical: { means: 'A threshold is crossed beyond which something will fail soon.', mend: 'ragwarden status' },
  offline: { means: 'The last probe of the target got no answer.', mend: 'ragwarden target inspect' },
  unknown: {
    means:
      'Not looked at: not probed yet, the last look is too old, or looking is switched off. It is never taken for well.',
    mend: 'ragwarden doctor',
  },
  consistent: { means: 'Grade of a recovery point: proven that nothing moved while it was captured.' },
  'crash-consistent': {
    means:
      'Grade of a recovery point: all of it is from one moment, as after a sudden loss of power; the backend repairs itself from that.',
  },
  fuzzy: {
    means: 'Grade of a recovery point: parts of it are from different moments. Its reasons say which.',
    mend: 'ragwarden backup show ID',
  },
  partial: { means: 'Done, with something missing that is named.', mend: 'ragwarden operations show ID' },
  interrupted: {
    means: 'ragwarden ended while it ran; the next start has settled it.',
    mend: 'ragwarden events',
  },
  'stuck-documents': {
    means:
      'Reason of a target: documents are unfinished, nothing works on them, and the backend does not resume by itself.',
    mend: 'ragwarden documents reprocess',
  },
  'no-progress': {
    means: 'Reason of a target: its pipeline says that it works, and nothing that it tells has changed for long.',
    mend: 'ragwarden documents stuck --failed',
  },
  'canary-failed': {
    means: 'Reason of a target: the question whose answer is known was not answered rightly, whatever its health says.',
    mend: 'ragwarden canary run',
  },
};
