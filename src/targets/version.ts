/** The numbers of a version such as `1.5.7` or `1.4.9.8`; undefined when it does not begin with a number. */
export function parseVersion(version: string | undefined): readonly number[] | undefined {
  const match = version === undefined ? null : /^v?(\d+(?:\.\d+)*)/.exec(version.trim());
  return match?.[1]?.split('.').map(Number);
}

/** Is `version` at least `least`? Undefined when the version is not known. */
export function isAtLeast(version: string | undefined, least: string): boolean | undefined {
  const have = parseVersion(version);
  const want = parseVersion(least);
  if (!have || !want) return undefined;
  for (let i = 0; i < Math.max(have.length, want.length); i += 1) {
    const difference = (have[i] ?? 0) - (want[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

/**
 * LightRAG replaces its files by rename since 1.5.0; before, it rewrites them in place, so that a copy may be torn and a
 * hard link would be rewritten with the original. An unknown version counts as in place.
 */
export const replacesFilesByRename = (coreVersion: string | undefined): boolean =>
  isAtLeast(coreVersion, '1.5.0') === true;
