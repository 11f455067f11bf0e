import { chooseExposition, expositionContentType } from './exposition.ts';
import { createKeptExposition } from './kept-exposition.ts';
import type { MetricRegistry } from './registry.ts';

/** Answers `GET /metrics` on whichever listener it is put: looks up what is looked up, then renders by `Accept`. Never rejects. */
export type MetricsHandler = (accept: string | undefined) => Promise<Exposition>;
type Exposition = {
  readonly contentType: string;
  readonly bytes: Buffer;
  /** The same as text, made when it is asked for. */
  readonly body: string;
};

export function createMetricsHandler(registry: MetricRegistry): MetricsHandler {
  const render = createKeptExposition();
  return async (accept) => {
    await registry.collect();
    const format = chooseExposition(accept);
    const bytes = render(registry.shown(), format);
    return {
      ...{ contentType: expositionContentType[format], bytes },
      get body() {
        return bytes.toString('utf8');
      },
    };
  };
}
