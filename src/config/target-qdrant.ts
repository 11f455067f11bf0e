import type { SettingValues } from './settings.ts';

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

export function buildTargetQdrant(values: SettingValues): TargetQdrant | undefined {
  if (values.qdrantUrl === undefined) return undefined;
  return {
    url: values.qdrantUrl,
    apiKey: values.qdrantApiKey,
    workspace: values.qdrantWorkspace ?? values.workspace,
    collections: values.qdrantCollections,
    timeoutMs: values.qdrantTimeoutSeconds * 1000,
  };
}
