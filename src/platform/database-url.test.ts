import { expect, test } from 'vitest';
import { describeDatabaseUrl, readDatabaseUrl } from './database-url.ts';

test.each([
  ['sqlite:///./lightrag_recovery.db', { kind: 'sqlite', path: './lightrag_recovery.db' }],
  ['sqlite:////var/lib/ragwarden/state.db', { kind: 'sqlite', path: '/var/lib/ragwarden/state.db' }],
  ['sqlite+aiosqlite:///state.db', { kind: 'sqlite', path: 'state.db' }],
  ['postgres://u:p@db/rag', { kind: 'postgres', url: 'postgresql://u:p@db/rag' }],
  ['postgresql+psycopg2://u:p@db:5433/rag', { kind: 'postgres', url: 'postgresql://u:p@db:5433/rag' }],
  ['postgresql://db/rag', { kind: 'postgres', url: 'postgresql://db/rag' }],
  [
    'postgresql://u:p%40%2Fq@db/rag?sslmode=require',
    { kind: 'postgres', url: 'postgresql://u:p%40%2Fq@db/rag?sslmode=require' },
  ],
  [
    'postgresql://u:p@s/w:d?#@db/rag?sslmode=require',
    { kind: 'postgres', url: 'postgresql://u:p%40s%2Fw%3Ad%3F%23@db/rag?sslmode=require' },
  ],
  ['postgresql://u:100%@db/rag', { kind: 'postgres', url: 'postgresql://u:100%25@db/rag' }],
  [
    'postgresql://u:p@/rag?host=/run/postgresql',
    { kind: 'postgres', url: 'postgresql://u:p@/rag?host=/run/postgresql' },
  ],
  [
    'postgresql://u:p@db/rag?application_name=a@b',
    { kind: 'postgres', url: 'postgresql://u:p@db/rag?application_name=a@b' },
  ],
])('%s is read', (text, place) => {
  expect(readDatabaseUrl(text)).toEqual(place);
});

test.each([
  ['mysql://u:secret@db/rag', 'mysql'],
  ['/var/lib/state.db', 'is not a database URL'],
  ['postgresql://u:secret@db', 'names no database'],
  ['postgresql://u:secret@db/', 'names no database'],
  ['sqlite://', 'names no file'],
  ['sqlite:///:memory:', 'names no file'],
  ['postgresql://u:secret@db:port/rag', 'is not a database URL'],
])('%s is refused without its text', (text, complaint) => {
  const read = readDatabaseUrl(text);
  expect(read).toEqual({ complaint: expect.stringContaining(complaint) });
  expect(JSON.stringify(read)).not.toContain('secret');
});

test('a server is described without user and password', () => {
  expect(describeDatabaseUrl('postgresql://u:p%40@db:5433/rag?sslmode=require')).toBe('rag on db:5433');
  expect(describeDatabaseUrl('postgresql://u:p@/rag?host=/run/postgresql')).toBe('rag on /run/postgresql:5432');
});
