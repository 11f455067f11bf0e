import type { CheckResult, HealthWord } from '../health-check.ts';
import { rankOf } from '../health-check.ts';
import type { KeyProbe, RedisCounters } from './redis-look.ts';

export type RedisInfo = ReadonlyMap<string, string>;

/** `name:value` lines, sections and blanks left out. */
export const readInfo = (info: string): RedisInfo =>
  new Map(
    info.split(/\r?\n/).flatMap((line): [string, string][] => {
      const colon = line.indexOf(':');
      return line.startsWith('#') || colon < 1 ? [] : [[line.slice(0, colon), line.slice(colon + 1)]];
    }),
  );

export type RedisSeen = {
  readonly info: RedisInfo;
  readonly pingSeconds: number;
  readonly probe: KeyProbe;
  readonly before: RedisCounters | undefined;
};

const slowSeconds = 0.1;
/** Of `maxmemory`: a Redis that evicts nothing will soon refuse writes. */
const nearlyFull = 0.9;

type Finding = { readonly word: HealthWord; readonly text: string; readonly blocks?: CheckResult['blocks'] };

/** The state of a Redis that answers; LightRAG keeps its records there without any life time, as the only copy. */
export function judgeRedis(seen: RedisSeen): {
  readonly result: Omit<CheckResult, 'atMs'>;
  readonly counters: RedisCounters;
} {
  const { info, pingSeconds, probe, before } = seen;
  const number = (name: string): number => Number(info.get(name) ?? 0) || 0;
  const counters: RedisCounters = {
    runId: info.get('run_id') ?? '',
    ...{ hits: number('keyspace_hits'), misses: number('keyspace_misses') },
    ...{ evicted: number('evicted_keys'), commands: number('total_commands_processed') },
    probed: 'seconds' in probe,
  };
  // Started again meanwhile, it counts anew.
  const since = before?.runId === counters.runId ? before : undefined;
  const limit = number('maxmemory');
  const used = number('used_memory');
  // 0 is no limit, of which nothing can be a share.
  const share = limit > 0 ? used / limit : null;
  const operationSeconds = 'seconds' in probe ? probe.seconds : null;
  const findings = [...judgeEviction(info, counters, since), ...judgeWrites(info, probe)];
  // What refuses writes already need not be told that it soon will.
  if (!('refusal' in probe)) findings.push(...judgeMemory(info, share));
  if (pingSeconds >= slowSeconds || (operationSeconds ?? 0) >= slowSeconds)
    findings.push({
      word: 'degraded',
      text: `A key takes ${Math.max(pingSeconds, operationSeconds ?? 0).toFixed(2)} s.`,
    });
  const status = findings.reduce<HealthWord>(
    (worst, { word }) => (rankOf(word) > rankOf(worst) ? word : worst),
    'healthy',
  );
  const blocks = [...new Set(findings.flatMap((finding) => finding.blocks ?? []))];
  const ms = Math.round(pingSeconds * 10_000) / 10;
  // The key of the look before was got once, after its counters were read.
  const ours = since?.probed ? 1 : 0;
  const hits = Math.max(0, counters.hits - (since?.hits ?? 0) - ours);
  const misses = counters.misses - (since?.misses ?? 0);
  const shareOf = (part: number): number | null => (hits + misses === 0 ? null : rounded(part / (hits + misses)));
  return {
    counters,
    result: {
      status,
      message:
        findings.map(({ text }) => text).join(' ') || `Redis ${info.get('redis_version') ?? ''} answers in ${ms} ms.`,
      observedValue: ms,
      observedUnit: 'ms',
      ...(blocks.length > 0 ? { blocks } : {}),
      checks: {
        connection: { status: 'healthy', ping_time: rounded(pingSeconds) },
        performance: {
          status: operationSeconds === null ? 'unhealthy' : operationSeconds >= slowSeconds ? 'degraded' : 'healthy',
          operation_time: operationSeconds === null ? null : rounded(operationSeconds),
        },
      },
      metrics: {
        memory: {
          used_memory_mb: mebibytes(used),
          max_memory_mb: mebibytes(limit),
          memory_utilization: share === null ? null : rounded(share),
        },
        performance: {
          hit_rate: shareOf(hits),
          miss_rate: shareOf(misses),
          total_operations: counters.commands,
        },
        keys: {
          evicted: counters.evicted,
          connected_clients: number('connected_clients'),
        },
      },
      details: {
        version: info.get('redis_version') ?? null,
        role: info.get('role') ?? null,
        maxmemory_policy: info.get('maxmemory_policy') ?? null,
        persistence: info.get('aof_enabled') === '1' ? 'append-only file' : 'snapshots, if any',
      },
    },
  };
}

function judgeEviction(info: RedisInfo, counters: RedisCounters, since: RedisCounters | undefined): Finding[] {
  const policy = info.get('maxmemory_policy') ?? 'unknown';
  const findings: Finding[] = [];
  if (policy.startsWith('allkeys-'))
    findings.push({
      word: 'critical',
      text: `maxmemory-policy is ${policy}: when memory is short it deletes any key, and with it documents, silently. Set noeviction.`,
    });
  // Keys with a life of their own may go; nobody can tell from here which ones went.
  const evicted = since === undefined ? 0 : counters.evicted - since.evicted;
  if (evicted > 0)
    findings.push({ word: 'critical', text: `It deleted ${evicted} keys for want of memory since the last look.` });
  return findings;
}

function judgeWrites(info: RedisInfo, probe: KeyProbe): Finding[] {
  const findings: Finding[] = [];
  if ('refusal' in probe) findings.push({ word: 'unhealthy', text: probe.refusal, blocks: ['ingest'] });
  if (info.get('role') === 'slave' && info.get('master_link_status') === 'down')
    findings.push({ word: 'degraded', text: 'It is a replica and has lost its primary.' });
  if (info.get('rdb_last_bgsave_status') === 'err' || info.get('aof_last_write_status') === 'err')
    findings.push({
      word: 'degraded',
      text: 'Its last write to disk failed: a restart loses what came since.',
    });
  return findings;
}

function judgeMemory(info: RedisInfo, share: number | null): Finding[] {
  const policy = info.get('maxmemory_policy') ?? '';
  if (share === null || share <= nearlyFull || policy.startsWith('allkeys-')) return [];
  return [
    {
      word: 'degraded',
      text: `${Math.round(share * 100)} % of maxmemory is in use: it will soon refuse writes.`,
    },
  ];
}

const rounded = (value: number): number => Math.round(value * 1e5) / 1e5;
const mebibytes = (bytes: number): number => Math.round((bytes / 2 ** 20) * 100) / 100;
