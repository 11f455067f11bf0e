import { useEffect, useState } from 'preact/hooks';
import { messageOf } from '../api/client.ts';
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
