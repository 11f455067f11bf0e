import { describe, expect, test } from 'vitest';
import { AppError, describeError } from './errors.ts';
import { createLogger, type LogLevels } from './logging.ts';

function open(levels: LogLevels = { level: 'info', levels: {} }) {
  const written: string[] = [];
  const log = createLogger({ ...levels, destination: { write: (line: string) => void written.push(line) } });
  const lines = (): Record<string, unknown>[] => written.map((line) => JSON.parse(line));
  return { log, lines, written };
}

describe('a line of the log', () => {
  test('is one line of JSON with its instant, level, part, facts and one sentence', () => {
    const { log, lines, written } = open();
    log.child({ slice: 'backup' }).info({ pointId: 'p1', bytes: 7 }, 'a point\nwas taken');
    expect(written[0]?.trimEnd().split('\n')).toHaveLength(1);
    expect(lines()).toEqual([
      { level: 'info', time: expect.any(String), slice: 'backup', pointId: 'p1', bytes: 7, msg: 'a point\nwas taken' },
    ]);
    expect(new Date(String(lines()[0]?.time)).toISOString()).toBe(lines()[0]?.time);
  });

  test('about an error that is foreseen has its code, its text, the place and what it was caused by, and no stack', () => {
    const { log, lines } = open();
    const cause = new Error('connect ECONNREFUSED 127.0.0.1:5432');
    log.error({ err: new AppError('backup/capture-failed', 'The database cannot be read.', { cause }) }, 'it failed');
    const err = lines()[0]?.err as Record<string, unknown>;
    expect(err).toMatchObject({ code: 'backup/capture-failed', message: expect.stringContaining('cannot be read') });
    expect(err.at).toContain('logging.test.ts');
    expect(err.stack).toBeUndefined();
    expect(JSON.stringify(err)).toContain('ECONNREFUSED 127.0.0.1:5432');
    log.error({ err: Object.assign(cause, { code: 'ECONNREFUSED' }) }, 'it failed');
    expect(lines()[1]?.err).toEqual({
      ...{
        type: 'Error',
        code: 'ECONNREFUSED',
        message: cause.message,
        at: expect.stringContaining('logging.test.ts'),
      },
    });
  });

  test('about a server of several addresses says why each of them did not answer', () => {
    const { log, lines } = open();
    const refused = ['127.0.0.1:5432', '::1:5432'].map((address) => new Error(`connect ECONNREFUSED ${address}`));
    // As Node throws it.
    const cause = Object.assign(new AggregateError(refused), { code: 'ECONNREFUSED' });
    const err = new AppError('storage/unavailable', `It does not answer: ${describeError(cause)}`, { cause });
    for (const one of [cause, err, Object.assign(new Error(''), { code: 'ENOTFOUND' })]) log.warn({ err: one }, 'away');
    const each = 'connect ECONNREFUSED 127.0.0.1:5432, connect ECONNREFUSED ::1:5432';
    expect(lines().map((line) => (line.err as { message: string }).message)).toEqual([
      each,
      `storage/unavailable: It does not answer: ${each}: ${each}`,
      'ENOTFOUND',
    ]);
  });

  test('about a fault of ours has the whole stack, also where it was told as something foreseen', () => {
    const { log, lines } = open();
    const fault = new TypeError('x is not a function');
    log.error({ err: fault }, 'it failed');
    log.error({ err: new AppError('repository/failed', 'It failed.', { cause: fault }) }, 'it failed');
    const [first, second] = lines().map(({ err }) => err as { stack?: string; cause?: { stack?: string } });
    expect(first?.stack).toMatch(/x is not a function\n +at .*logging\.test\.ts/);
    expect(second?.cause?.stack).toBe(first?.stack);
  });

  test('holds no secret, wherever one of their names stands, nor the query of a URL', () => {
    const { log, written } = open();
    log.info(
      {
        ...{ password: 'hidden-1', request: { headers: { authorization: 'hidden-2', 'x-api-key': 'hidden-3' } } },
        ...{ store: { token: 'hidden-4' }, url: 'http://somewhere/path?key=hidden-5' },
      },
      'asked',
    );
    expect(written.join('')).not.toMatch(/hidden-\d/);
    expect(written.join('')).toContain('"url":"http://somewhere/path"');
  });

  test('is written from its level on, which may be another for one part, and changes while it runs', () => {
    const { log, lines } = open({ level: 'warn', levels: { health: 'debug' } });
    const [health, backup] = [log.child({ slice: 'health' }), log.child({ slice: 'backup' })];
    // Of a part is what is told of one thing in it, too.
    const check = health.child({ check: 'redis default' });
    for (const one of [health, backup, check]) one.debug('looked');
    backup.error('failed');
    log.setLevels({ level: 'silent', levels: {} });
    for (const one of [health, backup, check]) one.error('unheard');
    expect(lines().map(({ slice, check: of, msg }) => [slice, of, msg])).toEqual([
      ['health', undefined, 'looked'],
      ['health', 'redis default', 'looked'],
      ['backup', undefined, 'failed'],
    ]);
  });
});
