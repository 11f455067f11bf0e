import { expect, test } from 'vitest';
import { findRoute, type Hints } from './find-route.ts';
import type { GatewayKey, GatewayState, Upstream } from './ports.ts';

const upstream = (workspace: string, more: Partial<Upstream> = {}): Upstream => ({
  id: `main/${workspace}`,
  targetId: 'main',
  workspace,
  url: 'http://127.0.0.1:1',
  apiKey: null,
  lens: 'plain',
  pathPrefix: null,
  hosts: [],
  ...more,
});
const state: GatewayState = {
  upstreams: [
    upstream(''),
    upstream('a', { pathPrefix: '/a', hosts: ['a.example'] }),
    upstream('b', { pathPrefix: '/b', hosts: ['b.example'] }),
    upstream('ab', { pathPrefix: '/a/b' }),
    upstream('a', { id: 'other/a', targetId: 'other' }),
  ],
  providers: [{ id: 'openai', url: 'http://127.0.0.1:2', api: 'openai', apiKey: null }],
  keys: [],
};
const key = (workspace: string | null, targetId = 'main'): GatewayKey => ({
  id: 'key',
  digest: '',
  subject: 'somebody',
  targetId,
  workspace,
  expiresMs: null,
});
const route = (hints: Partial<Hints>): string => {
  const found = findRoute(state, { path: '/query', host: undefined, workspace: undefined, key: undefined, ...hints });
  if (found.door === 'backend') return `${found.upstream.id} ${found.path}`;
  return found.door === 'llm' ? `llm ${found.provider.id} ${found.path}` : found.code;
};

test.each<[string, Partial<Hints>, string]>([
  ['nothing said: the target itself', {}, 'main/ /query'],
  ['an empty header says nothing', { workspace: '' }, 'main/ /query'],
  ['a header names the workspace', { workspace: 'b' }, 'main/b /query'],
  ['a path prefix is taken off', { path: '/a/query' }, 'main/a /query'],
  ['the longest prefix counts', { path: '/a/b/query' }, 'main/ab /query'],
  ['a prefix alone is the root', { path: '/a' }, 'main/a /'],
  ['a prefix ends at a slash', { path: '/abc' }, 'main/ /abc'],
  ['a host name, in any case and with a port', { host: 'B.example:8711' }, 'main/b /query'],
  ['a host that nobody named says nothing', { host: '127.0.0.1:8711' }, 'main/ /query'],
  ['a key bound to a workspace', { key: key('b') }, 'main/b /query'],
  ['a key for a whole target', { key: key(null) }, 'main/ /query'],
  ['a key for a whole target and a header', { key: key(null), workspace: 'a' }, 'main/a /query'],
  ['a key of another target', { key: key(null, 'other') }, 'other/a /query'],
  ['a provider', { path: '/llm/openai/v1/chat/completions' }, 'llm openai /v1/chat/completions'],
  ['a provider alone', { path: '/llm/openai' }, 'llm openai /'],
])('%s', (_name, hints, expected) => {
  expect(route(hints)).toBe(expected);
});

test.each<[string, Partial<Hints>]>([
  ['a workspace that does not exist', { workspace: 'nowhere' }],
  ['another spelling of one', { workspace: 'A' }],
  ['a key of A with the name of B', { key: key('a'), workspace: 'b' }],
  ['a key of A below the path of B', { key: key('a'), path: '/b/query' }],
  ['a key of A at the host of B', { key: key('a'), host: 'b.example' }],
  ['a key of A without a workspace of that name', { key: key('gone') }],
  ['the path of A and the name of B', { path: '/a/query', workspace: 'b' }],
  ['the path of A at the host of B', { path: '/a/query', host: 'b.example' }],
  ['a key of another target with a workspace of this one', { key: key(null, 'other'), workspace: 'b' }],
])('%s reaches nothing', (_name, hints) => {
  expect(route(hints)).toBe('gateway/unknown-workspace');
});

test('a provider that is not configured is not the backend’s business', () => {
  expect(route({ path: '/llm/nobody/v1' })).toBe('request/not-found');
  expect(route({ path: '/llm' })).toBe('request/not-found');
  expect(route({ path: '/llmx' })).toBe('main/ /llmx');
});
