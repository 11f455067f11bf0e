import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { readConfig } from './read-config.ts';

const cwd = mkdtempSync(join(tmpdir(), 'ragwarden-standby-config-'));
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

const problemsOf = (given: {
  standby?: Record<string, unknown>;
  location?: string;
  replica?: string;
}): readonly string[] => {
  writeFileSync(
    join(cwd, 'ragwarden.yaml'),
    stringify({
      target: {
        ...{ url: 'http://127.0.0.1:9621', working_dir: '/srv/rag/store', input_dir: '/srv/rag/inputs' },
        standby: {
          ...{ url: 'http://127.0.0.1:9622', working_dir: '/mnt/b/store', input_dir: '/mnt/b/inputs' },
          ...given.standby,
        },
      },
      backup: { location: given.location ?? '/var/backup' },
      replication: { targets: [{ id: 'far', location: given.replica ?? 's3:https://s3.example.org/bucket' }] },
    }),
  );
  return readConfig({ env: {}, cwd }).problems.map(({ place, message }) => `${place}: ${message}`);
};

test('neither the repository nor a replica lies where a failover puts aside what it finds', () => {
  expect(problemsOf({})).toEqual([]);
  expect(problemsOf({ location: '/mnt/b/store/backup' }).join()).toMatch(/\/mnt\/b\/store\/backup.*inside each other/);
  expect(problemsOf({ location: '/mnt/b' }).join()).toMatch(/inside each other/);
  expect(problemsOf({ replica: '/mnt/b/inputs' }).join()).toMatch(/far.*\/mnt\/b\/inputs.*inside each other/);
  expect(problemsOf({ replica: '/srv/rag/store/copy' }).join()).toMatch(/far.*inside the folder it protects/);
});

test('the folders of the second place lie apart as those of the first do', () => {
  expect(problemsOf({ standby: { input_dir: '/mnt/b/store/inputs' } })).toEqual([]);
  for (const input of ['/mnt/b/store/deep/inputs', '/mnt/b/store', '/mnt/b'])
    expect(problemsOf({ standby: { input_dir: input } }).join()).toMatch(/lie inside each other/);
});
