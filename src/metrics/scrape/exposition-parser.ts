/**
 * The text formats of Prometheus (0.0.4) and OpenMetrics (1.0), as they are found in the wild: a line that cannot be read is told and
 * left out, and the others are read.
 */
export const scrapedTypes = [
  'counter',
  'gauge',
  'histogram',
  'gaugehistogram',
  'summary',
  'info',
  'stateset',
  'unknown',
] as const;
export type ScrapedType = (typeof scrapedTypes)[number];

export type ScrapedSample = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** Where the sample says so itself. */
  readonly atMs: number | undefined;
};
export type ScrapedFamily = {
  readonly name: string;
  type: ScrapedType;
  help: string;
  unit: string;
  readonly samples: ScrapedSample[];
};
export type ParsedExposition = {
  readonly families: readonly ScrapedFamily[];
  readonly samples: number;
  readonly badLines: number;
  /** Of the first of them. */
  readonly firstBad: string | undefined;
  /** OpenMetrics ends with a line that says so; without it something is missing. */
  readonly isWhole: boolean;
};

/** @param mostSamples beyond it reading ends; `samples` is then greater */
export function parseExposition(text: string, isOpenMetrics: boolean, mostSamples: number): ParsedExposition {
  const families = new Map<string, ScrapedFamily>();
  const familyOfSample = new Map<string, ScrapedFamily>();
  let samples = 0;
  let badLines = 0;
  let firstBad: string | undefined;
  let isWhole = !isOpenMetrics;
  // A piece of a text keeps all of the text in memory for as long as a series is named by it.
  const own = ownTexts();
  const find = (name: string): ScrapedFamily => {
    let family = families.get(name);
    if (family === undefined) {
      family = { name, type: 'unknown', help: '', unit: '', samples: [] };
      families.set(name, family);
    }
    return family;
  };
  let at = 0;
  for (let number = 1; at < text.length && samples <= mostSamples; number += 1) {
    let end = text.indexOf('\n', at);
    if (end < 0) end = text.length;
    const line = text.slice(at, end).trimEnd();
    at = end + 1;
    if (line === '') continue;
    if (line === '# EOF' && isOpenMetrics) {
      isWhole = true;
      break;
    }
    const problem =
      line[0] === '#'
        ? readComment(line, find, own)
        : readSample(line, isOpenMetrics, own, (sample) => {
            samples += 1;
            const known = familyOfSample.get(sample.name) ?? familyFor(sample.name, families) ?? find(sample.name);
            familyOfSample.set(sample.name, known);
            known.samples.push(sample);
          });
    if (problem !== undefined) {
      badLines += 1;
      firstBad ??= `line ${number}: ${problem}`;
    }
  }
  return { families: [...families.values()], samples, badLines, firstBad, isWhole };
}

const comment = /^#[ \t]+(HELP|TYPE|UNIT)[ \t]+(\S+)(?:[ \t]+(.*))?$/;

/** The same text in memory of its own; equal ones share it. */
function ownTexts(): (text: string) => string {
  const known = new Map<string, string>();
  return (text) => {
    let copy = known.get(text);
    if (copy === undefined) {
      copy = Buffer.from(text, 'utf8').toString('utf8');
      known.set(copy, copy);
    }
    return copy;
  };
}

const longestHelp = 1_000;

function readComment(
  line: string,
  find: (name: string) => ScrapedFamily,
  own: (text: string) => string,
): string | undefined {
  const [, keyword, given = '', rest = ''] = comment.exec(line) ?? [];
  // Any other comment is for people.
  if (keyword === undefined) return undefined;
  const name = own(given);
  if (keyword === 'HELP') find(name).help = own(unescaped(rest).slice(0, longestHelp));
  else if (keyword === 'UNIT') find(name).unit = own(rest.trim());
  else {
    const told = rest.trim().toLowerCase();
    const type = told === 'untyped' ? 'unknown' : scrapedTypes.find((one) => one === told);
    if (type === undefined) return `there is no type ${rest.slice(0, 40)}`;
    find(name).type = type;
  }
  return undefined;
}

const endings: Readonly<Record<string, readonly ScrapedType[]>> = {
  _bucket: ['histogram', 'gaugehistogram'],
  _count: ['histogram', 'summary'],
  _sum: ['histogram', 'summary'],
  _gcount: ['gaugehistogram'],
  _gsum: ['gaugehistogram'],
  _total: ['counter'],
  _created: ['counter', 'histogram', 'summary'],
  _info: ['info'],
};

/** A sample belongs to the family of its name, or to one that has samples with such an ending. */
function familyFor(name: string, families: ReadonlyMap<string, ScrapedFamily>): ScrapedFamily | undefined {
  const own = families.get(name);
  if (own !== undefined) return own;
  for (const [ending, types] of Object.entries(endings)) {
    if (!name.endsWith(ending)) continue;
    const bare = name.slice(0, -ending.length);
    // The text format names a counter with its ending, and what was created without it.
    for (const family of [families.get(bare), families.get(`${bare}_total`)])
      if (family !== undefined && types.includes(family.type)) return family;
  }
  return undefined;
}

const nameAt = /[a-zA-Z_:][a-zA-Z0-9_:]*/y;
const labelAt = /[ \t]*([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"/y;
const numbers = /^[ \t]+([^ \t]+)(?:[ \t]+([^ \t#]+))?[ \t]*(?:#.*)?$/;

/** @returns what is wrong with the line */
function readSample(
  line: string,
  isOpenMetrics: boolean,
  own: (text: string) => string,
  take: (sample: ScrapedSample) => void,
): string | undefined {
  nameAt.lastIndex = 0;
  const found = nameAt.exec(line)?.[0];
  if (found === undefined) return 'it does not begin with the name of a metric';
  const name = own(found);
  let at = name.length;
  while (line[at] === ' ' || line[at] === '\t') at += 1;
  const labels: Record<string, string> = {};
  if (line[at] === '{') {
    at += 1;
    for (;;) {
      while (line[at] === ' ' || line[at] === '\t') at += 1;
      if (line[at] === '}') break;
      labelAt.lastIndex = at;
      const label = labelAt.exec(line)?.[1];
      if (label === undefined) return 'a label is not written name="value"';
      if (Object.hasOwn(labels, label)) return `the label ${label} stands there twice`;
      at = labelAt.lastIndex;
      const end = endOfValue(line, at);
      if (end < 0) return `the value of the label ${label} does not end`;
      const raw = line.slice(at, end);
      labels[label] = own(raw.includes('\\') ? unescaped(raw) : raw);
      at = end + 1;
      while (line[at] === ' ' || line[at] === '\t') at += 1;
      if (line[at] === ',') at += 1;
      else if (line[at] !== '}') return 'labels are separated by commas';
    }
    at += 1;
    // Nothing need stand between the labels and the value.
    if (line[at] !== ' ' && line[at] !== '\t') line = `${line.slice(0, at)} ${line.slice(at)}`;
  } else at = name.length;
  const numbersFound = numbers.exec(line.slice(at));
  if (numbersFound === null) return 'after the name stand a value and perhaps a time';
  const value = numberOf(numbersFound[1]!);
  if (value === undefined) return `${numbersFound[1]!.slice(0, 40)} is no number`;
  const time = numbersFound[2] === undefined ? undefined : numberOf(numbersFound[2]);
  if (numbersFound[2] !== undefined && (time === undefined || !Number.isFinite(time)))
    return `${numbersFound[2].slice(0, 40)} is no time`;
  // Seconds in OpenMetrics, milliseconds in the text format.
  take({ name, labels, value, atMs: time === undefined ? undefined : isOpenMetrics ? Math.round(time * 1_000) : time });
  return undefined;
}

function endOfValue(line: string, from: number): number {
  for (let i = from; i < line.length; i += 1) {
    const char = line.charCodeAt(i);
    if (char === 92) i += 1;
    else if (char === 34) return i;
  }
  return -1;
}

const escapes: Readonly<Record<string, string>> = { '\\\\': '\\', '\\n': '\n', '\\"': '"' };
const unescaped = (text: string): string => text.replaceAll(/\\[\\n"]/g, (found) => escapes[found]!);

function numberOf(text: string): number | undefined {
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return Number(text);
  switch (text.toLowerCase()) {
    case 'nan':
      return Number.NaN;
    case 'inf':
    case '+inf':
    case 'infinity':
    case '+infinity':
      return Infinity;
    case '-inf':
    case '-infinity':
      return -Infinity;
    default:
      return undefined;
  }
}
