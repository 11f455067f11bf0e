import { expect, test } from 'vitest';
import { readFilters } from './filters.ts';
import { readUrl, writeUrl } from './url.ts';

test('what a list is narrowed to is in the address, and a link shows the same', () => {
  const opened = readUrl('?view=replication');
  const address = writeUrl('', { ...opened, filters: { place: 'the-cellar', what: 'sync', ended: 'failed' } });
  expect(address).toBe('?view=replication&place=the-cellar&what=sync&ended=failed');
  expect(readUrl(address).filters).toEqual({ place: 'the-cellar', what: 'sync', ended: 'failed' });
});

test('what is usual stays out of the address, and what belongs to another view is not kept', () => {
  const narrowed = readUrl('?view=replication&place=the-cellar&what=');
  expect(narrowed.filters).toEqual({ place: 'the-cellar' });
  expect(writeUrl('?view=replication&place=the-cellar', { ...narrowed, view: 'alerts' })).toBe('?view=alerts');
  expect(readFilters('alerts', new URLSearchParams('place=the-cellar&fired=critical'))).toEqual({ fired: 'critical' });
  expect(readFilters('constructor', new URLSearchParams('place=x'))).toEqual({});
});
