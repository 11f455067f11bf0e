/** What a Redis says of itself that a capture and a restore go by; undefined where it does not tell. */
export type RedisFacts = {
  readonly version: string;
  readonly runId: string;
  readonly role: string;
  readonly cluster: boolean;
  readonly replicationOffset: number | undefined;
  readonly changesSinceSave: number | undefined;
  readonly lastSave: number | undefined;
  readonly usedMemory: number;
  readonly datasetMemory: number | undefined;
  /** 0: no limit. */
  readonly maxMemory: number;
  readonly systemMemory: number | undefined;
  readonly evictionPolicy: string;
  readonly loading: boolean;
};

/** Reads the answer of INFO. */
export function readFacts(info: string): RedisFacts {
  const lines = new Map(
    info.split(/\r?\n/).flatMap((line): [string, string][] => {
      const colon = line.indexOf(':');
      return line.startsWith('#') || colon < 1 ? [] : [[line.slice(0, colon), line.slice(colon + 1)]];
    }),
  );
  const number = (name: string): number | undefined => {
    const text = lines.get(name);
    return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
  };
  return {
    version: lines.get('redis_version') ?? 'unknown',
    runId: lines.get('run_id') ?? 'unknown',
    role: lines.get('role') ?? 'unknown',
    cluster: lines.get('cluster_enabled') === '1',
    replicationOffset: number('master_repl_offset'),
    changesSinceSave: number('rdb_changes_since_last_save'),
    lastSave: number('rdb_last_save_time'),
    usedMemory: number('used_memory') ?? 0,
    datasetMemory: number('used_memory_dataset'),
    maxMemory: number('maxmemory') ?? 0,
    systemMemory: number('total_system_memory'),
    evictionPolicy: lines.get('maxmemory_policy') ?? 'unknown',
    loading: lines.get('loading') === '1',
  };
}

/** What an operator should know of this Redis before trusting it with documents. */
export function findWarnings(facts: RedisFacts): string[] {
  const warnings: string[] = [];
  if (facts.evictionPolicy.startsWith('allkeys-'))
    warnings.push(
      `its eviction policy is ${facts.evictionPolicy}: when memory is short it deletes documents silently; set maxmemory-policy noeviction`,
    );
  if (facts.role === 'slave') warnings.push('it is a replica: what its master has not yet sent is not in the point');
  return warnings;
}
