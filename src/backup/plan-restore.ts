import { readdir } from 'node:fs/promises';
import { systemCode } from '../platform/errors.ts';
import type { BackupDeps, ProtectedTarget } from './backup-deps.ts';
import { foldingBytes } from './fold-component.ts';
import type { RecoveryPoint } from './point.ts';
import type { PreparedRestore } from './prepare-restore.ts';
import { incomingOf, planSwap, surveyFolder } from './restore/index.ts';
import { isAside, type RestoreOptions, settleOptions } from './restore-options.ts';
import { decideParts, type FilesPart, type RestorePart } from './restore-parts.ts';
import {
  type ComponentReport,
  planIdOf,
  type RestorePlanReport,
  reportFiles,
  reportStore,
} from './restore-plan-report.ts';
import { restoreWarnings } from './restore-warnings.ts';

/** What a restore would do, without doing anything. */
export async function planRestore(
  deps: Pick<BackupDeps, 'requireTarget'>,
  point: RecoveryPoint,
  prepared: PreparedRestore,
  wanted: RestoreOptions = {},
): Promise<RestorePlanReport> {
  const guarded = deps.requireTarget(point.targetId);
  const { manifest } = prepared;
  const options = settleOptions(wanted, manifest);
  const { parts, leftAlone } = decideParts({
    guarded,
    manifest,
    options,
    entries: prepared.entries,
    operationId: 'plan',
    takenMs: point.takenMs,
  });
  const components: ComponentReport[] = [];
  for (const part of parts) components.push(await planPart(part, options, point));
  const now = await guarded.observe();
  const stops = needsStop(guarded, options, parts);
  const nothing = parts.length === 0 ? ['nothing of the point is to be restored'] : [];
  return {
    plan_id: planIdOf(point.id, options, components),
    backup_id: point.id,
    target_id: point.targetId,
    taken_at: manifest.taken_at,
    grade: point.grade,
    scope: {
      workspace: options.workspace ?? null,
      as_workspace: options.asWorkspace ?? null,
      aside: isAside(options),
    },
    components,
    left_alone: leftAlone.map((one) => ({ ...one })),
    backend: { automatic: guarded.lifecycle.automatic, stopped: stops, ...guarded.lifecycle.describe },
    versions: { point: manifest.target.core_version, now: now?.coreVersion ?? null },
    steps: stepsOf(guarded, options, parts, stops),
    warnings: [
      ...restoreWarnings(manifest, now, point, parts, leftAlone),
      ...components.flatMap((one) => one.warnings.map((warning) => `${one.name}: ${warning}`)),
    ],
    blockers: [...nothing, ...components.flatMap((one) => one.blockers.map((blocker) => `${one.name}: ${blocker}`))],
    needs: ['confirm'],
  };
}

/** A backend that serves what is exchanged must not run meanwhile; one beside it may. */
export function needsStop(guarded: ProtectedTarget, options: RestoreOptions, parts: readonly RestorePart[]): boolean {
  if (isAside(options) || parts.length === 0) return false;
  const name = options.asWorkspace ?? options.workspace;
  return name === undefined || guarded.target.workspaces.includes(name);
}

async function planPart(part: RestorePart, options: RestoreOptions, point: RecoveryPoint): Promise<ComponentReport> {
  if (part.kind === 'store')
    return reportStore(part.component, await part.restorer.plan(part.request, new AbortController().signal));
  if (isAside(options)) return planAside(part, point);
  const survey = await surveyFolder(part.folder, point.takenMs, { keep: part.keep });
  return reportFiles(part.component, planSwap(survey, incomingPart(part), part.keep));
}

const incomingPart = (part: FilesPart): ReturnType<typeof incomingOf> => {
  const incoming = incomingOf(part.entries);
  return { ...incoming, spaceBytes: incoming.spaceBytes + foldingBytes(part.component, part.entries) };
};

/** Beside the live data nothing is replaced: the place must be new or empty. */
async function planAside(part: FilesPart, point: RecoveryPoint): Promise<ComponentReport> {
  const survey = await surveyFolder(part.folder, point.takenMs);
  const report = reportFiles(part.component, planSwap(survey, incomingPart(part), []));
  const names = await readdir(part.folder).catch((err: unknown) => {
    if (systemCode(err) === 'ENOENT') return [];
    throw err;
  });
  return names.length === 0
    ? report
    : { ...report, blockers: [...report.blockers, `${part.folder} is not empty; name a folder that is`] };
}

function stepsOf(
  guarded: ProtectedTarget,
  options: RestoreOptions,
  parts: readonly RestorePart[],
  stops: boolean,
): string[] {
  if (isAside(options))
    return ['bring the point beside the live data and compare every digest', 'leave everything that lives as it is'];
  const { describe } = guarded.lifecycle;
  const stores = parts.flatMap((part) => (part.kind === 'store' ? [part.component.name] : []));
  const files = parts.some((part) => part.kind === 'files');
  return [
    'take a safety point of the present state',
    ...(stores.length > 0 ? [`fill ${stores.join(' and ')} beside the present data and count what is there`] : []),
    ...(stops ? [describe.stop] : []),
    ...(files
      ? [
          'bring the point beside the present data and compare every digest',
          'move the present data aside and the point in, under a journal',
        ]
      : []),
    ...(stores.length > 0 ? [`exchange ${stores.join(' and ')}, keeping the old state`] : []),
    files ? 'compare every digest again' : 'count everything again',
    ...(stops ? [describe.start, 'look at the backend and count its documents'] : []),
  ];
}
