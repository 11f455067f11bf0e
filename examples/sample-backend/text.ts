import { createHash } from 'node:crypto';

export const separator = '<SEP>';

export function md5(text: string): string {
  return createHash('md5').update(text).digest('hex');
}

/** Order by Unicode code point, which is how Python sorts the two ends of a relation. */
export function comparePoints(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}

export type Chunk = { readonly content: string; readonly tokens: number };

// Up to six letters or digits with the blank before them, or one other character: near enough to a model's tokens, and the
// pieces put together are the text again.
const piece = /\s?[\p{L}\p{N}]{1,6}|\s+|[^\s\p{L}\p{N}]/gu;

export function countTokens(text: string): number {
  return text.match(piece)?.length ?? 0;
}

/** Fixed-token chunks with overlap (LightRAG's strategy F); an empty text has none. */
export function chunkText(text: string, chunkTokens: number, overlapTokens: number): Chunk[] {
  const pieces = text.match(piece) ?? [];
  const chunks: Chunk[] = [];
  for (let from = 0; from < pieces.length; from += chunkTokens - overlapTokens) {
    const part = pieces.slice(from, from + chunkTokens);
    const content = part.join('').trim();
    if (content !== '') chunks.push({ content, tokens: part.length });
    if (from + chunkTokens >= pieces.length) break;
  }
  return chunks;
}

const stopWords = new Set(
  `a an and are as at be been by can could did do does for from had has have how i in into is it its may more most must no
  not of off on one only or our out over please she should so some such tell than that the their them then there these they
  this to up us was we were what when where which while who why will with would you your about after all also any before
  each me`.split(/\s+/),
);

const unspaced = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}]/u;

/** Lower-cased words that carry meaning. Scripts without blanks give pairs of characters, so that parts of words meet. */
export function words(text: string): string[] {
  const found: string[] = [];
  for (const word of text
    .normalize('NFC')
    .toLowerCase()
    .match(/[\p{L}\p{M}\p{N}]+/gu) ?? []) {
    if (unspaced.test(word)) {
      const characters = [...word];
      if (characters.length === 1) found.push(word);
      for (let index = 0; index + 1 < characters.length; index += 1)
        found.push(`${characters[index]}${characters[index + 1]}`);
    } else if (!stopWords.has(word)) found.push(word);
  }
  return found;
}

/**
 * Bag of words by feature hashing, L2-normalised. Random vectors would stay below the similarity threshold and no query would
 * ever find anything; shared words make vectors near.
 */
export function embed(text: string, dimension: number): Float32Array {
  const vector = new Float32Array(dimension);
  for (const word of words(text)) {
    const hash = fnv1a(word);
    const place = hash % dimension;
    vector[place] = (vector[place] ?? 0) + ((hash & 0x40000000) === 0 ? 1 : -1);
  }
  let length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  if (length === 0) {
    vector[0] = 1;
    length = 1;
  }
  return vector.map((value) => value / length);
}

function fnv1a(word: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < word.length; index += 1)
    hash = Math.imul(hash ^ word.charCodeAt(index), 0x01000193) >>> 0;
  return hash;
}
