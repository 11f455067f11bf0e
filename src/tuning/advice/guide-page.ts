import { findParameter } from '../catalogue/index.ts';
import type { TuningClass } from '../parameter.ts';
import type { AdviceRule } from './advice-rule.ts';
import { adviceRules, worstClass } from './advise.ts';

const sections: readonly { readonly title: string; readonly says: string; readonly of: readonly TuningClass[] }[] = [
  {
    title: 'A restart is enough',
    says: 'These change nothing that is stored: what turns out worse is taken back with `ragwarden tune rollback` and another restart.',
    of: ['hint', 'safe'],
  },
  {
    title: 'Only documents that come afterwards',
    says: 'What is in keeps what it was read with, until it is deleted and uploaded anew.',
    of: ['new-documents'],
  },
  {
    title: 'The index is made anew',
    says: 'These are dear. `ragwarden tune check` says how dear for the index that is there, and `tune apply` takes a recovery point first.',
    of: ['re-embed', 're-extract', 'never'],
  },
];

/** The rules of advice as a page of the documentation: thresholds come from the rules themselves. */
export function guidePage(): string {
  const chapter = (rule: AdviceRule): string =>
    [
      `### ${rule.id}`,
      '',
      `- **Looks at:** ${rule.looksAt}`,
      `- **Proposes:** ${rule.proposes}`,
      `- **Effect:** ${rule.effect}`,
      `- **Is withdrawn when:** ${rule.withdrawnWhen}`,
      `- **Parameters:** ${rule.parameters.map(described).join('; ')}`,
    ].join('\n');
  const chapters = sections.flatMap(({ title, says, of }) => {
    const rules = adviceRules.filter((rule) => of.includes(worstClass(rule.parameters)));
    return rules.length === 0 ? [] : [[`## ${title}`, '', says, '', rules.map(chapter).join('\n\n')].join('\n')];
  });
  return [
    '# Tuning guide',
    '',
    'What the figures of a backend suggest, rule by rule. `ragwarden tune advise`, the view *Tuning* of the page and `GET /api/v1/tuning/advice` judge by exactly these rules; each proposal comes with the figures it rests on. A rule that lacks a figure proposes nothing and says what is missing. Nothing is changed by itself: a proposal is set like any other value ([Tuning](tuning.md)), and the backend is told of it with `ragwarden tune apply`.',
    '',
    '## What the figures come from',
    '',
    '- **Traffic**: what passed the [gateway](gateway.md) in the window (`--window`, a day unless told), as far as it is remembered: queries, searches, how they ended, how long they took. Calls of models are seen where the backend reaches its provider through the gateway (`gateway.providers`).',
    '- **Queues and replies**: the looks at the backend since ragwarden started, one in 30 s at most, of the last six hours. Queues are told to an authenticated caller alone.',
    '- **The index**: the last inspection of the files.',
    "- **What the backend runs with**: its `/health`, its environment file, or GraphRAG's `settings.yaml`; `ragwarden tune running` shows it. A value that can be seen nowhere is unknown, not the default.",
    '',
    'Change one thing at a time, and look at the same figures afterwards: the rule says itself when it has nothing more to propose.',
    '',
    chapters.join('\n\n'),
    '',
    'All parameters, with their ranges, stand in [Parameters of the backend](tuning-parameters.md).',
    '',
  ].join('\n');
}

function described(name: string): string {
  const parameter = findParameter(name);
  return parameter === undefined ? `\`${name}\`` : `\`${name}\` (\`${parameter.backendName ?? 'a hint'}\`)`;
}
