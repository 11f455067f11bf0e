import { type Family, histogramCount } from './series.ts';

export type ExpositionFormat = 'text' | 'openmetrics';

/** Exactly what the formats' own documents name. */
export const expositionContentType: Readonly<Record<ExpositionFormat, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

/**
 * OpenMetrics 1.0 where the caller prefers it at least as much as plain text, else the text format, which every scraper reads.
 * @param accept the header as it came; undefined when there was none
 */
export function chooseExposition(accept: string | undefined): ExpositionFormat {
  let openmetrics = 0;
  let text = 0;
  for (const range of (accept ?? '').toLowerCase().split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim());
    const parameter = (name: string): string | undefined =>
      parameters
        .find((p) => p.startsWith(`${name}=`))
        ?.slice(name.length + 1)
        .replaceAll('"', '');
    const quality = Number(parameter('q') ?? '1');
    if (!(quality > 0)) continue;
    const version = parameter('version');
    if (type === 'application/openmetrics-text' && (version === undefined || version === '1.0.0'))
      openmetrics = Math.max(openmetrics, quality);
    if (type === 'text/plain') text = Math.max(text, quality);
  }
  return openmetrics > 0 && openmetrics >= text ? 'openmetrics' : 'text';
}

export const expositionEnd: Readonly<Record<ExpositionFormat, string>> = { text: '', openmetrics: '# EOF\n' };

/** The families as one document; HELP and TYPE stand once per family, also for one without samples. */
export function renderExposition(families: readonly Family[], format: ExpositionFormat): string {
  let out = '';
  for (const family of families) out += renderFamily(family, format);
  return `${out}${expositionEnd[format]}`;
}

export function renderFamily(family: Family, format: ExpositionFormat): string {
  const { name, help, type, unit } = family.definition;
  const open = format === 'openmetrics';
  // OpenMetrics names a counter without the suffix that its samples carry.
  const head = open && type === 'counter' ? name.slice(0, -'_total'.length) : name;
  let out = `# HELP ${head} ${escapeHelp(help, open)}\n# TYPE ${head} ${type === 'unknown' && !open ? 'untyped' : type}\n`;
  if (open && unit !== undefined && head.endsWith(`_${unit}`)) out += `# UNIT ${head} ${unit}\n`;
  for (const slot of family.slotsInOrder()) {
    if (family.present[slot] === 0) continue;
    const labels = family.labelTextOf(slot, () => renderLabels(family, slot));
    out +=
      type === 'histogram'
        ? renderHistogram(family, slot, labels, open)
        : `${name}${labels === '' ? '' : `{${labels}}`} ${formatValue(exposed(family, slot))}\n`;
  }
  return out;
}

function renderHistogram(family: Family, slot: number, labels: string, open: boolean): string {
  const { name, bounds } = family.definition;
  const lead = labels === '' ? '' : `${labels},`;
  const base = slot * (bounds.length + 1);
  let out = '';
  let cumulative = 0;
  for (let i = 0; i < bounds.length; i += 1) {
    cumulative += family.buckets[base + i]!;
    out += `${name}_bucket{${lead}le="${formatBound(bounds[i]!, open)}"} ${cumulative}\n`;
  }
  const count = histogramCount(family, slot);
  const braces = labels === '' ? '' : `{${labels}}`;
  return `${out}${name}_bucket{${lead}le="+Inf"} ${count}\n${name}_sum${braces} ${formatValue(exposed(family, slot))}\n${name}_count${braces} ${count}\n`;
}

function renderLabels(family: Family, slot: number): string {
  const flat = family.labelsOf(slot);
  let out = '';
  for (let i = 0; i < flat.length; i += 2)
    out += `${i === 0 ? '' : ','}${flat[i]}="${escapeLabelValue(flat[i + 1] ?? '')}"`;
  return out;
}

const exposed = (family: Family, slot: number): number => {
  const { scale } = family.definition;
  return scale === undefined ? family.values[slot]! : family.values[slot]! * scale;
};

export function formatValue(value: number): string {
  if (Number.isFinite(value)) return String(value);
  if (Number.isNaN(value)) return 'NaN';
  return value > 0 ? '+Inf' : '-Inf';
}

/** OpenMetrics wants bounds as floats, `1.0`; the text format has always said `1`. */
export const formatBound = (bound: number, open: boolean): string =>
  open && Number.isInteger(bound) ? `${formatValue(bound)}.0` : formatValue(bound);

const escapeLabelValue = (value: string): string =>
  /["\\\n]/.test(value) ? value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"') : value;

const escapeHelp = (help: string, open: boolean): string => {
  const escaped = help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return open ? escaped.replaceAll('"', '\\"') : escaped;
};
