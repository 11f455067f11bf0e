import { createReadStream, readdirSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { z } from 'zod';
import { AppError } from '../platform/errors.ts';
import { type RoutePlugin, textAnswer } from '../platform/http/index.ts';
import { productRoot } from '../platform/product-version.ts';

export type DashboardFiles = {
  readonly script: string;
  readonly style: string | undefined;
  readonly folder: string;
  readonly names: ReadonlySet<string>;
};

const types: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};

const mediaTypes = Object.values(types).map((type) => type.split(';')[0] ?? type);

/** The built dashboard; undefined when it was not built. Its file names carry a digest, so they may be cached for ever. */
export function findDashboard(): DashboardFiles | undefined {
  const folder = join(productRoot(), 'dist/web/assets');
  let names: string[];
  try {
    names = readdirSync(folder).filter((name) => types[extname(name)] !== undefined);
  } catch {
    // Not built: the page then shows the overall word without a script.
    return undefined;
  }
  const script = names.find((name) => name.startsWith('index') && name.endsWith('.js'));
  if (script === undefined) return undefined;
  const style = names.find((name) => name.startsWith('index') && name.endsWith('.css'));
  return {
    folder,
    names: new Set(names),
    // As the page's own calls: seen from `/health`, so that all of it may stand below a path of a proxy.
    script: `assets/${script}`,
    style: style === undefined ? undefined : `assets/${style}`,
  };
}

export const dashboardRoutes =
  (dashboard: DashboardFiles | undefined): RoutePlugin =>
  async (app) => {
    app.get(
      '/',
      {
        config: { access: 'public', activity: 'root' },
        schema: { tags: ['page'], summary: 'Leads to `/health`', response: { 302: z.undefined() } },
      },
      async (_request, reply) => reply.redirect('health', 302),
    );
    app.get(
      '/assets/:name',
      {
        config: { access: 'public', activity: 'asset', problems: ['request/not-found'] },
        schema: {
          tags: ['page'],
          summary: 'Files of the page',
          params: z.object({ name: z.string().max(200) }),
          response: { 200: textAnswer('By the ending of the name.', ...mediaTypes) },
        },
      },
      async (request, reply) => {
        const { name } = request.params;
        if (!dashboard?.names.has(name)) throw new AppError('request/not-found', 'There is no such file.');
        const path = join(dashboard.folder, name);
        return reply
          .header('content-type', types[extname(name)] ?? 'application/octet-stream')
          .header('content-length', statSync(path).size)
          .header('cache-control', 'public, max-age=31536000, immutable')
          .send(createReadStream(path));
      },
    );
  };
