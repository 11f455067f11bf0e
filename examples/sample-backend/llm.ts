// What a language model would be asked for, answered by rules: the same text always gives the same entities and answers.
import { comparePoints, words } from './text.ts';

export type Entity = { readonly name: string; readonly type: string; readonly description: string };
export type Relation = {
  readonly source: string;
  readonly target: string;
  readonly keywords: string;
  readonly description: string;
};
export type Extraction = { readonly entities: readonly Entity[]; readonly relations: readonly Relation[] };

export const completionMarker = '<|COMPLETE|>';
const field = '<|#|>';

// A run of capitalised words ("Quay Depot", "Line 4"), or what stands in quotation marks of scripts without capitals.
const capitalised = /\p{Lu}[\p{L}\p{M}\p{N}'’-]*(?: (?:\p{Lu}[\p{L}\p{M}\p{N}'’-]*|\p{N}+))*/gu;
const quoted = /[「『《“«]([^」』》”»\n]{1,60})[」』》”»]/gu;

const types: readonly (readonly [RegExp, string])[] = [
  [/\b(depot|works|office|crew|team|control|operations)\b/i, 'organization'],
  [/\b(stop|square|bridge|gate|lane|street|market|quay|hill|park|terminus|yard|loop|corner|wharf)\b/i, 'location'],
  [/\b(festival|inspection|survey|outage|closure|drill|fair)\b/i, 'event'],
  [/\b(line|route|timetable|procedure|rule|notice)\b/i, 'method'],
  [/\b(car|wire|heater|brake|pantograph|points|motor|relay|cabinet|gear|rail)\b/i, 'artifact'],
];

/** Entities are named things; two named one after the other in a sentence are related. */
export function extract(text: string): Extraction {
  const entities = new Map<string, Entity>();
  const relations = new Map<string, Relation>();
  for (const sentence of text.split(/(?<=[.!?。！？।؟])\s*|\n+/u)) {
    const names = findNames(sentence);
    const description = sentence.replace(/\s+/g, ' ').trim().slice(0, 240);
    for (const name of names) if (!entities.has(name)) entities.set(name, { name, type: typeOf(name), description });
    for (let index = 0; index + 1 < names.length; index += 1) {
      const [source = '', target = ''] = [names[index], names[index + 1]].sort((a, b) =>
        comparePoints(a ?? '', b ?? ''),
      );
      if (source === target || relations.has(`${source}\n${target}`)) continue;
      relations.set(`${source}\n${target}`, { source, target, keywords: keywordsOf(sentence, names), description });
    }
  }
  return { entities: [...entities.values()], relations: [...relations.values()] };
}

function findNames(sentence: string): string[] {
  const found: { at: number; name: string }[] = [];
  for (const match of sentence.matchAll(quoted)) found.push({ at: match.index, name: (match[1] ?? '').trim() });
  for (const match of sentence.matchAll(capitalised)) {
    // The first word of a sentence is capitalised for no reason of its own, unless it begins a longer name.
    const name = match[0].replace(/^(?:The|A|An|At|On|In|When|If|After|Before|Each|Every|All|For|From|To|This) /u, '');
    const isOpening = sentence.slice(0, match.index).trim() === '' && !name.includes(' ');
    if (!isOpening && words(name).length > 0) found.push({ at: match.index, name });
  }
  return found.sort((a, b) => a.at - b.at).map(({ name }) => name);
}

function typeOf(name: string): string {
  return types.find(([pattern]) => pattern.test(name))?.[1] ?? 'concept';
}

function keywordsOf(sentence: string, names: readonly string[]): string {
  const named = new Set(names.flatMap(words));
  const rest = words(sentence).filter((word) => !named.has(word) && word.length > 3);
  return rest.length === 0 ? 'related' : rest.slice(0, 2).join(', ');
}

/** The delimiter text the real extraction prompt asks for. */
export function renderExtraction({ entities, relations }: Extraction): string {
  const lines = entities.map(({ name, type, description }) => ['entity', name, type, description].join(field));
  for (const { source, target, keywords, description } of relations)
    lines.push(['relation', source, target, keywords, description].join(field));
  return [...lines, completionMarker].join('\n');
}

const instructions = `---Role---
You are a Knowledge Graph Specialist responsible for extracting entities and relationships from the input text.

---Instructions---
1. Identify clearly defined entities in the input text; give each a name, a type and a description.
2. Output each entity as one line of four fields, delimited by ${field}, beginning with entity.
3. Identify direct relationships between extracted entities; give keywords and a description.
4. Output each relationship as one line of five fields, delimited by ${field}, beginning with relation.
5. Treat relationships as undirected, avoid duplicates, write in the third person, and end with ${completionMarker}.
`;

const example = `
---Example---
Input: The early car leaves Quay Depot and turns at Mill Square, where the crew tests the sanding gear before Line 2 opens.
entity${field}Quay Depot${field}organization${field}Quay Depot is where the early car starts its run.
entity${field}Mill Square${field}location${field}Mill Square is the turning place at which the sanding gear is tested.
relation${field}Mill Square${field}Quay Depot${field}early run${field}The early car runs from Quay Depot to Mill Square.
${completionMarker}
`;

/**
 * @param examples how many worked examples stand in it: the real prompt is about ten kilobytes long. Without any, the
 *   instructions are one line: for workspaces that are to stay small
 */
export function extractionPrompt(text: string, examples: number): string {
  if (examples === 0) return `Extract entities and relationships.\n---Input Text---\n${text}\n\n---Output---\n`;
  return `${instructions}${example.repeat(examples)}\n---Input Text---\n${text}\n\n---Output---\n`;
}

export const gleaningPrompt = `---Task---
Find what was missed or incorrectly described in the last answer, and output only that. End with ${completionMarker}.`;

/** Words a question is searched by: the broad ones and the particular ones. */
export function queryKeywords(query: string): { highLevel: string[]; lowLevel: string[] } {
  const all = [...new Set(words(query))];
  return { highLevel: all.filter((word) => word.length > 6), lowLevel: all };
}

export const noContextAnswer = "Sorry, I'm not able to provide an answer to that question.[no-context]";

export type Passage = { readonly content: string; readonly filePath: string; readonly referenceId: string };

/** The sentences that share most words with the question, each with its reference. */
export function answer(query: string, passages: readonly Passage[]): string {
  const asked = new Set(words(query));
  const sentences = passages.flatMap(({ content, referenceId }) =>
    content
      .split(/(?<=[.!?。！？।؟])\s*|\n+/u)
      .map((sentence) => sentence.replace(/\s+/g, ' ').trim())
      .filter((sentence) => sentence.length > 8)
      .map((sentence) => ({ sentence, referenceId, shared: words(sentence).filter((word) => asked.has(word)).length })),
  );
  const best = sentences
    .map((entry, index) => ({ ...entry, index }))
    .sort((a, b) => b.shared - a.shared || a.index - b.index)
    .slice(0, 4)
    .sort((a, b) => a.index - b.index);
  const used = new Set(best.map(({ referenceId }) => referenceId));
  const references = passages
    .filter(
      ({ referenceId }, index) =>
        used.has(referenceId) && passages.findIndex((p) => p.referenceId === referenceId) === index,
    )
    .map(({ referenceId, filePath }) => `- [${referenceId}] ${filePath}`);
  return `${best.map(({ sentence, referenceId }) => `${sentence} [${referenceId}]`).join(' ')}\n\n### References\n\n${references.join('\n')}`;
}
