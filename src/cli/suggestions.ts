import { InvalidArgumentError, Option } from 'commander';
import { findNearestName } from '../config/index.ts';
import type { ApiCall, ApiClient } from './api-client.ts';
import { ServerRefusal } from './exit-code.ts';
import { findIds } from './ids.ts';

export const severities = ['info', 'warning', 'error', 'critical'];

const meant = (typed: string, known: Iterable<string>): string => {
  const nearest = findNearestName(typed, known);
  return nearest === undefined ? '' : ` Did you mean ${nearest}?`;
};

/** An option that takes one of these words, and suggests the nearest for another. */
export function choiceOption(flags: string, about: string, words: readonly string[]): Option {
  // Set after the choices, which stay for help and completion.
  return new Option(flags, about).choices(words).argParser((typed: string) => oneOf(typed, words));
}

/** @throws InvalidArgumentError with the words, the nearest of them first */
export function oneOf(typed: string, words: readonly string[]): string {
  if (words.includes(typed)) return typed;
  throw new InvalidArgumentError(`Allowed choices are ${words.join(', ')}.${meant(typed, words)}`);
}

/** Several of these words, separated by commas. */
export const listOf =
  (words: readonly string[]) =>
  (typed: string): string => {
    for (const word of typed.split(',')) oneOf(word, words);
    return typed;
  };

/** Which ids a refusal is about, and where in a path the one stands that was asked for. */
const unknownThings = [
  { code: 'target/unknown', kind: 'target', path: /\/targets\/([^/]+)/ },
  { code: 'backup/unknown-point', kind: 'point', path: /\/(?:points|restore)\/([^/]+)/ },
  { code: 'operation/unknown', kind: 'operation', path: /\/operations\/([^/]+)/ },
  { code: 'request/not-found', kind: 'metric', path: /\/metrics\/definitions\/([^/]+)/ },
  { code: 'request/not-found', kind: 'key', path: /\/gateway\/keys\/([^/]+)/ },
  { code: 'request/not-found', kind: 'token', path: /\/access\/tokens\/([^/]+)/ },
] as const;

/** The same client, whose refusals of an unknown id name the nearest that there is. */
export const suggestingClient = (api: ApiClient): ApiClient => ({
  ...api,
  async call(path, call) {
    try {
      return await api.call(path, call);
    } catch (err) {
      throw err instanceof ServerRefusal ? await withNearest(api, err, path, call) : err;
    }
  },
});

async function withNearest(api: ApiClient, refusal: ServerRefusal, path: string, call: ApiCall = {}) {
  for (const { code, kind, path: pattern } of unknownThings) {
    if (refusal.code !== code) continue;
    const typed = decodeURIComponent(pattern.exec(path)?.[1] ?? '') || targetOf(call);
    if (typed === undefined || typed === '') continue;
    // The refusal is the answer; that no list can be had besides changes nothing about it.
    const ids = await findIds(api, kind).catch(() => []);
    const hint = meant(typed, ids);
    if (hint !== '')
      return new ServerRefusal({
        code: refusal.code,
        status: refusal.status,
        detail: `${refusal.detail}${hint}`,
        errors: refusal.violations,
      });
  }
  return refusal;
}

function targetOf({ query, body }: ApiCall): string | undefined {
  const inBody = typeof body === 'object' && body !== null && 'target' in body ? body.target : undefined;
  const typed = inBody ?? query?.target;
  return typeof typed === 'string' ? typed : undefined;
}
