/** One document as the backend tells of it. Texts of the backend are cut; instants are its own clock's, epoch milliseconds. */
export type BackendDocument = {
  readonly id: string;
  /** In the backend's own words; see `unfinishedStatuses`. */
  readonly status: string;
  readonly filePath: string;
  readonly trackId: string | null;
  readonly createdMs: number;
  readonly updatedMs: number;
  readonly error: string | null;
  /** A row that only says that the content is known already. */
  readonly isDuplicate: boolean;
};

export type DocumentOutcome = 'processed' | 'failed' | 'duplicate';

/** Why a document failed, as a word of a bounded set. */
export const documentCauses = [
  'rate-limit',
  'timeout',
  'embedding',
  'parse',
  'model',
  'cancelled',
  'duplicate',
  'other',
] as const;
export type DocumentCause = (typeof documentCauses)[number];

/** Undefined while it is neither done nor failed. */
export function outcomeOf(document: BackendDocument): DocumentOutcome | undefined {
  if (document.status === 'processed') return 'processed';
  if (document.status !== 'failed') return undefined;
  return document.isDuplicate ? 'duplicate' : 'failed';
}

/** The first that fits: a model that was too slow while it embedded is a timeout. */
const causePatterns: readonly (readonly [DocumentCause, RegExp])[] = [
  ['cancelled', /\bcancell?ed\b/i],
  ['rate-limit', /\b429\b|rate.?limit|too many requests|quota/i],
  ['timeout', /time[ds]?.?out|deadline exceeded/i],
  ['embedding', /embed/i],
  [
    'parse',
    /\bpars(e|er|ing)\b|unsupported (file|format)|cannot decode|codec can't|docling|mineru|empty (file|content)/i,
  ],
  [
    'model',
    /error code: \d{3}|openai|ollama|llm|\b(BadRequest|Authentication|Connection|InternalServer|API\w*)Error\b/i,
  ],
];

/** @returns null for a document that did not fail */
export function causeOf(document: BackendDocument): DocumentCause | null {
  if (document.status !== 'failed') return null;
  if (document.isDuplicate) return 'duplicate';
  const { error } = document;
  return causePatterns.find(([, pattern]) => error !== null && pattern.test(error))?.[0] ?? 'other';
}
