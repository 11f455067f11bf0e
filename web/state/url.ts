import { signal } from '@preact/signals';

/** What of the page can be linked to. */
export type UrlState = {
  /** The recovery point whose details are open. */
  readonly point: string | undefined;
  /** The recovery point whose restore dialog is open. */
  readonly restore: string | undefined;
  /** Severities of the events that are shown; undefined shows all. */
  readonly severity: string | undefined;
};

const names = ['point', 'restore', 'severity'] as const;

export function readUrl(search: string): UrlState {
  const query = new URLSearchParams(search);
  const of = (name: (typeof names)[number]): string | undefined => query.get(name)?.slice(0, 200) || undefined;
  return { point: of('point'), restore: of('restore'), severity: of('severity') };
}

/** Parameters of others stay as they are. */
export function writeUrl(search: string, state: UrlState): string {
  const query = new URLSearchParams(search);
  for (const name of names) {
    const value = state[name];
    if (value === undefined) query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}

/** The code behind `#login=`; undefined when there is none. */
export function loginCodeOf(hash: string): string | undefined {
  const found = /^#login=([^&]{1,200})$/.exec(hash);
  if (!found) return undefined;
  try {
    return decodeURIComponent(found[1]!);
  } catch {
    // Not a code that we made.
    return undefined;
  }
}

export const urlState = signal<UrlState>({ point: undefined, restore: undefined, severity: undefined });

/** Follows the browser's back and forward. */
export function followUrl(): void {
  const read = (): void => {
    urlState.value = readUrl(location.search);
  };
  addEventListener('popstate', read);
  read();
}

export function changeUrl(change: Partial<UrlState>): void {
  const next = { ...urlState.peek(), ...change };
  urlState.value = next;
  history.pushState(null, '', `${location.pathname}${writeUrl(location.search, next)}`);
}
