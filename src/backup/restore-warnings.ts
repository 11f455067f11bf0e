import type { AuditReport, Observation } from '../targets/index.ts';
import type { Manifest } from './manifest.ts';
import type { RecoveryPoint } from './point.ts';
import type { LeftAlone, RestorePart } from './restore-parts.ts';

/** What an operator should know before a point goes back; none of it stands in the way of a restore. */
export function restoreWarnings(
  manifest: Manifest,
  now: Pick<Observation, 'coreVersion'> | undefined,
  point: Pick<RecoveryPoint, 'verifiedMs'>,
  parts: readonly Pick<RestorePart, 'component'>[],
  leftAlone: readonly LeftAlone[],
): string[] {
  const warnings: string[] = [];
  if (manifest.partial)
    warnings.push(
      `The point is partial: ${manifest.missing.map((one) => `${one.name} (${one.reason})`).join(', ') || 'some files are not in it'}.`,
    );
  if (
    manifest.target.core_version !== null &&
    now?.coreVersion !== undefined &&
    now.coreVersion !== manifest.target.core_version
  )
    warnings.push(`The point was taken from version ${manifest.target.core_version}; ${now.coreVersion} runs now.`);
  if (point.verifiedMs === null) warnings.push('The point was never verified.');
  // Our own state never goes back by a restore, which the plan says and nobody need be warned of.
  for (const { name, reason } of leftAlone)
    if (name !== 'ragwarden-state') warnings.push(`${name} is left alone: ${reason}.`);
  for (const { component } of parts)
    for (const file of component.damaged)
      warnings.push(`${component.name}: ${file.path} was damaged when it was captured (${file.reason}).`);
  // The audit is of the stores of the workspace, in its files and in databases.
  const audited = new Set(['workspace', 'project', ...Object.values(manifest.content_stores ?? {})]);
  if (!parts.some(({ component }) => audited.has(component.name))) return warnings;
  const faults = manifest.content_faults ?? [];
  for (const fault of faults) warnings.push(`When the point was taken: ${fault.message}`);
  const audit = manifest.content_audit;
  // What was missing while documents were worked on is no fault of its time, and yet is missing after a restore.
  const isTold = faults.some(({ code }) => code.endsWith('-missing') && code !== 'file-missing');
  if (audit?.verdict === 'damaged' && !isTold) warnings.push(damageOf(audit));
  return warnings;
}

/** One line, however much it is; the manifest names up to twenty ids of each kind. */
function damageOf({ dangling }: AuditReport): string {
  const found = Object.entries(dangling)
    .filter(([, { count }]) => count > 0)
    .map(([name, { count, examples }]) => {
      const named = examples.slice(0, 3).join(', ');
      return `${count} ${name.replaceAll('_', ' ')}${named === '' ? '' : ` (${named}${count > 3 ? ', …' : ''})`}`;
    });
  return `The stores of this point do not belong together: ${found.join('; ')}.`;
}
