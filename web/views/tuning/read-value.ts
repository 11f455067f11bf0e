import type { AdviceProposal, ParameterInfo, TuningValue } from '../../api/tuning-wire.ts';
import { formatBytes, formatCount, formatPercent } from '../../format.ts';

/** What a person typed, as the API takes it; an empty field takes the value away. What is no value is left to the server to judge. */
export function readTyped({ type }: Pick<ParameterInfo, 'type'>, typed: string): TuningValue {
  const text = typed.trim();
  if (text === '') return null;
  if (type === 'boolean') return text === 'true' ? true : text === 'false' ? false : text;
  return (type === 'integer' || type === 'number') && Number.isFinite(Number(text)) ? Number(text) : text;
}

export const shown = (value: TuningValue): string => (value === null ? '—' : String(value));

/** What it may be, in a few words. */
export function boundsOf({ type, minimum, maximum, choices }: ParameterInfo): string {
  if (choices !== null) return choices.join(', ');
  if (type === 'boolean') return 'true or false';
  return type === 'text' ? 'text' : `${minimum} to ${maximum}`;
}

/** What changing it asks of the index that is there. */
export const costOf: Readonly<Record<string, string>> = {
  safe: 'a restart',
  'new-documents': 'new documents only',
  're-embed': 'every vector anew',
  're-extract': 'every document anew',
  never: 'another index',
  hint: 'nothing: a hint',
};

/** A figure that a proposal rests on, in its unit. */
export function figureOf({ value, unit }: Pick<AdviceProposal['evidence'][number], 'value' | 'unit'>): string {
  if (typeof value !== 'number') return shown(value);
  switch (unit) {
    case 'ms':
      return value < 1_000 ? `${Math.round(value)} ms` : `${Math.round(value / 100) / 10} s`;
    case 'share':
      return formatPercent(value * 100);
    case 'bytes':
      return formatBytes(value);
    default:
      return formatCount(Math.round(value * 100) / 100);
  }
}
