/**
 * `missing`: something was found, and the known answer is not in it. `empty`: nothing was found. `dimension`: the model gives
 * vectors of another length than the index has. `error`: the question was not answered.
 */
export const canaryVerdicts = ['passed', 'missing', 'empty', 'dimension', 'error'] as const;
export type CanaryVerdict = (typeof canaryVerdicts)[number];

/** Lengths of vectors; undefined where nobody has seen any. */
export type Dimensions = { readonly index: number | undefined; readonly embedding: number | undefined };

type Answer = { readonly texts: readonly string[] } | { readonly error: string };

export function decideVerdict(answer: Answer, expected: string, { index, embedding }: Dimensions): CanaryVerdict {
  // Told first: it is why the question cannot be answered rightly, whatever comes of it.
  if (index !== undefined && embedding !== undefined && index !== embedding) return 'dimension';
  if ('error' in answer) return 'error';
  if (answer.texts.length === 0) return 'empty';
  const wanted = plain(expected);
  return answer.texts.some((text) => plain(text).includes(wanted)) ? 'passed' : 'missing';
}

/** @returns null when it passed */
export function describeVerdict(verdict: CanaryVerdict, answer: Answer, dimensions: Dimensions): string | null {
  switch (verdict) {
    case 'passed':
      return null;
    case 'missing':
      return `The known answer is not in the ${'texts' in answer ? answer.texts.length : 0} texts that the canary's question finds.`;
    case 'empty':
      return "The canary's question finds nothing: the document was not planted, or the index does not answer.";
    case 'dimension':
      return `The model gives vectors of ${dimensions.embedding} numbers, and the index has ${dimensions.index}.`;
    case 'error':
      return `The canary's question failed: ${'error' in answer ? answer.error : ''}`;
  }
}

/** Chunks are cut and joined on the way, so white space is no difference. */
const plain = (text: string): string => text.replaceAll(/\s+/g, ' ').trim();
