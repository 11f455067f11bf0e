import { findLabelsProblem, type Labels } from './metric-definition.ts';
import { CounterHandle, DistributionHandle, type Family, LevelHandle } from './series.ts';

export type RecordedHandle = CounterHandle | LevelHandle | DistributionHandle;

/** The handle of a series, or what is wrong with its labels. */
export function handleIn(family: Family, labels: Labels): RecordedHandle | string {
  const problem = findLabelsProblem(labels);
  if (problem !== undefined) return problem;
  const flat: string[] = [];
  for (const name of Object.keys(labels).sort()) if (labels[name] !== '') flat.push(name, labels[name]!);
  return family.handleFor(flat, (slot): RecordedHandle => {
    if (family.definition.type === 'counter') return new CounterHandle(family, slot);
    return family.definition.type === 'gauge' ? new LevelHandle(family, slot) : new DistributionHandle(family, slot);
  });
}

/** Whether the handle is not of these labels alone, since there are too many series. */
export function sharesOverflow({ family, slot }: RecordedHandle, labels: Labels): boolean {
  if (slot === 0) return true;
  const flat = family.labelsOf(slot);
  return flat[0] === 'overflow' && flat.length === 2 && labels.overflow === undefined;
}

/** Whether the labels of a series, names and values by turns, hold these. */
export function holdsFlat(flat: readonly string[], labels: Labels): boolean {
  return Object.entries(labels).every(([name, value]) => {
    for (let i = 0; i < flat.length; i += 2) if (flat[i] === name) return flat[i + 1] === value;
    return false;
  });
}
