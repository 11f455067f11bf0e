import type { Access } from '../access/index.ts';
import type { Config } from '../config/index.ts';
import type { MetricsHandler } from '../metrics/index.ts';
import { AppError, isAppError } from '../platform/errors.ts';
import {
  decideAccess,
  type HttpServer,
  listen,
  listenPlain,
  type PlainListener,
  type RoutePlugin,
  textAnswer,
} from '../platform/http/index.ts';
import type { Part } from '../platform/lifecycle.ts';
import type { Logger } from '../platform/logging.ts';

export type Listening = { readonly api: string; readonly metrics: string | undefined };

const loopback = new Set(['127.0.0.1', '::1', 'localhost']);

/** The API, and the exposition of metrics on a port of its own and on the API's. */
export function createListeners(options: {
  config: Config;
  server: HttpServer;
  log: Logger;
  access: Pick<Access, 'authenticateHeaders'>;
  expose: MetricsHandler;
}): Part & { listening(): Listening } {
  const { config, server, log, access, expose } = options;
  let api: string | undefined;
  let metrics: PlainListener | undefined;
  /** Off loopback the exposition asks for a scrape token; on it, whoever is on this machine may read it. */
  const open = loopback.has(config.server.host);

  const listenForScrapes = async (): Promise<void> => {
    try {
      metrics = await listenPlain({
        host: config.server.host,
        port: config.metrics.port,
        setting: 'LIGHTRAG_METRICS_PORT',
        name: 'the metrics',
        log,
        allowedHosts: () => config.server.publicHosts,
        async handler(request, response) {
          const path = (request.url ?? '/').split('?', 1)[0];
          if (path !== '/metrics') throw new AppError('request/not-found', 'Metrics are at /metrics.');
          if (!open) {
            const principal = await access.authenticateHeaders(request.headers, request.socket.remoteAddress ?? '');
            if (decideAccess('scrape', principal) !== 'allowed')
              throw new AppError('access/unauthenticated', 'Send a scrape token as `Authorization: Bearer …`.');
          }
          const { contentType, bytes } = await expose(request.headers.accept);
          response.writeHead(200, { 'content-type': contentType, 'content-length': bytes.length });
          response.end(request.method === 'HEAD' ? undefined : bytes);
        },
      });
    } catch (err) {
      // The default port alone only warns: the same figures are at /metrics of the API.
      if (config.metrics.portChosen || !isAppError(err) || err.code !== 'listen/port-taken') throw err;
      log.warn({ port: config.metrics.port }, `${err.detail} Metrics are served on the API port only.`);
    }
  };

  return {
    name: 'listeners',
    async start() {
      await server.register(metricsRoute(expose, config.metrics.enabled));
      api = (
        await listen(server, {
          host: config.server.host,
          port: config.server.port,
          setting: 'RAGWARDEN_PORT',
          name: 'the API',
        })
      ).url;
      if (config.metrics.enabled) await listenForScrapes();
    },
    async stop() {
      await metrics?.close();
      await server.close();
    },
    listening() {
      if (api === undefined) throw new Error('not listening');
      return { api, metrics: metrics?.url };
    },
  };
}

const metricsRoute =
  (expose: MetricsHandler, enabled: boolean): RoutePlugin =>
  async (app) => {
    app.get(
      '/metrics',
      {
        config: { access: 'scrape', activity: 'scrape', problems: ['feature/disabled'] },
        schema: {
          tags: ['metrics'],
          summary: 'Prometheus exposition, text or OpenMetrics by `Accept`',
          description: 'The same without a token at the metrics port on loopback.',
          response: { 200: textAnswer('The metrics.', 'text/plain', 'application/openmetrics-text') },
        },
      },
      async (request, reply) => {
        if (!enabled)
          throw new AppError(
            'feature/disabled',
            'Metrics are switched off by LIGHTRAG_METRICS_ENABLED (metrics.enabled).',
          );
        const { contentType, body } = await expose(request.headers.accept);
        return reply.header('content-type', contentType).send(body);
      },
    );
  };
