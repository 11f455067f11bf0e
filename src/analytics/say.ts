const scales = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** A figure with its unit, as people read it. */
export function sayAmount(value: number, unit: string): string {
  if (unit === 'bytes') {
    let scaled = value;
    let at = 0;
    while (Math.abs(scaled) >= 1_024 && at < scales.length - 1) {
      scaled /= 1_024;
      at += 1;
    }
    return `${shortly(scaled)} ${scales[at]}`;
  }
  if (unit === 'percent') return `${shortly(value)} %`;
  return unit === 'unknown' || unit === '' ? shortly(value) : `${shortly(value)} ${unit}`;
}

/** Three digits that count. */
export function shortly(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  return size >= 100
    ? Math.round(value).toLocaleString('en-US')
    : size === 0
      ? '0'
      : String(Number(value.toPrecision(3)));
}

export function sayHours(hours: number): string {
  if (hours < 1) return `${Math.max(1, Math.round(hours * 60))} min`;
  if (hours < 48) return `${shortly(Math.round(hours * 10) / 10)} h`;
  return `${Math.round(hours / 24)} days`;
}
