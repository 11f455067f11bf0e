import { signal } from '@preact/signals';
import { type Api, ApiError, createApi, messageOf } from '../api/client.ts';
import type { Instance } from '../api/health-wire.ts';
import type { Page, Who } from '../api/wire.ts';
import { findOff, type Switch, switchKeys, targetSwitch, upstreamSwitch } from './switches.ts';
import { loginCodeOf } from './url.ts';

/** `unknown` until the server was asked once; `ended` says why somebody who was logged in no longer is. */
export type Session =
  | { readonly state: 'unknown' }
  | { readonly state: 'stranger'; readonly notice: string | undefined }
  | { readonly state: 'known'; readonly who: Who };

export const session = signal<Session>({ state: 'unknown' });

/** What decides which parts there are, as last read; empty: not known, and everything is asked for. */
export const switches = signal<readonly Switch[]>([]);

export const api: Api = createApi({
  findOff: (path) => findOff(path, switches.peek()),
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
    await know(await api.get<Who>('api/v1/access/session'));
    return true;
  } catch (err) {
    if (err instanceof ApiError && err.status === 0) session.value = { state: 'stranger', notice: err.message };
    return false;
  }
}

export async function logIn(credentials: { code: string } | { token: string }): Promise<void> {
  await know(await api.post<Who>('api/v1/access/login', credentials));
}

/** The views begin to ask once it is known what there is to ask. */
async function know(who: Who): Promise<void> {
  if (who.role === 'admin') await readSwitches();
  session.value = { state: 'known', who };
}

/** `followSwitches` says when. */
export async function readSwitches(): Promise<void> {
  try {
    const [settings, targets] = await Promise.all([
      api.get<Page<Switch>>(`api/v1/settings?key=${switchKeys.join('&key=')}`),
      api.get<Page<unknown>>('api/v1/targets'),
    ]);
    const read = [...settings.items, targetSwitch(targets.items.length)];
    if (targets.items.length === 0) read.push(upstreamSwitch(await gatewayListens()));
    if (JSON.stringify(read) !== JSON.stringify(switches.peek())) switches.value = read;
  } catch {
    // Then the server itself says what is off.
  }
}

async function gatewayListens(): Promise<boolean> {
  const { items } = await api.get<Page<Instance>>('api/v1/system/services');
  const gateway = items.find(({ here }) => here)?.services.find(({ name }) => name.startsWith('gateway'));
  return gateway?.state !== 'stopped';
}

export async function logOut(): Promise<void> {
  await api.post('api/v1/access/logout');
  session.value = { state: 'stranger', notice: undefined };
}
