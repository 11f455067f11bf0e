import { describe, expect, test } from 'vitest';
import { parseRepositoryLocation, withoutCredentials } from './location.ts';

describe('a repository location', () => {
  test.each([
    ['/srv/backups', 'folder', '/srv/backups'],
    ['/srv//x/../backups/', 'folder', '/srv/backups'],
    ['/srv/with blank/é', 'folder', '/srv/with blank/é'],
    ['s3:https://s3.example.org:9000/bucket/path', 's3', 's3:https://s3.example.org:9000/bucket/path'],
    ['s3:s3.amazonaws.com/bucket', 's3', 's3:s3.amazonaws.com/bucket'],
    ['azure:container:/path', 'azure', 'azure:container:/path'],
    ['gs:bucket:/', 'gs', 'gs:bucket:/'],
    ['rest:https://host:8000/path/', 'rest', 'rest:https://host:8000/path/'],
    ['sftp://user@host//srv/backups', 'sftp', 'sftp://user@host//srv/backups'],
    ['sftp://user@[::1]:2222//srv/backups', 'sftp', 'sftp://user@[::1]:2222//srv/backups'],
    ['sftp://host/backups', 'sftp', 'sftp://host/backups'],
  ])('%s is understood', (text, kind, resticArgument) => {
    expect(parseRepositoryLocation(text, 'api')).toEqual({ kind, resticArgument, display: resticArgument });
  });

  test.each([
    '',
    ' /srv',
    'relative/folder',
    '/',
    '/..',
    '-r',
    '--option=sftp.command=sh',
    '/srv/\u0000x',
    '/srv\nx',
    'local:/srv',
    'b2:bucket:path',
    's3:',
    's3:https://key:secret@host/bucket',
    's3:https://host/',
    's3:https://-host/bucket',
    'azure:container',
    'azure:ab:/path',
    'azure:Container:/path',
    'azure:con--tainer:/path',
    'gs:-x:/path',
    'rest:ftp://host/',
    'rest:host',
    'sftp://-oProxyCommand=sh@host/path',
    'sftp://user@-oProxyCommand=sh/path',
    'sftp://user:password@host/path',
    'sftp://user@host',
    'sftp:user@host:/path',
    'rclone:remote:path',
    'RCLONE:remote:path',
  ])('%j is refused', (text) => {
    expect(() => parseRepositoryLocation(text, 'api')).toThrow(
      expect.objectContaining({ code: 'repository/invalid-location' }),
    );
  });

  test('rclone starts a program, so it is taken from the file only and names a remote', () => {
    expect(parseRepositoryLocation('rclone:remote:path', 'file').kind).toBe('rclone');
    expect(() => parseRepositoryLocation('rclone:remote:path', 'environment')).toThrow();
    expect(() => parseRepositoryLocation('rclone:--config=x:', 'file')).toThrow();
  });

  test('shows no password, and takes it out of what the tool says', () => {
    const location = parseRepositoryLocation('rest:https://user:p%40ss@host/x', 'file');
    expect(location.display).toBe('rest:https://user:***@host/x');
    expect(location.resticArgument).toBe('rest:https://user:p%40ss@host/x');
    const text = 'Head "https://user:p%40ss@host/x": user:p@ss refused';
    expect(withoutCredentials(text, location)).toBe('Head "https://user:***@host/x": user:*** refused');
  });
});
