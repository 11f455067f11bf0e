import type { CallOptions, Transport } from './transport.ts';
import type { GatewayBody } from './wire.ts';

export function createGatewayCalls({ send }: Transport) {
  return {
    /** Where it listens, what passes, which backends it reaches. */
    // The server checks every answer against the schema that this type is made of.
    status: async (options?: CallOptions): Promise<GatewayBody> =>
      (await send('/api/v1/gateway/status', options)) as GatewayBody,
  };
}
