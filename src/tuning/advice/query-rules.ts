import { type AdviceRule, fine, type Judgement, notSeen, unknown } from './advice-rule.ts';
import { type AdviceFacts, percent, seconds, shareOf } from './facts.ts';

const leastQueries = 30;
const slowMs = 10_000;
/** From this share of a query's time on, retrieval is what takes it. */
const retrievalShare = 0.5;
const emptyFrom = 0.1;
const leastHits = 200;
const uselessBelow = 0.02;
const rerankShare = 0.3;

const numberOf = (facts: AdviceFacts, name: string): number | undefined => {
  const value = facts.values.get(name);
  return typeof value === 'number' ? value : undefined;
};
const enough = <T extends { count: number }>(of: T | undefined): T | undefined =>
  of !== undefined && of.count >= leastQueries ? of : undefined;

/** What is slow when queries are, by the time that retrieval alone takes. */
function slowQueries(facts: AdviceFacts, is: 'retrieval' | 'model'): Judgement | { p95: number; retrieval: number } {
  const queries = enough(facts.queries);
  if (queries?.p95Ms === undefined) return unknown(notSeen.traffic(leastQueries, 'queries'));
  if (queries.p95Ms < slowMs) return fine;
  const searches = enough(facts.searches);
  if (searches?.p95Ms === undefined)
    return unknown(
      notSeen.traffic(leastQueries, 'searches (`/query/data`): they tell what retrieval takes without the model'),
    );
  const retrieves = searches.p95Ms >= queries.p95Ms * retrievalShare;
  return retrieves === (is === 'retrieval') ? { p95: queries.p95Ms, retrieval: searches.p95Ms } : fine;
}

const timesOf = (of: { p95: number; retrieval: number }, facts: AdviceFacts) =>
  [
    { what: 'queries', value: facts.queries?.count ?? 0, unit: 'count' },
    { what: 'p95 of queries', value: of.p95, unit: 'ms' },
    { what: 'p95 of retrieval alone', value: of.retrieval, unit: 'ms' },
  ] as const;

/** What a question costs, and whether it finds anything. */
export const queryRules: readonly AdviceRule[] = [
  {
    id: 'slow-retrieval',
    backend: 'lightrag',
    parameters: ['top_k'],
    looksAt: `Of at least ${leastQueries} queries and as many searches: p95 of queries from ${seconds(slowMs)} on, of which retrieval alone takes at least ${percent(retrievalShare)}.`,
    proposes: '`top_k` a third lower, not below 10.',
    effect:
      'Fewer entities and relations are looked up for each question, so it is answered sooner; rare ones may be missed.',
    withdrawnWhen: `p95 of queries is below ${seconds(slowMs)}, or retrieval takes less than half of it.`,
    judge(facts) {
      const slow = slowQueries(facts, 'retrieval');
      if ('kind' in slow) return slow;
      const now = numberOf(facts, 'top_k');
      if (now === undefined) return unknown(notSeen.value('top_k'));
      const to = Math.max(10, Math.floor((now * 2) / 3));
      if (to >= now) return fine;
      return {
        kind: 'proposal',
        changes: [{ parameter: 'top_k', from: now, to }],
        because: `p95 of queries is ${seconds(slow.p95)}, and retrieval alone takes ${seconds(slow.retrieval)}.`,
        evidence: [...timesOf(slow, facts), { what: 'top_k', value: now, unit: 'count' }],
      };
    },
  },
  {
    id: 'slow-answers',
    backend: 'lightrag',
    parameters: ['max_total_tokens', 'max_entity_tokens', 'max_relation_tokens'],
    looksAt: `Of at least ${leastQueries} queries and as many searches: p95 of queries from ${seconds(slowMs)} on, of which retrieval alone takes less than ${percent(retrievalShare)}: the rest is the model.`,
    proposes:
      'The three budgets of the context (`max_total_tokens`, `max_entity_tokens`, `max_relation_tokens`) a third lower, together.',
    effect:
      'The model reads a third less for each answer: it begins sooner and costs less. Answers rest on less of the index.',
    withdrawnWhen: `p95 of queries is below ${seconds(slowMs)}, or most of it is retrieval.`,
    judge(facts) {
      const slow = slowQueries(facts, 'model');
      if ('kind' in slow) return slow;
      const names = ['max_total_tokens', 'max_entity_tokens', 'max_relation_tokens'] as const;
      const missing = names.filter((name) => numberOf(facts, name) === undefined);
      if (missing.length > 0) return unknown(...missing.map(notSeen.value));
      const changes = names.map((parameter) => {
        const from = numberOf(facts, parameter) ?? 0;
        return { parameter, from, to: Math.max(1, Math.floor((from * 2) / 3)) };
      });
      const [total, ...parts] = changes;
      // Below it no answer rests on anything.
      if (total === undefined || total.to < 4_000) return fine;
      return {
        kind: 'proposal',
        changes: [total, ...parts],
        because: `p95 of queries is ${seconds(slow.p95)}, of which retrieval takes ${seconds(slow.retrieval)}: the rest is the model reading ${total.from} tokens.`,
        evidence: [...timesOf(slow, facts), { what: 'max_total_tokens', value: total.from, unit: 'count' }],
      };
    },
  },
  {
    id: 'empty-answers',
    backend: 'lightrag',
    parameters: ['cosine_threshold', 'min_rerank_score'],
    looksAt: `Of at least ${leastQueries} queries and searches together: at least ${percent(emptyFrom)} find nothing, although the index has documents.`,
    proposes: '`min_rerank_score` 0 where it is above; else `cosine_threshold` lower by 0.05.',
    effect: 'What is less similar is found too: fewer empty answers, and some that rest on less fitting passages.',
    withdrawnWhen: `Less than ${percent(emptyFrom)} find nothing.`,
    judge(facts) {
      const asked = (facts.queries?.count ?? 0) + (facts.searches?.count ?? 0);
      if (asked < leastQueries) return unknown(notSeen.traffic(leastQueries, 'queries and searches'));
      const share = shareOf((facts.queries?.empty ?? 0) + (facts.searches?.empty ?? 0), asked);
      if (share < emptyFrom) return fine;
      if (facts.index?.documents === undefined) return unknown(notSeen.index);
      if (facts.index.documents === 0) return fine;
      const evidence = [
        { what: 'queries and searches', value: asked, unit: 'count' },
        { what: 'of them without anything found', value: share, unit: 'share' },
        { what: 'documents', value: facts.index.documents, unit: 'count' },
      ] as const;
      const because = `${percent(share)} of ${asked} questions found nothing, with ${facts.index.documents} documents in the index.`;
      const score = numberOf(facts, 'min_rerank_score');
      if (score !== undefined && score > 0)
        return {
          kind: 'proposal',
          changes: [{ parameter: 'min_rerank_score', from: score, to: 0 }],
          because: `${because} Chunks below a score of ${score} are left out.`,
          evidence: [...evidence, { what: 'min_rerank_score', value: score, unit: 'count' }],
        };
      const threshold = numberOf(facts, 'cosine_threshold');
      if (threshold === undefined) return unknown(notSeen.value('cosine_threshold'));
      const to = Math.round((threshold - 0.05) * 100) / 100;
      if (to < 0) return fine;
      return {
        kind: 'proposal',
        changes: [{ parameter: 'cosine_threshold', from: threshold, to }],
        because: `${because} Nothing below a similarity of ${threshold} counts as found.`,
        evidence: [...evidence, { what: 'cosine_threshold', value: threshold, unit: 'count' }],
      };
    },
  },
  {
    id: 'cache-never-hit',
    backend: 'lightrag',
    parameters: ['cache_enabled'],
    looksAt: `Of at least ${leastHits} queries through the gateway: less than ${percent(uselessBelow)} were answered without a call of the model (the backend counts those calls), while answers are kept.`,
    proposes: '`cache_enabled` off.',
    effect:
      'The file of kept answers no longer grows by a row for each question, and no answer is older than the index.',
    withdrawnWhen: `At least ${percent(uselessBelow)} of the queries are answered from what was kept.`,
    judge(facts) {
      const enabled = facts.values.get('cache_enabled');
      if (enabled === undefined) return unknown(notSeen.value('cache_enabled'));
      if (enabled !== true) return fine;
      if (facts.answers === undefined)
        return unknown(
          'How many answers the model made: the backend tells it to an authenticated caller alone, since its start.',
        );
      const { queries: count, made } = facts.answers;
      if (count < leastHits) return unknown(notSeen.traffic(leastHits, 'queries'));
      // Then others ask it past the gateway, and nothing can be said.
      if (made > count)
        return unknown('That all questions pass the gateway: the model made more answers than were asked for here.');
      const hits = shareOf(count - made, count);
      if (hits >= uselessBelow) return fine;
      return {
        kind: 'proposal',
        changes: [{ parameter: 'cache_enabled', from: true, to: false }],
        because: `Of ${count} queries ${count - made} were answered from kept answers (${percent(hits)}).`,
        evidence: [
          { what: 'queries', value: count, unit: 'count' },
          { what: 'answers made by the model', value: made, unit: 'count' },
          { what: 'hit rate of kept answers', value: hits, unit: 'share' },
        ],
      };
    },
  },
  {
    id: 'slow-rerank',
    backend: 'lightrag',
    parameters: ['chunk_top_k'],
    looksAt: `Of at least ${leastQueries} queries and calls of the reranker: p95 of reranking is at least ${percent(rerankShare)} of p95 of a query.`,
    proposes: '`chunk_top_k` half as high, not below 5.',
    effect: 'Fewer chunks are kept for an answer, and fewer are reranked.',
    withdrawnWhen: `Reranking takes less than ${percent(rerankShare)} of a query.`,
    judge(facts) {
      const queries = enough(facts.queries);
      if (queries?.p95Ms === undefined) return unknown(notSeen.traffic(leastQueries, 'queries'));
      const { rerank } = facts;
      if (rerank?.p95Ms === undefined || rerank.calls < leastQueries)
        return unknown(notSeen.calls(leastQueries, 'calls of the reranker'));
      if (rerank.p95Ms < queries.p95Ms * rerankShare) return fine;
      const now = numberOf(facts, 'chunk_top_k');
      if (now === undefined) return unknown(notSeen.value('chunk_top_k'));
      const to = Math.max(5, Math.floor(now / 2));
      if (to >= now) return fine;
      return {
        kind: 'proposal',
        changes: [{ parameter: 'chunk_top_k', from: now, to }],
        because: `Reranking takes ${seconds(rerank.p95Ms)} at p95, of ${seconds(queries.p95Ms)} that a query takes.`,
        evidence: [
          { what: 'queries', value: queries.count, unit: 'count' },
          { what: 'p95 of queries', value: queries.p95Ms, unit: 'ms' },
          { what: 'calls of the reranker', value: rerank.calls, unit: 'count' },
          { what: 'p95 of reranking', value: rerank.p95Ms, unit: 'ms' },
        ],
      };
    },
  },
  {
    id: 'rerank-without-reranker',
    backend: 'lightrag',
    parameters: ['enable_rerank'],
    looksAt: 'Queries are reranked by default, and no reranker is set up.',
    proposes: '`enable_rerank` off, until there is one (`rerank_binding`).',
    effect: 'The backend no longer warns at each question that there is nobody to rerank.',
    withdrawnWhen: 'A reranker is set up, or reranking is off.',
    judge(facts) {
      const on = facts.values.get('enable_rerank');
      if (on === undefined) return unknown(notSeen.value('enable_rerank'));
      if (facts.hasReranker === undefined)
        return unknown('Whether there is a reranker: the backend tells it to an authenticated caller alone.');
      if (on !== true || facts.hasReranker) return fine;
      return {
        kind: 'proposal',
        changes: [{ parameter: 'enable_rerank', from: true, to: false }],
        because: 'Every query asks for reranking, and the backend has no reranker.',
        evidence: [
          { what: 'enable_rerank', value: true, unit: null },
          { what: 'a reranker', value: false, unit: null },
        ],
      };
    },
  },
];
