import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { AppError } from '../platform/errors.ts';
import { etagOf, type RoutePlugin } from '../platform/http/index.ts';
import { productRoot } from '../platform/product-version.ts';

/** What the build wrote; in a source tree that runs without one, the committed document. */
function readDocument(): string | undefined {
  const folder = import.meta.filename.endsWith('.ts') ? 'docs' : 'dist';
  try {
    return readFileSync(join(productRoot(), folder, 'openapi.json'), 'utf8');
  } catch {
    return undefined;
  }
}

/** The description of the API, as it was written at build; read when it is first asked for. */
export const openapiRoute = (): RoutePlugin => async (app) => {
  let document: { readonly text: string; readonly etag: string } | undefined;
  app.get(
    '/openapi.json',
    {
      config: { access: 'public', activity: 'describe api', problems: ['request/not-found'] },
      schema: {
        tags: ['description'],
        summary: 'This API as OpenAPI 3.1',
        response: { 200: z.record(z.string(), z.unknown()), 304: z.undefined() },
      },
    },
    async (_request, reply) => {
      if (!document) {
        const text = readDocument();
        if (text === undefined)
          throw new AppError(
            'request/not-found',
            'This build holds no description of the API; `npm run build` makes it.',
          );
        document = { text, etag: etagOf(text) };
      }
      reply
        .header('content-type', 'application/json; charset=utf-8')
        .header('cache-control', 'public, no-cache')
        .header('etag', document.etag);
      // Text is sent as it is: it was made from the schemas of these very routes.
      return reply.serializer(String).send(document.text as unknown as Record<string, unknown>);
    },
  );
};
