import { findParameter } from '../catalogue/index.ts';
import type { TuningClass } from '../parameter.ts';
import type { AdviceRule, Evidence, ProposedChange } from './advice-rule.ts';
import type { AdviceFacts } from './facts.ts';
import { indexRules } from './index-rules.ts';
import { modelRules } from './model-rules.ts';
import { queryRules } from './query-rules.ts';

export type Proposal = {
  readonly rule: string;
  readonly graphId: string;
  readonly changes: readonly ProposedChange[];
  /** The worst of what changes. */
  readonly class: TuningClass;
  readonly because: string;
  readonly evidence: readonly Evidence[];
  readonly effect: string;
  readonly withdrawnWhen: string;
};

export type Advice = {
  readonly graphId: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly proposals: readonly Proposal[];
  /** Rules that had all they need, and propose nothing. */
  readonly fine: readonly string[];
  /** Rules that could say nothing, with what is missing. */
  readonly unknown: readonly { readonly rule: string; readonly missing: readonly string[] }[];
};

/** From what costs nothing to what costs most: read so by the page, the command and the guide. */
export const classOrder: readonly TuningClass[] = ['hint', 'safe', 'new-documents', 're-embed', 're-extract', 'never'];

export const adviceRules: readonly AdviceRule[] = [...modelRules, ...queryRules, ...indexRules];

/** What the figures of one backend suggest. Pure; nothing is proposed that was not measured. */
export function advise(facts: AdviceFacts, rules: readonly AdviceRule[] = adviceRules): Advice {
  const proposals: Proposal[] = [];
  const fine: string[] = [];
  const unknown: { rule: string; missing: readonly string[] }[] = [];
  for (const rule of rules) {
    if (rule.backend !== facts.kind) continue;
    const found = rule.judge(facts);
    if (found.kind === 'fine') fine.push(rule.id);
    else if (found.kind === 'unknown') unknown.push({ rule: rule.id, missing: found.missing });
    else
      proposals.push({
        rule: rule.id,
        graphId: facts.graphId,
        changes: found.changes,
        class: worstClass(found.changes.map(({ parameter }) => parameter)),
        because: found.because,
        evidence: found.evidence,
        effect: rule.effect,
        withdrawnWhen: rule.withdrawnWhen,
      });
  }
  const { fromMs, toMs } = facts.window;
  proposals.sort((one, other) => classOrder.indexOf(one.class) - classOrder.indexOf(other.class));
  return { graphId: facts.graphId, fromMs, toMs, proposals, fine, unknown };
}

/** Of parameters of the catalogue; what is not in it counts as harmless to nobody. */
export function worstClass(parameters: readonly string[]): TuningClass {
  const classes = parameters.map((name) => findParameter(name)?.class ?? 'never');
  return classOrder.findLast((one) => classes.includes(one)) ?? 'safe';
}
