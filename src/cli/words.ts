import type { Colours } from './terminal.ts';

const good = new Set([
  'healthy',
  'success',
  'succeeded',
  'active',
  'ok',
  'consistent',
  'info',
  'keep',
  'add',
  'complete',
]);
const doubtful = new Set([
  'degraded',
  'partial',
  'warning',
  'warn',
  'crash-consistent',
  'fuzzy',
  'expired',
  'interrupted',
  'forget',
  'mismatch',
]);
const bad = new Set([
  'unreachable',
  'unhealthy',
  'critical',
  'offline',
  'error',
  'failed',
  'fail',
  'revoked',
  'lost',
  'refuse',
]);

/** The colour says it at a glance, the word says it without colours. */
export function coloured(colours: Colours, word: string): string {
  const key = word.toLowerCase();
  if (good.has(key)) return colours.green(word);
  if (doubtful.has(key)) return colours.yellow(word);
  if (bad.has(key)) return colours.red(word);
  return word;
}
