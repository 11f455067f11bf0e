import { expect, test } from 'vitest';
import { parseRepositoryLocation } from './location.ts';
import { resticFailure } from './restic-errors.ts';
import { adviceOn, decideLockHolder, findHolder, type LockFacts, wouldResticUnlock } from './restic-locks.ts';
import {
  parseBackupWarning,
  parseFindings,
  parseFreedBytes,
  parseNodeLine,
  parseSnapshots,
  parseStatusLine,
  parseVersion,
} from './restic-output.ts';

test('takes progress from the words of backup and of restore', () => {
  expect(parseStatusLine('{"message_type":"status","percent_done":0,"total_files":1,"total_bytes":5}')).toEqual({
    filesDone: 0,
    filesTotal: 1,
    bytesDone: 0,
    bytesTotal: 5,
  });
  const restoring = '{"message_type":"status","total_files":4,"files_restored":3,"total_bytes":9,"bytes_restored":8}';
  expect(parseStatusLine(restoring)).toEqual({ filesDone: 3, filesTotal: 4, bytesDone: 8, bytesTotal: 9 });
  for (const other of ['', 'text', '{"message_type":"summary"}', '{"message_type":"status"', 'null'])
    expect(parseStatusLine(other)).toBeUndefined();
});

test.each([
  ['a/b does not exist, skipping', { path: 'a/b', message: 'does not exist' }],
  [
    '{"message_type":"error","error":{"Op":"open","Path":"b","Err":13},"during":"archival","item":"/x/b"}',
    { path: '/x/b', message: 'open failed (system error 13)' },
  ],
  [
    '{"message_type":"error","error":{"message":"permission denied"},"item":"/x/b"}',
    { path: '/x/b', message: 'permission denied' },
  ],
  ['{"message_type":"error","error":{}}', { path: null, message: 'could not be read' }],
  ['Warning: at least one source file could not be read', undefined],
])('%s', (line, warning) => {
  expect(parseBackupWarning(line)).toEqual(warning);
});

test('reads lists with and without what is optional', () => {
  expect(parseSnapshots(null)).toEqual([]);
  const [older] = parseSnapshots([
    { id: 'b', time: '2026-11-22T03:54:43.4Z', tree: 't', paths: ['/x'], hostname: 'h', tags: ['a'] },
    { id: 'a', time: '2026-11-22T01:54:43.445950951+01:00', tree: 't', paths: ['/x'], hostname: 'h', tags: null },
  ]);
  expect(older).toEqual({
    id: 'a',
    createdAtMs: Date.parse('2026-11-22T00:54:43.445Z'),
    tree: 't',
    tags: [],
    paths: ['/x'],
    host: 'h',
  });
  expect(parseNodeLine('{"struct_type":"snapshot","id":"a"}')).toBeUndefined();
  expect(
    parseNodeLine(
      '{"name":"f","type":"fifo","path":"/f","mode":33554852,"mtime":"2026-11-22T03:54:51Z","struct_type":"node"}',
    ),
  ).toMatchObject({
    type: 'other',
    mode: 0o644,
    sizeBytes: 0,
  });
});

test('reads versions, what a prune freed and what a check found', () => {
  expect(parseVersion('restic 0.14.0 compiled with go1.19.8 on linux/amd64')).toEqual({
    text: '0.14.0',
    supported: true,
  });
  expect(parseVersion('restic 1.0')).toEqual({ text: '1.0', supported: true });
  expect(parseVersion('restic 0.13.1')).toEqual({ text: '0.13.1', supported: false });
  expect(parseVersion('something else')).toBeUndefined();
  expect(parseFreedBytes('x\ntotal prune:     5 blobs / 1.500 KiB\n')).toBe(1536);
  expect(parseFreedBytes('total prune: 0 blobs / 0 B')).toBe(0);
  expect(parseFreedBytes('done')).toBeNull();
  const said =
    'load indexes\ncheck all packs\npack 12: does not exist\n[0:00] 100.00%  8 / 8 snapshots\n\nFatal: repository contains errors\n';
  expect(parseFindings(said)).toEqual(['pack 12: does not exist']);
});

test.each([
  [1, 'Fatal: wrong password or no key found', 'repository/wrong-password'],
  [12, 'anything', 'repository/wrong-password'],
  [10, 'anything', 'repository/missing'],
  [11, 'anything', 'repository/locked'],
  [1, 'Fatal: unable to open config file: stat /x/config: no such file or directory', 'repository/missing'],
  [1, 'Fatal: unable to open config file: Stat: The specified key does not exist.', 'repository/missing'],
  [
    1,
    'Fatal: unable to open config file: client.Head: Head "…": dial tcp 127.0.0.1:9: connect: connection refused',
    'repository/unreachable',
  ],
  // As an S3 server (Ceph) words them through restic; the first two are not something that is missing.
  [
    1,
    'Fatal: unable to open config file: Stat: The access key ID you provided does not exist in our records.',
    'repository/refused',
  ],
  [
    1,
    'Fatal: unable to open config file: Stat: The request signature we calculated does not match the signature you provided.',
    'repository/refused',
  ],
  [1, 'Fatal: unable to open config file: Stat: Access Denied.', 'repository/refused'],
  [1, 'Fatal: unable to open config file: Stat: The specified bucket does not exist.', 'repository/missing'],
  [
    1,
    'Fatal: unable to open config file: Stat: Get "https://h/b/": x509: certificate signed by unknown authority',
    'repository/unreachable',
  ],
  [1, 'Fatal: create repository at s3:http://h/b failed: client.MakeBucket: Access Denied.', 'repository/refused'],
  [
    1,
    'Save(<data/4657fa47c4>) returned error, retrying after 552.3ms: client.PutObject: Error response code QuotaExceeded.',
    'storage/full',
  ],
  // As ssh says it through restic, and a REST server.
  [
    1,
    'subprocess ssh: Host key verification failed.\nFatal: unable to open repository at sftp://u@h//x: unable to start the sftp session, error: EOF',
    'repository/refused',
  ],
  [
    1,
    'subprocess ssh: ssh: connect to host h port 22: Connection refused\nFatal: unable to open repository at sftp://u@h//x: unable to start the sftp session, error: EOF',
    'repository/unreachable',
  ],
  [1, 'Fatal: unable to open config file: unexpected HTTP response (401): 401 Unauthorized', 'repository/refused'],
  // Of Azurite and of a server as Google's, by 0.14 and by 0.19.
  [
    1,
    'Fatal: unable to open config file: blob.GetProperties: storage: service returned error: StatusCode=403, ErrorCode=403 Forbidden, ErrorMessage=no response body was available for error status code',
    'repository/refused',
  ],
  [
    1,
    'Fatal: unable to open config file: blob.GetProperties: HEAD https://points.blob.core.windows.net/points/x%2Fconfig\n----\nRESPONSE 403: 403 Forbidden\nERROR CODE: AuthorizationFailure\n----',
    'repository/refused',
  ],
  [
    1,
    'Fatal: unable to open config file: blob.GetProperties: storage: service returned error: StatusCode=404, ErrorCode=404 Not Found, ErrorMessage=no response body was available for error status code',
    'repository/missing',
  ],
  [
    1,
    'Fatal: unable to open repository at azure:c:/x: NewBasicClient: azure: malformed storage account key: illegal base64 data at input byte 3',
    'repository/refused',
  ],
  [
    1,
    'Fatal: unable to open repository at azure:c:/x: NewSharedKeyCredential: decode account key: illegal base64 data at input byte 3',
    'repository/refused',
  ],
  [
    1,
    'Fatal: unable to open repository at azure:c:/x: no azure authentication information found',
    'repository/refused',
  ],
  [
    1,
    'Fatal: unable to open repository at gs:b:/x: getStorageClient: google: could not find default credentials.',
    'repository/refused',
  ],
  [
    1,
    "Fatal: unable to open config file: service.Objects.Get: storage: object doesn't exist\nIs there a repository at the following location?",
    'repository/missing',
  ],
  [
    1,
    "Fatal: Fatal: create repository at gs:b:/x failed: storage: bucket doesn't exist: googleapi: Error 404: Not Found, notFound",
    'repository/missing',
  ],
  [
    1,
    'Save(<data/46771f947b>) returned error, retrying after 5ms: storage: service returned error: StatusCode=409, ErrorCode=AccountQuotaExceeded',
    'storage/full',
  ],
  // What it got over does not count.
  [
    1,
    'Load(<data/4657fa47c4>, 1, 0) returned error, retrying after 552.3ms: dial tcp: connection refused\nFatal: wrong password or no key found',
    'repository/wrong-password',
  ],
  [1, 'Fatal: unable to open repository at /x: ReadDir: open /x/keys: permission denied', 'repository/failed'],
  [1, 'Fatal: unable to save snapshot: write /x: no space left on device', 'storage/full'],
  [1, 'Fatal: config or key 99 is damaged: ciphertext verification failed', 'repository/damaged'],
  [
    1,
    'Load(<data/f23254e502>, 2097, 0) returned error, retrying after 552ms: open /x/f23254e5: no such file or directory',
    'repository/damaged',
  ],
  [1, 'Load(<data/068bf5adcb>, 2286, 71030) returned error, retrying after 552.3ms: EOF', 'repository/damaged'],
  [1, 'Load(<index/068bf5adcb>, 0, 0) returned error, retrying after 5ms: unexpected EOF', 'repository/damaged'],
  [1, 'Fatal: create repository at /x failed: config file already exists', 'conflict/state'],
  [1, 'Fatal: invalid id "12345678": no matching ID found for prefix "12345678"', 'backup/unknown-point'],
  [1, '', 'repository/failed'],
  [null, '', 'repository/failed'],
])('exit code %j with %j is one error', (exitCode, stderr, code) => {
  const ended = { exitCode, signal: exitCode === null ? ('SIGKILL' as const) : null, stderr };
  expect(resticFailure(ended, 'testing', parseRepositoryLocation('/x', 'file'))).toMatchObject({ code });
});

test('a store whose program is not installed is not taken for one without a repository', () => {
  const stderr =
    'Fatal: unable to open repository at sftp://u@h//x: cmd.Start: exec: "ssh": executable file not found in $PATH';
  const location = parseRepositoryLocation('sftp://u@h//x', 'file');
  expect(resticFailure({ exitCode: 1, signal: null, stderr }, 'testing', location)).toMatchObject({
    code: 'child/missing-program',
    detail: expect.stringContaining('is reached by ssh, which is not installed'),
  });
});

test('what ssh says is told, and not only that it ended', () => {
  const stderr =
    'subprocess ssh: Host key verification failed.\nFatal: unable to open repository at sftp://u@h//x: unable to start the sftp session, error: EOF';
  const location = parseRepositoryLocation('sftp://u@h//x', 'file');
  expect(resticFailure({ exitCode: 1, signal: null, stderr }, 'testing', location).detail).toContain(
    'refuses what was asked of it: Host key verification failed.',
  );
});

test('a lock error names its holder, and a stack trace is no message', () => {
  const location = parseRepositoryLocation('/x', 'file');
  const stderr =
    'unable to create lock in backend: repository is already locked exclusively by PID 42 on other by root (UID 0, GID 0)\nlock was created at 2026-11-22 03:54:55 (3s ago)\nstorage ID d23bd74a';
  expect(resticFailure({ exitCode: 1, signal: null, stderr }, 'testing', location).detail).toContain(
    'by process 42 on other since 2026-11-22 03:54:55',
  );
  const trace =
    'something broke\ngithub.com/restic/restic/internal/x.Save\n\tgithub.com/restic/restic/x.go:12\nmain.main\nruntime.goexit';
  expect(resticFailure({ exitCode: 1, signal: null, stderr: trace }, 'testing', location).detail).toMatch(
    /: something broke\.$/,
  );
});

test('a lock is ours only when a killed child of ours had its number before it was made', () => {
  const child = {
    pid: 7,
    startTicks: 100,
    bootId: 'b',
    program: 'restic',
    purpose: 'p',
    operationId: null,
    startedAtMs: 10_000,
  };
  const facts = (running: number | undefined): LockFacts => ({
    thisHost: 'here',
    runningProcess: () => running,
    killedChildren: [child],
  });
  const lock = { id: 'l', host: 'here', pid: 7, username: 'u', createdAtMs: 12_000, exclusive: false };
  expect(decideLockHolder(lock, facts(undefined))).toBe('ours-dead');
  // Its number belongs to another process by now.
  expect(decideLockHolder(lock, facts(555))).toBe('ours-dead');
  expect(decideLockHolder(lock, facts(100))).toBe('alive');
  expect(decideLockHolder({ ...lock, createdAtMs: 5_000 }, facts(undefined))).toBe('dead');
  expect(decideLockHolder({ ...lock, createdAtMs: 5_000 }, facts(555))).toBe('alive');
  expect(decideLockHolder({ ...lock, pid: 8 }, facts(undefined))).toBe('dead');
  expect(decideLockHolder({ ...lock, host: 'there' }, facts(undefined))).toBe('elsewhere');

  const elsewhere = { ...lock, host: 'there', holder: 'elsewhere' as const };
  const dead = { ...lock, holder: 'dead' as const };
  const alive = { ...lock, holder: 'alive' as const };
  expect(adviceOn(dead, 12_000)).toContain('`ragwarden repo unlock` removes its lock');
  expect(adviceOn(alive, 12_000)).toContain('wait until it has finished');
  expect(adviceOn(alive, 12_000, 'restic')).toContain('wait until it has finished');
  expect(adviceOn(alive, 12_000, 'nginx')).toContain('belongs to "nginx" now');
  expect(adviceOn(elsewhere, 12_000)).toContain('Wait until it has finished');
  expect(adviceOn(elsewhere, 12_000 + 3_600_000)).toMatch(/for 60 minutes.*see on there whether process 7 runs/);
  // Nobody is told that all are gone as long as one may live.
  expect(findHolder([dead, elsewhere, alive])).toBe(alive);
  expect(findHolder([dead, elsewhere])).toBe(elsewhere);
  expect(findHolder([dead])).toBe(dead);
  expect(wouldResticUnlock(elsewhere, 12_000, facts(undefined))).toBe(false);
  expect(wouldResticUnlock(elsewhere, 12_000 + 3_600_000, facts(undefined))).toBe(true);
});
