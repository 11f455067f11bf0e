import type { SettingValues } from './settings.ts';

/** The Redis that the backend keeps its stores in. */
export type TargetRedis = {
  /** Holds a secret. */
  readonly url: string;
  readonly capture: 'auto' | 'replication' | 'keys';
  readonly prefixes: readonly string[];
  /** As its keys name the workspace that the target serves. */
  readonly workspace: string;
};

export function buildTargetRedis(values: SettingValues): TargetRedis | undefined {
  return values.redisUrl === undefined
    ? undefined
    : {
        url: values.redisUrl,
        capture: values.redisCapture,
        prefixes: values.redisPrefixes,
        workspace: values.redisWorkspace ?? values.workspace,
      };
}
