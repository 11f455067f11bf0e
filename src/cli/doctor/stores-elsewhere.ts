import { isAbsolute } from 'node:path';
import type { StoreLook } from '../cli.ts';
import { type Check, fail, type Outcome, ok, skipped, warn } from './check.ts';

/** The repository where it is no folder, and each place that the settings file names for copies. */
export const storesElsewhereCheck: Check = {
  id: 'stores-elsewhere',
  what: 'stores elsewhere',
  async look({ config, lookAtStores }, signal) {
    const { enabled, targets } = config.replication;
    // Who has none does not wait until all that it takes to look is loaded.
    const isNone = isAbsolute(config.backup.location) && !(enabled && targets.some((one) => one.enabled));
    const found = isNone ? [] : await lookAtStores(config, signal);
    return found.length === 0
      ? skipped('the settings name none; `ragwarden replicate status` knows those of the API')
      : found.map(judgeStore);
  },
};

/** What is well of one that can be written to: only the first copy shows that of a store that is no folder. */
export function judgeStore({ id, place, offline, state, detail }: StoreLook): Outcome {
  const what = id === null ? 'repository elsewhere' : `copies at ${id}`;
  const away = /^(repository|outgoing)\/(unreachable|failed|timeout|refused-address)$/.test(state);
  if (offline && (away || state === 'missing' || state === 'read-only'))
    return ok(`${place} is not attached, as usual for it`, what);
  switch (state) {
    case 'ok':
      return ok(`${place} answers and opens; nothing was written`, what);
    case 'missing':
      return warn(
        `${place} answers and holds no repository`,
        id === null
          ? 'The first backup makes it; if there was one, look what lies there now.'
          : `The first copy makes it: ragwarden replicate run ${id}; if there was one, look what is mounted there.`,
        what,
      );
    case 'wrong-password':
      return fail(
        `the password does not open what lies at ${place}`,
        'ragwarden explain repository/wrong-password',
        what,
      );
    case 'no-password':
      return skipped(`${place}: there is no password yet (${detail}); the first start makes it`, what);
    case 'no-program':
      return fail(`${place} is reached by ${detail}, which is missing`, `Install ${detail}.`, what);
    case 'old-program':
      return fail(`${place}: ${detail}`, 'Install restic 0.16 or newer.', what);
    case 'read-only':
      return fail(
        `${place}: ${detail}`,
        'Give the user of ragwarden the right to write there, or look what is mounted.',
        what,
      );
    default:
      return fail(detail === '' ? `${place}: ${state}` : detail, `ragwarden explain ${state}`, what);
  }
}
