import type { OtlpAttribute, OtlpNumber, OtlpValue } from './otlp-messages.ts';

/**
 * Names, units and labels of OpenTelemetry as Prometheus writes them (specification: "Prometheus and OpenMetrics compatibility"):
 * `http.server.request.duration` in `s` is `http_server_request_duration_seconds`, a sum that only grows ends with `_total`.
 */
const units: Readonly<Record<string, string>> = {
  d: 'days',
  h: 'hours',
  min: 'minutes',
  s: 'seconds',
  ms: 'milliseconds',
  us: 'microseconds',
  ns: 'nanoseconds',
  By: 'bytes',
  KiBy: 'kibibytes',
  MiBy: 'mebibytes',
  GiBy: 'gibibytes',
  TiBy: 'tebibytes',
  KBy: 'kilobytes',
  MBy: 'megabytes',
  GBy: 'gigabytes',
  TBy: 'terabytes',
  m: 'meters',
  V: 'volts',
  A: 'amperes',
  J: 'joules',
  W: 'watts',
  g: 'grams',
  Cel: 'celsius',
  Hz: 'hertz',
  '%': 'percent',
};
const perUnits: Readonly<Record<string, string>> = {
  s: 'second',
  m: 'minute',
  min: 'minute',
  h: 'hour',
  d: 'day',
  w: 'week',
  mo: 'month',
  y: 'year',
};

const plain = (text: string): string => text.replaceAll(/[^a-zA-Z0-9_:]+/g, '_').replaceAll(/_{2,}/g, '_');

export type Translated = { readonly name: string; readonly unit: string | undefined };

/** @param isTotal a sum that only grows; @param isLevel a share without a unit is then a `_ratio` */
export function translateName(name: string, unit: string, isTotal: boolean, isLevel: boolean): Translated {
  let text = plain(name).replace(/_+$/, '');
  if (/^\d/.test(text)) text = `_${text}`;
  const word = unitOf(unit, isLevel);
  const endsTotal = isTotal && text.endsWith('_total');
  if (endsTotal) text = text.slice(0, -'_total'.length);
  if (word !== '' && text !== word && !text.endsWith(`_${word}`)) text = `${text}_${word}`;
  if (isTotal) text = `${text}_total`;
  return { name: text, unit: word === '' ? annotationOf(unit) : word };
}

function unitOf(unit: string, isLevel: boolean): string {
  const bare = unit.replaceAll(/\{[^}]*\}/g, '').trim();
  if (bare === '1') return isLevel ? 'ratio' : '';
  const [main = '', per] = bare.split('/', 2);
  const word = units[main.trim()] ?? plain(main.trim());
  if (per === undefined || per.trim() === '') return word.replaceAll(/^_|_$/g, '');
  const perWord = perUnits[per.trim()] ?? plain(per.trim());
  return `${word === '' ? '' : `${word}_`}per_${perWord}`.replaceAll(/^_|_$/g, '');
}

/** What is counted, as in `{token}`: no unit of the name, yet worth keeping. */
const annotationOf = (unit: string): string | undefined => /^\{([^}]{1,40})\}$/.exec(unit)?.[1];

/** A label's name of an attribute's: `http.request.method` is `http_request_method`. Empty: it cannot be one. */
export function translateLabel(key: string): string {
  const text = key.replaceAll(/[^a-zA-Z0-9_]+/g, '_');
  if (text === '' || text === '_') return '';
  if (/^\d|^__/.test(text)) return `key_${text.replace(/^_+/, '')}`;
  return text === 'le' || text === 'quantile' ? `key_${text}` : text;
}

/** Adds the attributes to the labels; of two that become one name, both values are kept, with `;` between. */
export function addLabels(into: Record<string, string>, attributes: readonly OtlpAttribute[] | undefined): void {
  if (attributes === undefined || attributes.length === 0) return;
  const own = new Set<string>();
  for (const { key, value } of attributes) {
    const name = translateLabel(key);
    if (name === '' || value === undefined || value === null) continue;
    const text = textOf(value);
    if (own.has(name)) into[name] = `${into[name]};${text}`;
    else {
      // What the point calls so itself stands beside what names its source.
      const free = name in into ? `exported_${name}` : name;
      into[free] = text;
      own.add(free);
    }
  }
}

/** Numbers are written as text, and what is nested as JSON. */
export function textOf(value: OtlpValue): string {
  // A message from the wire has every field as a default; only own ones were sent.
  if (isOwn(value, 'stringValue')) return value.stringValue!;
  const found = plainOf(value);
  return typeof found === 'string' ? found : JSON.stringify(found ?? '');
}

function plainOf(value: OtlpValue | null | undefined): unknown {
  if (value === null || value === undefined) return undefined;
  if (isOwn(value, 'stringValue')) return value.stringValue;
  if (isOwn(value, 'boolValue')) return value.boolValue;
  if (isOwn(value, 'intValue')) return String(value.intValue);
  if (isOwn(value, 'doubleValue')) return String(numberOf(value.doubleValue));
  if (isOwn(value, 'arrayValue')) return (value.arrayValue?.values ?? []).map(plainOf);
  if (isOwn(value, 'kvlistValue'))
    return Object.fromEntries((value.kvlistValue?.values ?? []).map((one) => [one.key, plainOf(one.value)]));
  const bytes = value.bytesValue;
  return bytes instanceof Uint8Array ? Buffer.from(bytes).toString('base64') : (bytes ?? '');
}

const isOwn = (value: OtlpValue, name: keyof OtlpValue): boolean =>
  Object.hasOwn(value, name) && value[name] !== null && value[name] !== undefined;

/** NaN for what is no number. Integers beyond 2^53 lose their last digits, as they would in the store. */
export function numberOf(value: OtlpNumber | null | undefined): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'string') return value.trim() === '' ? Number.NaN : Number(value);
  return value === null || value === undefined ? 0 : value.toNumber();
}
