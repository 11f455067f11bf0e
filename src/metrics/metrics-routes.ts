import { chooseExposition, expositionContentType, renderExposition } from './exposition.ts';
import { createKeptExposition } from './kept-exposition.ts';
import type { MetricRegistry } from './registry.ts';

/** Answers `GET /metrics` on whichever listener it is put: looks up what is looked up, then renders by `Accept`. Never rejects. */
export type MetricsHandler = (accept: string | undefined) => Promise<{ contentType: string; body: string }>;

export function createMetricsHandler(registry: MetricRegistry): MetricsHandler {
  const render = createKeptExposition();
  return async (accept) => {
    await registry.collect();
    const format = chooseExposition(accept);
    return { contentType: expositionContentType[format], body: renderExposition(registry.shown(), format, render) };
  };
}
