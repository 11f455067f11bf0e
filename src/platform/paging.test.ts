import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type PagePlace, pageCursor, pageOf, placeOfCursor } from './paging.ts';

test('pages of any size show each row once, newest first, also where many have one time', () => {
  const times = fc.array(fc.nat(3), { maxLength: 30 });
  fc.assert(
    fc.property(times, fc.integer({ min: 1, max: 7 }), (list, limit) => {
      const rows = list
        .map((atMs, at) => ({ atMs, id: `run_${String(at).padStart(3, '0')}.2` }))
        .sort((one, other) => other.atMs - one.atMs || (other.id < one.id ? -1 : 1));
      const behind = ({ atMs, id }: PagePlace) =>
        rows.filter((row) => row.atMs < atMs || (row.atMs === atMs && row.id < id));
      const seen: string[] = [];
      for (let cursor: string | undefined; ; ) {
        const place = placeOfCursor(pageCursor('run_\\d{3}\\.2').parse(cursor));
        const found = (place === undefined ? rows : behind(place)).slice(0, limit + 1);
        const page = pageOf(found, limit, { atMs: (row) => row.atMs, body: (row) => row.id });
        seen.push(...page.items);
        if (page.next_cursor === null) break;
        cursor = page.next_cursor;
      }
      expect(seen).toEqual(rows.map(({ id }) => id));
    }),
    { numRuns: 50 },
  );
});

test.each(['', '1', '1.', 'x.run_1', '1.run_1; drop table', `${'1'.repeat(16)}.run_1`])(
  'a cursor of another kind is refused: %j',
  (cursor) => expect(pageCursor('run_\\d').safeParse(cursor).success).toBe(false),
);
