import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { messageOf } from '../api/client.ts';
import { createPoll } from './poll.ts';
import { api } from './session.ts';

export type Asked<T> = { readonly value?: T; readonly problem?: string };

/** One answer, asked for once while it is shown; what came for another path is never shown for this one. */
export function useAsked<T>(path: string | undefined): Asked<T> {
  const [asked, setAsked] = useState<Asked<T> & { path?: string }>({});
  useEffect(() => {
    if (path === undefined) return undefined;
    const life = new AbortController();
    api
      .get<T>(path, life.signal)
      .then((value) => setAsked({ path, value }))
      .catch((err: unknown) => {
        if (!life.signal.aborted) setAsked({ path, problem: messageOf(err) });
      });
    return () => life.abort();
  }, [path]);
  return asked.path === path ? asked : {};
}

/** Asks again at once with `refresh`, which resolves when the answer is there. */
export type Followed<T> = Asked<T> & { refresh(): Promise<void> };

/**
 * Asked again and again while it is shown and can be seen. Another key is another question, of which nothing is known yet.
 * @param renewed another one asks the same question at once, and what is shown stays until the answer is there
 */
export function useFollowed<T>(
  key: string,
  question: { load(signal: AbortSignal): Promise<T>; everyMs(value: T | undefined): number },
  renewed = '',
): Followed<T> {
  // What decides how often may change without being another question.
  const asks = useRef(question);
  asks.current = question;
  // The key says what the question depends on.
  const poll = useMemo(
    () =>
      createPoll<T>({
        load: (on) => asks.current.load(on),
        everyMs: (now) => asks.current.everyMs(now),
      }),
    [key],
  );
  useEffect(() => {
    const follow = (): void => (document.hidden ? poll.stop() : poll.start());
    follow();
    document.addEventListener('visibilitychange', follow);
    return () => {
      document.removeEventListener('visibilitychange', follow);
      poll.stop();
    };
  }, [poll]);
  const known = useRef(renewed);
  useEffect(() => {
    if (known.current === renewed) return;
    known.current = renewed;
    void poll.refresh();
  }, [poll, renewed]);
  const [value, problem] = [poll.value.value, poll.problem.value];
  return {
    ...(value === undefined ? {} : { value }),
    ...(problem === undefined ? {} : { problem }),
    refresh: poll.refresh,
  };
}
