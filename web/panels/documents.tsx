import { formatCount, formatPercent } from '../format.ts';
import { Unknown } from '../parts/text.tsx';

/** In the order in which a document goes through them; words that a backend adds come after. */
const order = ['processed', 'preprocessed', 'processing', 'analyzing', 'parsing', 'pending', 'failed'];

export type DocumentShare = { readonly status: string; readonly count: number; readonly percent: number };

/** Shares of the whole in a steady order; the backend's words are kept. */
export function documentShares(counts: Readonly<Record<string, number>>): DocumentShare[] {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const rank = (status: string): number => (order.includes(status) ? order.indexOf(status) : order.length);
  return Object.entries(counts)
    .sort(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : 1))
    .map(([status, count]) => ({ status, count, percent: total === 0 ? 0 : (count / total) * 100 }));
}

const kindOf = (status: string): string => (order.includes(status) ? status : 'other');

/** Documents by status: one bar, and the numbers below it. */
export function Documents({ counts }: { counts: Readonly<Record<string, number>> | null }) {
  if (counts === null)
    return (
      <p class="documents-none">
        Documents: <Unknown />
      </p>
    );
  const shares = documentShares(counts);
  const total = shares.reduce((sum, share) => sum + share.count, 0);
  let from = 0;
  return (
    <figure class="documents">
      <figcaption>
        <strong>{formatCount(total)}</strong> {total === 1 ? 'document' : 'documents'}
      </figcaption>
      <svg class="stack" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
        <rect class="track" width="100" height="10" />
        {shares.map((share) => {
          const x = from;
          from += share.percent;
          return (
            <rect key={share.status} class={`doc-${kindOf(share.status)}`} x={x} width={share.percent} height="10" />
          );
        })}
      </svg>
      <ul class="legend">
        {shares
          .filter((share) => share.count > 0 || share.status === 'failed' || share.status === 'processed')
          .map((share) => (
            <li key={share.status} class={share.count === 0 ? 'faint' : undefined} title={formatPercent(share.percent)}>
              <svg class={`key doc-${kindOf(share.status)}`} viewBox="0 0 10 10" aria-hidden="true">
                <rect width="10" height="10" />
              </svg>
              {share.status} <strong>{formatCount(share.count)}</strong>
            </li>
          ))}
      </ul>
    </figure>
  );
}
