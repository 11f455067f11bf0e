import { type Setting, settings } from '../../config/index.ts';
import type { Finding } from './check.ts';

/** What other programs say about a failure may repeat what they were given. */
export function hideSecrets(
  findings: readonly Finding[],
  values: Readonly<Record<string, unknown>>,
): readonly Finding[] {
  const secrets = secretsOf(values);
  const hide = (text: string): string => secrets.reduce((shown, secret) => shown.replaceAll(secret, '***'), text);
  return findings.map((one) => ({
    ...one,
    detail: hide(one.detail),
    mend: one.mend === null ? null : hide(one.mend),
  }));
}

/** Shorter ones would blank out ordinary words. */
const leastLength = 4;

/** Whole values, and of a URL its password as it is written and as it is meant; longest first, so that none is left in part. */
function secretsOf(values: Readonly<Record<string, unknown>>): string[] {
  const found = new Set<string>();
  for (const [name, setting] of Object.entries<Setting>(settings)) {
    const value = values[name];
    if (!setting.secret || typeof value !== 'string') continue;
    found.add(value);
    const password = URL.parse(value)?.password ?? '';
    found.add(password);
    try {
      found.add(decodeURIComponent(password));
    } catch {
      // A lone per cent sign means itself.
    }
  }
  return [...found].filter((one) => one.length >= leastLength).sort((a, b) => b.length - a.length);
}
