import { useRef } from 'preact/hooks';
import type { Page } from '../api/wire.ts';
import { type Followed, useFollowed } from './asked.ts';
import { api } from './session.ts';

/** What every list of the API gives at most in one answer. */
const most = 500;

export type Paged<T> = Followed<Page<T>> & {
  /** Fetches older ones too; undefined when there are none, or no more in one answer. */
  readonly more: (() => Promise<void>) | undefined;
};

/** A list, newest first, that is followed while it is shown and grows by a press. @param path with its filters, and without `limit` */
export function usePaged<T>(
  path: string,
  { step, everyMs, renewed }: { step: number; everyMs(): number; renewed?: string },
): Paged<T> {
  const asked = useRef({ path, limit: step });
  // Another question begins with its newest again.
  if (asked.current.path !== path) asked.current = { path, limit: step };
  const load = (on: AbortSignal): Promise<Page<T>> =>
    api.get(`${path}${path.includes('?') ? '&' : '?'}limit=${asked.current.limit}`, on);
  const followed = useFollowed<Page<T>>(path, { load, everyMs }, renewed);
  const isMore = followed.value !== undefined && followed.value.next_cursor !== null && asked.current.limit < most;
  return {
    ...followed,
    more: isMore
      ? () => {
          asked.current = { path, limit: Math.min(most, asked.current.limit + step) };
          return followed.refresh();
        }
      : undefined,
  };
}
