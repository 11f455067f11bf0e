import type { Readable } from 'node:stream';
import { z } from 'zod';

/** What is text to the reader may be handed over as bytes or as a stream, which no serializer looks into. */
const text = z.string() as z.ZodType<string | Uint8Array | Readable>;

/** For `schema.response` of a route that answers with an event stream. */
export const eventStreamAnswer = (description: string) =>
  ({ description, content: { 'text/event-stream': { schema: text } } }) as const;

/** For `schema.response` of a route that answers with text or a file of these media types. */
export const textAnswer = <Type extends string>(description: string, ...types: readonly Type[]) => ({
  description,
  // Object.fromEntries forgets the names of its keys.
  content: Object.fromEntries(types.map((type) => [type, { schema: text }])) as Record<Type, { schema: typeof text }>,
});
