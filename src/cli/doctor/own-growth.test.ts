import { expect, test } from 'vitest';
import type { ServerView } from './check.ts';
import { ownGrowthCheck } from './running-server.ts';
import { look, subjectOf } from './test-subject.ts';

const line = (kind: string, used: number | null, cap: number | null) => ({
  kind,
  what: kind,
  unit: 'bytes',
  used,
  cap,
  percent: null,
  setting: `growth.${kind}`,
  measured_at: null,
  last_trimmed_at: null,
  last_trimmed: null,
  error: null,
});
const running = (items: readonly object[]): ServerView => ({
  state: 'running',
  api: {
    api: 'http://127.0.0.1:9',
    call: async () => ({ items, next_cursor: null }),
    bytes: async () => new Uint8Array(),
    async *documents() {},
    async *events() {},
    close: async () => undefined,
  },
  health: { status: 'healthy', timestamp: '2026-11-22T00:00:00.000Z', checks: [] },
  targets: [],
  backup: { refused: 'switched off' },
});

test('what ragwarden keeps is told with its caps, and what is above one with the setting', async () => {
  const within = [line('events', 1024, 2048), line('staging', null, null)];
  expect(await look(ownGrowthCheck, subjectOf({}, running(within)))).toMatchObject([
    { verdict: 'ok', detail: '2 kinds of records, each below its cap; fullest: events 1.00 KiB of 2.00 KiB' },
  ]);
  const near = [line('audit', 1800, 2048), ...within, line('logins', 2000, 2048)];
  expect(await look(ownGrowthCheck, subjectOf({}, running(near)))).toMatchObject([
    { verdict: 'ok', detail: expect.stringMatching(/; nearest: logins 1\.95 KiB of 2\.00 KiB, audit 1\.76 KiB of/) },
  ]);
  expect(await look(ownGrowthCheck, subjectOf({}, running([line('staging', null, null)])))).toMatchObject([
    { verdict: 'ok', detail: 'nothing was measured yet' },
  ]);
  expect(await look(ownGrowthCheck, subjectOf({}, running([...within, line('samples', 4096, 2048)])))).toMatchObject([
    {
      verdict: 'warn',
      detail: 'above the cap: samples 4.00 KiB of 2.00 KiB',
      mend: expect.stringContaining('growth.samples'),
    },
  ]);
  expect(await look(ownGrowthCheck, subjectOf({}))).toMatchObject([{ verdict: 'skipped' }]);
});
