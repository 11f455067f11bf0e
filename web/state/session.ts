import { signal } from '@preact/signals';
import { type Api, ApiError, createApi, messageOf } from '../api/client.ts';
import type { Who } from '../api/wire.ts';
import { loginCodeOf } from './url.ts';

/** `unknown` until the server was asked once; `ended` says why somebody who was logged in no longer is. */
export type Session =
  | { readonly state: 'unknown' }
  | { readonly state: 'stranger'; readonly notice: string | undefined }
  | { readonly state: 'known'; readonly who: Who };

export const session = signal<Session>({ state: 'unknown' });

export const api: Api = createApi({
  csrfToken() {
    const now = session.peek();
    return now.state === 'known' ? now.who.csrf_token : null;
  },
  onUnauthenticated() {
    if (session.peek().state === 'known')
      session.value = { state: 'stranger', notice: 'The session has ended. Log in again.' };
  },
});

/** With `#login=CODE` in the address the code is used and taken out of the address; else an open session goes on. */
export async function openSession(): Promise<void> {
  const code = loginCodeOf(location.hash);
  if (code !== undefined) {
    // Taken out first: a code works once, and an address ends up in histories.
    history.replaceState(null, '', `${location.pathname}${location.search}`);
    try {
      await logIn({ code });
      return;
    } catch (err) {
      if (await resume()) return;
      session.value = { state: 'stranger', notice: messageOf(err) };
      return;
    }
  }
  if (!(await resume())) session.value = { state: 'stranger', notice: undefined };
}

async function resume(): Promise<boolean> {
  try {
    session.value = { state: 'known', who: await api.get<Who>('api/v1/access/session') };
    return true;
  } catch (err) {
    if (err instanceof ApiError && err.status === 0) session.value = { state: 'stranger', notice: err.message };
    return false;
  }
}

export async function logIn(credentials: { code: string } | { token: string }): Promise<void> {
  session.value = { state: 'known', who: await api.post<Who>('api/v1/access/login', credentials) };
}

export async function logOut(): Promise<void> {
  await api.post('api/v1/access/logout');
  session.value = { state: 'stranger', notice: undefined };
}
