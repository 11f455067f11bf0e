import { createHash } from 'node:crypto';
import { type PointRehearsal, type RecoveryPoint, rehearsePoint, renderManifest } from '../backup/index.ts';
import type { OperationContext } from '../operations/index.ts';
import { isoInstant } from '../platform/clock.ts';
import { AppError, describeError, isAppError } from '../platform/errors.ts';
import { type PlantedDamage, plantAndLook } from './chaos.ts';
import { type CheckCommandResult, runCheckCommand } from './check-command.ts';
import { type Drill, type DrillVerdict, decideVerdict, measuredRtoMs, rtoLeavesOut } from './drill.ts';
import type { DrillDeps, DrillTarget } from './drill-deps.ts';
import { type Evidence, sealEvidence } from './evidence.ts';
import { freeBytesAt, makeScratch, neededBytes, removeTree, requireRoom, scratchOf } from './scratch.ts';

export type DrillRun = { readonly drill: Drill; readonly evidence: Evidence };

/** How often the free space is looked at and the lease renewed while a drill runs. */
const watchMs = 5_000;

type Outcome = {
  readonly verdict: DrillVerdict;
  readonly reasons: readonly string[];
  readonly rehearsal: PointRehearsal | undefined;
  readonly check: CheckCommandResult | undefined;
  readonly damages: readonly PlantedDamage[] | undefined;
};

/**
 * One drill from the empty scratch folder to the removed one. It comes to a verdict whatever happens: what kept it from being done is
 * the verdict `error` with its reason, a repository that is damaged the verdict `failed`. @throws the reason of the context's signal: cancelled, or the process stops
 */
export async function runDrill(
  deps: DrillDeps,
  facts: { drill: Drill; point: RecoveryPoint; chosen: string; target: DrillTarget; held: () => Promise<boolean> },
  context: OperationContext,
): Promise<DrillRun> {
  const { drill, point } = facts;
  const { clock } = deps;
  const audit = await deps.auditHead();
  const previous = await deps.drills.lastEvidence();
  const limits = deps.limits();
  const ended = new AbortController();
  const over = new AbortController();
  const signal = AbortSignal.any([context.signal, ended.signal]);
  const watching = watchOver(deps, { ended, over: over.signal, timeLimitMs: limits.timeLimitMs, held: facts.held });
  let outcome: Outcome;
  try {
    outcome = await rehearse(deps, facts, { ...context, signal });
  } catch (err) {
    // Asked for from outside: that is how the operation ends, and no finding.
    if (context.signal.aborted) throw err;
    const cause = signal.aborted && !isAppError(err) ? signal.reason : err;
    context.log.warn({ err: cause, drill: drill.id }, 'a drill could not be done');
    const told = isAppError(cause) ? `${cause.code}: ${cause.detail}` : describeError(cause);
    // Even the manifest did not come out: of such a point nothing could be restored.
    const damaged = drill.kind === 'restore' && isAppError(cause) && cause.code === 'repository/damaged';
    const verdict = damaged ? 'failed' : 'error';
    outcome = { verdict, reasons: [told], rehearsal: undefined, check: undefined, damages: undefined };
  } finally {
    over.abort();
    await watching;
    await context.phase('removing').catch(() => undefined);
    await removeTree(scratchOf(limits.scratchDir, drill.id));
  }
  await deps.step('drill:removed');
  const phases = outcome.rehearsal?.phases ?? [];
  const done: Drill = {
    ...drill,
    finishedMs: clock.now(),
    verdict: outcome.verdict,
    reasons: outcome.reasons,
    phases,
    // A damaged copy, or half of one, measures nothing.
    rtoMs: outcome.verdict === 'passed' && drill.kind === 'restore' ? measuredRtoMs(phases) : null,
    bytes: outcome.rehearsal ? outcome.rehearsal.components.reduce((sum, one) => sum + one.bytes, 0) : null,
    files: outcome.rehearsal ? outcome.rehearsal.components.reduce((sum, one) => sum + one.files, 0) : null,
  };
  // Only the evidence lacks them when the tool went away meanwhile.
  const tools = await deps.toolVersions().catch(() => ({}));
  const evidence = writeEvidence(deps, { tools, drill: done, point, chosen: facts.chosen, outcome, audit, previous });
  return { drill: { ...done, evidenceSha256: evidence.sha256 }, evidence };
}

async function rehearse(
  deps: DrillDeps,
  { drill, point, target }: Parameters<typeof runDrill>[1],
  context: OperationContext,
): Promise<Outcome> {
  const limits = deps.limits();
  deps.requireSpace('a drill');
  const scratchDir = await makeScratch(limits.scratchDir, drill.id);
  requireRoom({
    freeBytes: await freeBytesAt(scratchDir),
    // A chaos drill also keeps a small repository of its own.
    neededBytes: neededBytes(point.manifest?.components ?? [{ bytes: point.logicalBytes }]),
    keepFreeBytes: limits.minFreeBytes,
    at: limits.scratchDir,
  });
  await deps.step('drill:begun');
  const rehearsal = await rehearsePoint(deps, {
    pointId: point.id,
    operationId: drill.id,
    scratchDir,
    signal: context.signal,
    restorerOf: (component) => target.restorerOf(component),
    inspect: (folder, options) => target.inspect(folder, context.signal, options),
    phase: (name) => context.phase(name),
    onProgress: (progress) => context.progress(progress),
  });
  const sound = decideVerdict(rehearsal, []);
  if (drill.kind === 'chaos') {
    if (sound.verdict === 'failed')
      return { ...sound, verdict: 'error', rehearsal, check: undefined, damages: undefined };
    await context.phase('damaging');
    const damages = await plantAndLook(deps, {
      rehearsal,
      scratchDir,
      target,
      signal: context.signal,
      drillId: drill.id,
    });
    const unseen = damages.filter((one) => !one.detected);
    const verdict = damages.length === 0 ? 'error' : unseen.length > 0 ? 'failed' : 'passed';
    const reasons =
      damages.length === 0
        ? ['the point holds no files that could be damaged']
        : unseen.map((one) => `nobody noticed: ${one.what} (${one.where})`);
    return { verdict, reasons, rehearsal, check: undefined, damages };
  }
  const command = target.checkCommand;
  if (!command) return { ...sound, rehearsal, check: undefined, damages: undefined };
  await context.phase('validating');
  const check = await runCheckCommand(deps, { command, scratchDir, point, drillId: drill.id, signal: context.signal });
  return {
    ...decideVerdict(rehearsal, check.problem === null ? [] : [check.problem]),
    rehearsal,
    check,
    damages: undefined,
  };
}

/** Ends the drill when it takes too long, when the disk fills, or when somebody else holds its lease. Never rejects. */
async function watchOver(
  deps: DrillDeps,
  facts: { ended: AbortController; over: AbortSignal; timeLimitMs: number; held: () => Promise<boolean> },
): Promise<void> {
  const { clock } = deps;
  const { ended, over, timeLimitMs } = facts;
  const beganMs = clock.monotonic();
  while (!over.aborted && !ended.signal.aborted) {
    const leftMs = timeLimitMs - (clock.monotonic() - beganMs);
    if (leftMs <= 0) {
      ended.abort(
        new AppError(
          'operation/cancelled',
          `The drill took longer than ${Math.round(timeLimitMs / 1000)} seconds (drill.time_limit_seconds) and was ended.`,
        ),
      );
      return;
    }
    if (
      !(await clock.sleep(Math.min(watchMs, leftMs), over).then(
        () => true,
        () => false,
      ))
    )
      return;
    const { scratchDir, minFreeBytes } = deps.limits();
    const free = await freeBytesAt(scratchDir).catch(() => undefined);
    if (free !== undefined && free < minFreeBytes)
      ended.abort(
        new AppError(
          'storage/full',
          `Only ${free} bytes are free in ${scratchDir}, and a drill keeps ${minFreeBytes} free (drill.min_free_bytes); it was ended.`,
        ),
      );
    const held = await facts.held().catch(() => true);
    if (!held)
      ended.abort(new AppError('operation/lease-lost', 'Another instance took the drills of this target over.'));
  }
}

function writeEvidence(
  deps: DrillDeps,
  facts: {
    tools: Readonly<Record<string, string>>;
    drill: Drill;
    point: RecoveryPoint;
    chosen: string;
    outcome: Outcome;
    audit: Evidence['audit'];
    previous: { drillId: string; sha256: string } | undefined;
  },
): Evidence {
  const { drill, point, outcome, audit, previous } = facts;
  const { rehearsal, check, damages } = outcome;
  const manifest = rehearsal?.manifest;
  const objectiveMs = deps.rtoObjectiveMs();
  return sealEvidence({
    format: 'ragwarden-drill-evidence',
    version: 1,
    drill_id: drill.id,
    kind: drill.kind,
    target_id: drill.targetId,
    warden_version: deps.wardenVersion,
    tools: { node: process.versions.node, ...facts.tools },
    requested_by: drill.requestedBy,
    started_at: isoInstant(drill.startedMs),
    finished_at: isoInstant(drill.finishedMs ?? drill.startedMs),
    point: {
      id: point.id,
      chosen: facts.chosen,
      taken_at: manifest?.taken_at ?? isoInstant(point.takenMs),
      grade: manifest?.grade ?? point.grade,
      partial: manifest?.partial ?? null,
      manifest_sha256: manifest ? createHash('sha256').update(renderManifest(manifest)).digest('hex') : null,
      core_version: manifest?.target.core_version ?? null,
      embedding_model: manifest?.target.embedding_model ?? null,
      embedding_dimension: manifest?.target.embedding_dimension ?? null,
    },
    components: (rehearsal?.components ?? []).map((one) => ({
      name: one.name,
      kind: one.kind,
      files: one.files,
      bytes: one.bytes,
      tree_sha256: one.treeSha256,
      counts: one.counts && { ...one.counts },
      expected_counts: one.expectedCounts && { ...one.expectedCounts },
      // JSON by its type; the schema's own JSON type is mutable.
      facts: structuredClone(one.facts) as Evidence['components'][number]['facts'],
      problems: [...one.problems],
      not_rehearsed: one.notRehearsed,
    })),
    phases: (rehearsal?.phases ?? []).map((one) => ({
      name: one.name,
      component: one.component,
      seconds: Math.round(one.ms) / 1000,
      times_in_restore: one.inRestore,
    })),
    rto: {
      measured_seconds: drill.rtoMs === null ? null : Math.round(drill.rtoMs) / 1000,
      objective_seconds: objectiveMs / 1000,
      met: drill.rtoMs === null ? null : drill.rtoMs <= objectiveMs,
      leaves_out: [...rtoLeavesOut],
    },
    check_command: check ? { exit_code: check.exitCode, seconds: Math.round(check.ms) / 1000 } : null,
    damages: damages ? damages.map((one) => ({ ...one })) : null,
    verdict: drill.verdict ?? 'error',
    reasons: [...drill.reasons],
    audit,
    previous: previous ? { drill_id: previous.drillId, sha256: previous.sha256 } : null,
  });
}
