export type Bindable = null | number | bigint | string | Uint8Array;

/** The kinds of values that both databases keep alike; a store converts everything else itself. */
export const bindable = (value: unknown): Bindable => {
  if (value === null || value === undefined) return null;
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'string') return value;
  if (value instanceof Uint8Array) return value;
  // node:sqlite drops an object in the first place silently and shifts the rest, so nothing else may pass.
  throw new TypeError(`a value of type ${typeof value} cannot be stored; convert it in the store`);
};
