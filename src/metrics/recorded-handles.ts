import { CounterHandle, DistributionHandle, LevelHandle } from './handles.ts';
import type { LabelNames } from './label-names.ts';
import { findLabelsProblem, type Labels } from './metric-definition.ts';
import type { Family } from './series.ts';

export type RecordedHandle = CounterHandle | LevelHandle | DistributionHandle;

/** Of the look-up that is under way: nothing is allocated to find a series. */
const written: string[] = [];

/**
 * The handle of a series by its labels as somebody writes them. Undefined when there is none, and when names come in this order for the
 * first time.
 */
export function findHandle(family: Family, labels: Labels): RecordedHandle | undefined {
  let step = family.names.start;
  let count = 0;
  for (const name in labels) {
    const value = labels[name];
    if (typeof value !== 'string') return undefined;
    // Empty is the same as not there.
    if (value === '') continue;
    const next = step.find(name);
    if (next === undefined) return undefined;
    step = next;
    written[count] = value;
    count += 1;
  }
  const names = step.written;
  // Families of recorded metrics hold no other kinds.
  return names && (family.find(names.known, written, names.order) as RecordedHandle | undefined);
}

/** The handle of a series, made at first use, or what is wrong with its labels. */
export function handleIn(family: Family, labels: Labels): RecordedHandle | string {
  const problem = findLabelsProblem(labels);
  if (problem !== undefined) return problem;
  const { given, known, values } = sortedLabels(family, labels);
  const handle = family.handleFor(
    values,
    (slot): RecordedHandle => {
      if (family.definition.type === 'counter') return new CounterHandle(family, slot);
      return family.definition.type === 'gauge' ? new LevelHandle(family, slot) : new DistributionHandle(family, slot);
    },
    known,
  );
  if (!sharesOverflow(handle, labels)) family.names.remember(given, known);
  return handle;
}

/** Ends the series of these labels, if there is one. */
export function removeSeries(family: Family, labels: Labels): void {
  const { known, values } = sortedLabels(family, labels);
  family.remove(family.find(known, values)?.slot ?? 0);
}

/** The labels that are there, with their names in the order in which a series has them. */
function sortedLabels(
  family: Family,
  labels: Labels,
): { given: readonly string[]; known: LabelNames; values: readonly string[] } {
  const given = Object.keys(labels).filter((name) => labels[name] !== '');
  const known = family.names.of([...given].sort());
  return { given, known, values: known.names.map((name) => labels[name]!) };
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
