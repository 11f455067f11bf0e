import { findNearestName } from './nearest-name.ts';
import { settingEntries } from './settings.ts';
import type { Problem } from './settings-file.ts';

/** Own variables that are no settings: they steer the tools around the product. */
const otherOwnVariables = ['RAGWARDEN_CONFIG', 'RAGWARDEN_URL', 'RAGWARDEN_TOKEN', 'RAGWARDEN_NO_INSTALL'];

/** Names of the watched backend that look like one of ours with a slip in it, and of tools that set them everywhere. */
const foreignNames = new Set([
  'CHUNK_F_SIZE',
  'CHUNK_P_SIZE',
  'CHUNK_R_SIZE',
  'CHUNK_V_SIZE',
  'CHUNK_TOP_K',
  'CHUNK_OVERLAP_SIZE',
  'LIGHTRAG_API_PREFIX',
  'POSTGRES_DB',
  'POSTGRES_WORKSPACE',
]);

/** Shorter names differ by chance. */
const leastLength = 8;

/**
 * Variables that are no settings. Ours by their beginning are problems; others that differ from a setting by a slip are
 * notices, since they may belong to somebody else.
 * @param named by the structures of the file
 */
export function findUnknownVariables(
  env: Readonly<Record<string, string | undefined>>,
  named: readonly string[] = [],
): {
  problems: readonly Problem[];
  notices: readonly Problem[];
} {
  const known = new Set([...otherOwnVariables, ...named]);
  const withoutFile = new Set<string>();
  for (const [, definition] of settingEntries)
    for (const { name } of definition.env) {
      known.add(name);
      if (definition.secret) known.add(`${name}_FILE`);
      else withoutFile.add(`${name}_FILE`);
    }
  const others = [...known].filter((name) => !name.startsWith('RAGWARDEN_'));
  const problems: Problem[] = [];
  const notices: Problem[] = [];
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || known.has(name)) continue;
    if (withoutFile.has(name)) {
      const told = { place: name, message: 'is not read: only secrets have a name that ends in _FILE' };
      const mend = `Set ${name.slice(0, -'_FILE'.length)} itself.`;
      (name.startsWith('RAGWARDEN_') ? problems : notices).push({ ...told, mend });
    } else if (name.startsWith('RAGWARDEN_')) {
      const nearest = findNearestName(name, known);
      problems.push({
        place: name,
        message: 'is not a setting',
        mend: nearest ? `Did you mean ${nearest}?` : 'Remove it.',
      });
    } else if (name.length >= leastLength && value !== '' && !foreignNames.has(name)) {
      const nearest = findNearestName(name, others, 2);
      if (nearest)
        notices.push({
          place: name,
          message: `is not a setting, but looks like ${nearest}`,
          mend: `If ${nearest} is meant, write it so.`,
        });
    }
  }
  return { problems, notices };
}
