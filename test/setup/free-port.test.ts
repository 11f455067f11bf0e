import { expect, test } from 'vitest';
import { portsBeside } from './free-port.ts';

test.each([
  ['as Linux gives them', [32_768, 60_999], [20_000, 32_768]],
  ['as elsewhere', [49_152, 65_535], [20_000, 49_152]],
  ['nearly all', [1_024, 65_535], undefined],
  ['the lower ones', [1_024, 40_000], [40_001, 65_536]],
  ['soon', [15_000, 64_000], [10_081, 15_000]],
  ['soon, and not to the end', [12_000, 60_000], [60_001, 65_536]],
] as const)('a port for a program is none that the system gives: %s', (_, given, expected) => {
  expect(portsBeside(given)).toEqual(expected);
});
