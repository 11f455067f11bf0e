import type { Origins } from './read-config.ts';
import type { SettingValues } from './settings.ts';
import type { Problem } from './settings-file.ts';

/** The Qdrant that the backend keeps its vectors in. */
export type TargetQdrant = {
  readonly url: string;
  /** A secret. */
  readonly apiKey: string | undefined;
  /** As the backend names the workspace that the target serves; '' is the unnamed one. */
  readonly workspace: string;
  /** Further ones, each whole. */
  readonly collections: readonly string[];
  readonly timeoutMs: number;
};

export function buildTargetQdrant(
  values: SettingValues,
  origins: Origins,
  problems: Problem[],
): TargetQdrant | undefined {
  if (values.qdrantUrl === undefined) return undefined;
  const url = new URL(values.qdrantUrl);
  if (url.username !== '' || url.password !== '' || url.search !== '')
    problems.push({
      place: origins.qdrantUrl.place,
      message: 'the URL carries credentials or a query',
      mend: 'Name the key in QDRANT_API_KEY.',
    });
  return {
    url: values.qdrantUrl,
    apiKey: values.qdrantApiKey,
    workspace: values.qdrantWorkspace ?? values.workspace,
    collections: values.qdrantCollections,
    timeoutMs: values.qdrantTimeoutSeconds * 1000,
  };
}
