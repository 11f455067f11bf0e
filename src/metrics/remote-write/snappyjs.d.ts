declare module 'snappyjs' {
  /** Snappy block format, as remote write wants it; not the framed one. */
  export function compress(bytes: Uint8Array): Uint8Array;
  /** @throws Error when it is damaged or would be longer than `maxLength` */
  export function uncompress(bytes: Uint8Array, maxLength?: number): Uint8Array;
}
