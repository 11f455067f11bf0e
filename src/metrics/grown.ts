/** A column in a longer array of its kind. */
export function grown<T extends Float64Array | Uint8Array | Uint32Array | Int32Array>(from: T, into: T): T {
  into.set(from);
  return into;
}
