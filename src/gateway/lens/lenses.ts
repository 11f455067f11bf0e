import type { Lens } from '../lens.ts';
import type { Provider, Upstream } from '../ports.ts';
import { lightragLens } from './lightrag.ts';
import { createLlmLens } from './llm.ts';
import { plainLens } from './plain.ts';

/** Which API an upstream speaks. */
export function lensOf({ lens }: Pick<Upstream, 'lens'>): Lens {
  return lens === 'lightrag' ? lightragLens : plainLens;
}

/** Both APIs of providers are known by their paths: Ollama speaks OpenAI's too. */
export function lensOfProvider({ id }: Pick<Provider, 'id' | 'api'>): Lens {
  return createLlmLens(id);
}
