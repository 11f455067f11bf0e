import type { Observation } from './observation.ts';

/** How one kind of backend is looked at. */
export type TargetAdapter = {
  /** Looks once; never throws, what went wrong stands in the observation. */
  probe(signal?: AbortSignal): Promise<Observation>;
  /** Does anything accept a connection and answer there, or work on its files? */
  answers(signal?: AbortSignal): Promise<boolean>;
};
