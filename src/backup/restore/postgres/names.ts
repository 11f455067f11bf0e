import { formerSchemaPrefix, stagingSchemaPrefix } from '../../postgres/survey.ts';

/** PostgreSQL cuts longer names without a word. */
const greatestNameBytes = 63;

/** Everything a restore leaves in a server carries the operation, so that a later life finds it. */
export type Places = {
  /** Takes the restored database until it gets the name of its place. */
  readonly fresh: string;
  /** The former database, kept until the next restore. */
  readonly former: string;
  /** The beginning of the names of all former databases of this place. */
  readonly formerPrefix: string;
  readonly stagingSchema: string;
  readonly formerSchema: string;
  /** Comments on databases and schemas say how far it came. */
  readonly mark: (state: 'prepared' | 'committed' | 'former') => string;
};

/** @param database where the restored one belongs */
export function placesOf(operationId: string, database: string): Places {
  const tail = operationId
    .toLowerCase()
    .replace(/^op_/, '')
    .replace(/[^a-z0-9]/g, '');
  const before = (word: string): string => `${cut(database, greatestNameBytes - word.length - 26)}${word}`;
  return {
    fresh: `${before('_rw_')}${tail}`,
    former: `${before('_before_')}${tail}`,
    formerPrefix: before('_before_'),
    stagingSchema: `${stagingSchemaPrefix}${tail}`,
    formerSchema: `${formerSchemaPrefix}${tail}`,
    mark: (state) => `ragwarden: ${state}, restore ${tail}`,
  };
}

export const isFormerMark = (comment: string | null): boolean => comment?.startsWith('ragwarden: former, ') ?? false;

/** Whole characters, at most so many bytes. */
function cut(text: string, bytes: number): string {
  let kept = '';
  for (const character of text) {
    if (Buffer.byteLength(kept + character) > bytes) break;
    kept += character;
  }
  return kept;
}
