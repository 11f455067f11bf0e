import type { ReceiverConfig } from '../config/index.ts';

/** Where somebody is told, and how. Holds secrets. */
export type Receiver = ReceiverConfig & {
  /** From `ragwarden.yaml`, or made over the API. */
  readonly origin: 'file' | 'api';
};

/** Why a receiver takes nothing at present. */
export type ReceiverState = {
  readonly receiverId: string;
  readonly disabledMs: number | null;
  readonly disabledReason: string | null;
  /** In a row, over all deliveries. */
  readonly failures: number;
  readonly lastSuccessMs: number | null;
  readonly lastErrorMs: number | null;
  readonly lastError: string | null;
};

export const freshState = (receiverId: string): ReceiverState => ({
  receiverId,
  disabledMs: null,
  disabledReason: null,
  failures: 0,
  lastSuccessMs: null,
  lastErrorMs: null,
  lastError: null,
});

/** It groups, repeats and acknowledges by itself. */
export const takesState = ({ kind }: Pick<Receiver, 'kind'>): boolean => kind === 'alertmanager';
