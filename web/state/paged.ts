import { useRef } from 'preact/hooks';
import type { Page } from '../api/wire.ts';
import { type Followed, useFollowed } from './asked.ts';
import { readPages } from './pages.ts';
import { api } from './session.ts';

/** What one list shows at most: it is asked for anew again and again. */
const most = 1_000;

export type Paged<T> = Followed<Page<T>> & {
  /** Fetches older ones too; undefined when there are none, or no more on this page. */
  readonly more: (() => Promise<void>) | undefined;
  /** There are older ones, and the page shows no more. */
  readonly isCut: boolean;
};

/** A list, newest first, that is followed while it is shown and doubles by a press. @param path with its filters, and without `limit` */
export function usePaged<T>(
  path: string,
  { step, everyMs, renewed }: { step: number; everyMs(): number; renewed?: string },
): Paged<T> {
  const asked = useRef({ path, wanted: step });
  // Another question begins with its newest again.
  if (asked.current.path !== path) asked.current = { path, wanted: step };
  const load = (on: AbortSignal): Promise<Page<T>> =>
    readPages((query) => api.get(`${path}${path.includes('?') ? '&' : '?'}${query}`, on), asked.current.wanted);
  const followed = useFollowed<Page<T>>(path, { load, everyMs }, renewed);
  const isMore = followed.value !== undefined && followed.value.next_cursor !== null;
  const mayGrow = asked.current.wanted < most;
  return {
    ...followed,
    isCut: isMore && !mayGrow,
    more:
      isMore && mayGrow
        ? () => {
            asked.current = { path, wanted: Math.min(most, asked.current.wanted * 2) };
            return followed.refresh();
          }
        : undefined,
  };
}
