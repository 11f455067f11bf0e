import type { ExchangeReader, Lens, Reading } from '../lens.ts';
import type { OperationClass } from '../observation.ts';

const nothingKnown: Reading = {
  operation: 'read',
  mode: null,
  stream: false,
  outcome: null,
  reason: null,
  firstContentMs: null,
  trackId: null,
  llm: null,
};

/** Knows no API: GET and HEAD read, everything else counts as an insert. Reads nothing of what passes. */
export const plainLens: Lens = {
  classify({ method }) {
    const writes = method !== 'GET' && method !== 'HEAD';
    return { operation: writes ? 'insert' : 'read', route: 'other', writes };
  },
  open: (_head, { operation }) => plainReader(operation),
};

/** Lets everything pass unread. */
export const plainReader = (operation: OperationClass): ExchangeReader => ({
  request: () => undefined,
  answer: () => undefined,
  response: () => undefined,
  end: () => ({ ...nothingKnown, operation }),
});
