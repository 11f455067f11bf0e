import type { Lens } from '../lens.ts';
import type { Provider, Upstream } from '../ports.ts';
import { graphragLens } from './graphrag.ts';
import { lightragLens } from './lightrag.ts';
import { createLlmLens } from './llm.ts';
import { createMappedLens } from './mapped.ts';
import { plainLens } from './plain.ts';

/** Which API an upstream speaks. */
export function lensOf({ lens, routes }: Pick<Upstream, 'lens' | 'routes'>): Lens {
  switch (lens) {
    case 'lightrag':
      return lightragLens;
    case 'graphrag':
      return graphragLens;
    case 'mapped':
      return createMappedLens(routes ?? []);
    case 'plain':
      return plainLens;
  }
}

/** Both APIs of providers are known by their paths: Ollama speaks OpenAI's too. */
export function lensOfProvider({ id }: Pick<Provider, 'id' | 'api'>): Lens {
  return createLlmLens(id);
}
