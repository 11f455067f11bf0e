import { expect, test } from 'vitest';
import { readConfig } from '../config/index.ts';
import { readStoreSecret, repositoryOptions, storeEnvironment } from './repository-options.ts';

const proxies = { HTTPS_PROXY: 'http://user:secret@proxy.example.org:3128', http_proxy: 'proxy:80', NO_PROXY: '.lan' };
const asTold = { HTTPS_PROXY: proxies.HTTPS_PROXY, HTTP_PROXY: 'proxy:80', NO_PROXY: '.lan' };
const configOf = (env: Record<string, string>) =>
  readConfig({ env: { RAGWARDEN_DATA_DIR: '/nowhere/data', ...proxies, ...env }, cwd: '/nowhere' }).config;

test('a repository in a cloud gets its credentials, and the proxies that this machine has, however they are written', async () => {
  const azure = {
    AZURE_ACCOUNT_NAME: 'points',
    AZURE_ACCOUNT_KEY: 'a2V5',
    AZURE_ENDPOINT_SUFFIX: 'core.chinacloudapi.cn',
  };
  const config = configOf({ BACKUP_DIR: 'azure:points:/here', ...azure, AWS_SECRET_ACCESS_KEY: 'of another store' });
  expect(await repositoryOptions(config)).toMatchObject({
    location: { kind: 'azure', display: 'azure:points:/here' },
    environment: { ...azure, ...asTold },
  });
  expect((await repositoryOptions(config)).environment).not.toHaveProperty('AWS_SECRET_ACCESS_KEY');
});

test('Google is told where its key file lies, which is not read', async () => {
  const key = { GOOGLE_APPLICATION_CREDENTIALS_FILE: '/etc/ragwarden/google.json' };
  const { environment } = await repositoryOptions(configOf({ BACKUP_DIR: 'gs:points:/here', ...key }));
  expect(environment).toEqual({ GOOGLE_APPLICATION_CREDENTIALS: '/etc/ragwarden/google.json', ...asTold });
  expect(await readStoreSecret({ file: '/etc/a.json' }, 'GOOGLE_APPLICATION_CREDENTIALS')).toBe('/etc/a.json');
});

test('places elsewhere go through the proxy; a folder and what ssh reaches do not, and a proxy may be left out', () => {
  for (const kind of ['s3', 'azure', 'gs', 'rest', 'rclone'] as const)
    expect(storeEnvironment(kind, {}, configOf({})), kind).toEqual(asTold);
  for (const kind of ['folder', 'sftp'] as const) expect(storeEnvironment(kind, {}, configOf({})), kind).toEqual({});
  const without = readConfig({ env: { HTTPS_PROXY: '', https_proxy: '' }, cwd: '/nowhere' }).config;
  expect(without.storeProxy).toEqual({});
});
