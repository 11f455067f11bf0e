import type { Reader, Type } from 'protobufjs/light.js';
import { otlpDescriptor } from './otlp-messages.ts';

export type OtlpProtobuf = {
  /** How deep messages may lie in one another. */
  readonly deepest: number;
  reader(body: Uint8Array): Reader;
  type(name: keyof typeof otlpDescriptor.nested): Type;
};

let loaded: Promise<OtlpProtobuf> | undefined;

/** Loaded when the first request in it comes. */
export function loadOtlpProtobuf(): Promise<OtlpProtobuf> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<OtlpProtobuf> {
  const library = await import('protobufjs/light.js');
  // In the bundle a CommonJS module has everything below `default`.
  const { Reader, Root, util, configure } =
    'Root' in library ? library : (library as { default: typeof library }).default;
  // An object for each count of each bucket would take fifty times the memory of the body. Nothing here needs 64 bits.
  Object.assign(util, { Long: undefined });
  configure();
  const root = Root.fromJSON(otlpDescriptor);
  return {
    deepest: Reader.recursionLimit,
    reader(body) {
      return Reader.create(Buffer.from(body.buffer, body.byteOffset, body.byteLength));
    },
    type: (name) => root.lookupType(name),
  };
}
