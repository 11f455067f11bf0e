import { expect, test } from 'vitest';
import { readConfig } from './index.ts';

const read = (settings: object, env: Record<string, string> = {}) =>
  readConfig({ env, cwd: '/srv', given: { name: 'settings', content: JSON.stringify(settings) } });
const target = { url: 'http://127.0.0.1:9621' };
const legal = { workspace: 'legal', url: 'http://127.0.0.1:9622/' };
const said = (settings: object, env?: Record<string, string>): string =>
  read(settings, env)
    .problems.map(({ message }) => message)
    .join('; ');

test('endpoints and providers are read, with keys from variables and files', () => {
  const { config, problems } = read(
    {
      target: {
        ...target,
        endpoints: [
          { ...legal, api_key_env: 'LEGAL_KEY', path_prefix: '/legal', hosts: ['legal.example'] },
          { workspace: 'other', url: 'https://other.example', api_key_file: 'keys/other' },
        ],
      },
      gateway: { providers: [{ id: 'openai', url: 'https://api.openai.com', api: 'openai', api_key_env: 'OPEN_KEY' }] },
    },
    { LEGAL_KEY: 'one', OPEN_KEY: 'two' },
  );
  expect(problems).toEqual([]);
  expect(config.target?.endpoints).toEqual([
    {
      workspace: 'legal',
      url: 'http://127.0.0.1:9622',
      apiKey: { value: 'one' },
      pathPrefix: '/legal',
      hosts: ['legal.example'],
    },
    {
      workspace: 'other',
      url: 'https://other.example',
      apiKey: { file: '/srv/keys/other' },
      pathPrefix: undefined,
      hosts: [],
    },
  ]);
  expect(config.gateway.providers).toEqual([
    { id: 'openai', url: 'https://api.openai.com', api: 'openai', apiKey: { value: 'two' } },
  ]);
});

test.each<[string, object, string]>([
  ['a workspace twice', { endpoints: [legal, legal] }, 'the workspace legal is there twice'],
  ['the workspace of the target', { workspace: 'legal', endpoints: [legal] }, 'the workspace legal is there twice'],
  ['a variable that is not set', { endpoints: [{ ...legal, api_key_env: 'NONE' }] }, 'NONE, which is not set'],
  ['a variable of ours', { endpoints: [{ ...legal, api_key_env: 'RAGWARDEN_ADMIN_TOKEN' }] }, 'none of ours'],
  ['two keys for one', { endpoints: [{ ...legal, api_key_env: 'A', api_key_file: 'b' }] }, 'a variable and a file'],
  ['the door of the providers', { endpoints: [{ ...legal, path_prefix: '/llm/x' }] }, 'door of the providers'],
  ['a prefix with a trick', { endpoints: [{ ...legal, path_prefix: '/a/../b' }] }, 'must be a path'],
  ['a URL with credentials', { endpoints: [{ ...legal, url: 'http://a:b@127.0.0.1' }] }, 'without credentials'],
])('%s is refused', (_name, more, message) => {
  expect(said({ target: { ...target, ...more } })).toContain(message);
});

test('a backend without a key of its own is not opened beyond this machine, unless keys of ours are asked for', () => {
  const open = { gateway: { host: '0.0.0.0' }, target };
  expect(said(open)).toContain('would open a backend without a key of its own');
  expect(said({ ...open, gateway: { host: '0.0.0.0', require_key: true } })).toBe('');
  expect(said({ ...open, gateway: { host: '0.0.0.0', enabled: false } })).toBe('');
  const env = { LIGHTRAG_API_KEY: 'a-key' };
  expect(said(open, env)).toBe('');
  expect(said({ ...open, target: { ...target, endpoints: [legal] } }, env)).toContain('would open a backend');
});
