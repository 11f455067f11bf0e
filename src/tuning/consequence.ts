import { findParameter } from './catalogue/index.ts';
import type { TuningClass, TuningValue } from './parameter.ts';
import { describeEstimate, type Estimate, estimateWork, type PastWork } from './past-work.ts';

/** What is known of the index of one workspace; undefined where nobody could look. */
export type IndexFacts = {
  readonly graphId: string;
  readonly documents: number | undefined;
  readonly chunks: number | undefined;
  readonly entities: number | undefined;
  readonly relations: number | undefined;
  /** What the stored vectors have; undefined without vectors. */
  readonly dimension: number | undefined;
  readonly embeddingModel: string | undefined;
  /** What reading took so far; undefined: nobody looked. */
  readonly past?: PastWork | undefined;
  /** Calls of models at once. */
  readonly parallel?: { readonly chat: number; readonly embeddings: number } | undefined;
};

export type Consequence = {
  readonly parameter: string;
  readonly class: TuningClass;
  /** Before, and what shall be; null: what the backend takes by itself. */
  readonly before: TuningValue | null;
  readonly after: TuningValue | null;
  /** The index would have to be made anew in part or is not seen any more: has to be confirmed. */
  readonly destructive: boolean;
  /** How many vectors have to be made anew, how many chunks read anew; null where the index could not be looked at. */
  readonly embeddings: number | null;
  readonly extractions: number | null;
  /** Of making it anew; null: nothing has to be. */
  readonly estimate: Estimate | null;
  readonly message: string;
};

/**
 * What changed parameters do to an index that exists. An empty index makes every change safe, and so does a value that the index
 * has already.
 * @param changes by parameter: what counts before and after
 */
export function foresee(
  changes: readonly {
    readonly parameter: string;
    readonly before: TuningValue | null;
    readonly after: TuningValue | null;
  }[],
  facts: IndexFacts,
): Consequence[] {
  return changes.flatMap(({ parameter, before, after }) => {
    const known = findParameter(parameter);
    if (!known || before === after) return [];
    const base = { parameter, class: known.class, before, after };
    const harmless = (message: string): Consequence => ({
      ...base,
      destructive: false,
      embeddings: 0,
      extractions: 0,
      estimate: null,
      message,
    });
    if (known.class === 'safe' && known.backendName === null)
      return harmless('Nothing has to be done: it goes with each query, where the gateway may add it.');
    if (known.class === 'safe') return harmless('The backend has to be restarted; the index stays as it is.');
    if (known.class === 'hint') return harmless('No backend knows it; nothing has to be done.');
    if (facts.documents === 0) return harmless('The index is empty: it will be made with the new value.');
    const has = hasAlready(parameter, after, facts);
    if (has !== undefined) return harmless(has);
    return [weigh(base, facts)];
  });
}

function hasAlready(parameter: string, after: TuningValue | null, facts: IndexFacts): string | undefined {
  if (parameter === 'vector_dimension' && facts.dimension !== undefined && after === facts.dimension)
    return `The vectors of the index have ${facts.dimension} dimensions already.`;
  if (parameter === 'embedding_model' && facts.embeddingModel !== undefined && after === facts.embeddingModel)
    return `The backend embeds with ${facts.embeddingModel} already.`;
  return undefined;
}

const sum = (...of: readonly (number | undefined)[]): number | null =>
  of.every((one) => one === undefined) ? null : of.reduce<number>((all, one) => all + (one ?? 0), 0);
const plenty = (count: number | null, what: string): string =>
  count === null ? `an unknown number of ${what}` : `${count} ${what}`;

function weigh(base: Pick<Consequence, 'parameter' | 'class' | 'before' | 'after'>, facts: IndexFacts): Consequence {
  const { graphId, chunks, entities, relations, dimension } = facts;
  const vectors = sum(chunks, entities, relations);
  const documents = plenty(facts.documents ?? null, 'documents');
  const again = estimateWork(
    facts.past,
    { documents: facts.documents, reads: base.class === 're-extract' },
    facts.parallel ?? { chat: 1, embeddings: 1 },
  );
  switch (base.class) {
    case 're-embed': {
      const mismatch =
        base.parameter === 'vector_dimension' && dimension !== undefined
          ? ` The index has ${dimension} dimensions: with files the backend does not start, with a database it begins an empty table.`
          : ' Vectors of two models cannot be compared: answers would be nonsense, and nothing would say so.';
      return {
        ...base,
        destructive: true,
        embeddings: vectors,
        extractions: 0,
        estimate: again,
        message: `${plenty(vectors, 'vectors')} of ${graphId} have to be embedded anew (chunks, entities and relations of ${documents}).${mismatch} ${describeEstimate(again)}`,
      };
    }
    case 're-extract':
      return {
        ...base,
        destructive: true,
        embeddings: vectors,
        extractions: chunks ?? null,
        estimate: again,
        message: `${plenty(chunks ?? null, 'chunks')} of ${graphId} have to be read anew by the model for the index to be of one kind, and what comes of them embedded anew. ${describeEstimate(again)}`,
      };
    case 'never':
      return {
        ...base,
        destructive: true,
        embeddings: vectors,
        extractions: chunks ?? null,
        estimate: null,
        message: `The backend would look elsewhere: ${documents} of ${graphId} would not be seen any more. They are not deleted.`,
      };
    default:
      return {
        ...base,
        destructive: false,
        embeddings: 0,
        extractions: 0,
        estimate: null,
        message: `${documents} of ${graphId} keep what they were read with; for one kind throughout they have to be deleted and uploaded anew (${plenty(chunks ?? null, 'chunks')} to read, ${plenty(vectors, 'vectors')} to make).`,
      };
  }
}
