import type { Lens } from '../lens.ts';
import type { Provider, Upstream } from '../ports.ts';
import { plainLens } from './plain.ts';

/** Which API an upstream speaks. */
export function lensOf(_upstream: Pick<Upstream, 'lens'>): Lens {
  return plainLens;
}

/** Which API a provider speaks. */
export function lensOfProvider(_provider: Pick<Provider, 'id' | 'api'>): Lens {
  return plainLens;
}
