import { z } from 'zod';

const mostItems = 1_000;
const told = 100;

/** A batch of which each item is read by itself, so that a bad one spoils no other. */
export const recordItems = z.object({
  items: z
    .array(z.record(z.string(), z.unknown()))
    .min(1)
    .max(mostItems)
    .describe(`At most ${mostItems.toLocaleString('en')}.`),
});

export const recordedItemsSchema = z
  .object({
    accepted: z.number().int(),
    rejected: z.number().int(),
    errors: z
      .array(z.object({ index: z.number().int(), detail: z.string() }))
      .describe('Why, by the place in the batch; the first hundred.'),
  })
  .meta({ id: 'RecordedItems' });

/** @param take says what is wrong with an item that can be read, or nothing */
export function takeItems<T>(
  items: readonly unknown[],
  schema: z.ZodType<T>,
  take: (item: T) => string | undefined,
): z.infer<typeof recordedItemsSchema> {
  const errors: { index: number; detail: string }[] = [];
  let rejected = 0;
  for (const [index, item] of items.entries()) {
    const read = schema.safeParse(item);
    const detail = read.success
      ? take(read.data)
      : read.error.issues.map(({ path, message }) => [path.join('.'), message].filter(Boolean).join(': ')).join('; ');
    if (detail === undefined) continue;
    rejected += 1;
    if (errors.length < told) errors.push({ index, detail });
  }
  return { accepted: items.length - rejected, rejected, errors };
}
