import type { BackupSchedule } from '../backup/index.ts';
import type { GraphFacts, SystemFacts } from '../health/index.ts';
import { boundedOperations } from '../operations/index.ts';
import { productVersion } from '../platform/product-version.ts';
import type { WatchedTarget } from '../targets/index.ts';
import type { DocumentWiring } from './document-wiring.ts';
import { countsOfGraph } from './event-metrics.ts';
import type { Ground } from './ground.ts';
import type { TrafficWiring } from './traffic-wiring.ts';
import type { Watching } from './watching.ts';

type Slices = Pick<Watching, 'targets' | 'inspections' | 'sizes' | 'sampler'> &
  Pick<DocumentWiring, 'endpoints' | 'documents'> &
  Pick<TrafficWiring, 'traffic'> & { readonly schedule: BackupSchedule; readonly startedMs: number };

/** What the health dashboard tells of each workspace: as it was last seen, nothing is looked at for it. */
export function graphFacts(ground: Ground, slices: Slices): readonly GraphFacts[] {
  const [first] = slices.targets;
  if (!first) return [];
  const all = [first, ...slices.endpoints];
  return all.map((watched) => factsOf(ground, slices, first, watched, all.length === 1));
}

function factsOf(
  ground: Ground,
  slices: Slices,
  first: WatchedTarget,
  watched: WatchedTarget,
  isOnly: boolean,
): GraphFacts {
  const targetId = first.target.id;
  const workspace = watched.target.workspaces[0] ?? '';
  const seen = watched.observation();
  const { word, reasons } = watched.status();
  const report = slices.documents.map(({ watch }) => watch.report()).find((one) => one.workspace === workspace);
  const stuck = watched.stuck();
  // Files are looked into for the first workspace alone.
  const inspected = watched === first ? slices.inspections.last(targetId) : undefined;
  const { kind } = first.target;
  const folders = slices.sizes
    .sizes(targetId)
    // The one graph of a target without workspaces is all of its folders.
    .filter(({ store }) => (kind === 'lightrag' ? store === 'workspace' : store !== 'inputs'));
  const backup = ground.config.backup.enabled ? slices.schedule.lastStatus(targetId) : undefined;
  return {
    graphId: workspace === '' || isOnly ? targetId : `${targetId}:${workspace}`,
    ...{ targetId, workspace, status: word, reasons },
    ...{ observedAtMs: seen?.atMs, latencyMs: seen?.latencyMs, documents: seen?.documents, pipeline: seen?.pipeline },
    stuck: stuck && {
      ...stuck,
      listed: (report?.stuck?.listed ?? [])
        .slice(0, 100)
        .map(({ id, status, updatedMs }) => ({ id, status, updatedAt: new Date(updatedMs).toISOString() })),
    },
    audit: inspected && {
      ...{ verdict: inspected.audit.verdict, atMs: inspected.atMs, counts: inspected.audit.counts },
      dangling: Object.fromEntries(
        Object.entries(inspected.audit.dangling).flatMap(([name, { count }]) => (count > 0 ? [[name, count]] : [])),
      ),
    },
    sizeBytes: watched === first && folders.length > 0 ? folders.reduce((sum, { bytes }) => sum + bytes, 0) : undefined,
    backup: backup && { newestVerifiedMs: backup.newestVerified?.takenMs, objectiveMet: backup.rpo.met },
  };
}

/** What the routes of document 002 tell beside the checks. */
export async function systemFacts(ground: Ground, slices: Slices): Promise<SystemFacts> {
  const { config, clock, operations } = ground;
  const [first] = slices.targets;
  const sample = slices.sampler.latest();
  const recent = await operations.list({ limit: 10 });
  return {
    version: productVersion(),
    environment: config.profile,
    uptimeSeconds: Math.round((clock.now() - slices.startedMs) / 1_000),
    resources: sample && {
      ...{ cpuPercent: sample.cpu.percent, memoryPercent: sample.memory.percent },
      diskPercent: (sample.dataDisk ?? sample.rootDisk)?.percent,
    },
    folderConfigured: first?.target.stores.some(({ kind }) => kind === 'workspace-folder') ?? false,
    ...countsOfGraph(first && slices.inspections.lastOf(first.target.id)),
    queries: slices.traffic.totals.of('query').count,
    operations: await boundedOperations(ground.db).measure(),
    recentOperations: recent.map(({ id, kind, state, createdMs, targetId }) => ({
      ...{ id, kind, state, atMs: createdMs, targetId: targetId ?? null },
    })),
  };
}
