import { type CallOptions, pathPart, type Transport } from './transport.ts';
import type { GatewayBody, GatewayKeyBody, NewGatewayKeyBody, Page } from './wire.ts';

export type NewGatewayKey = {
  /** Whose it is, as local:NAME. */
  readonly name: string;
  /** The only target unless told. */
  readonly targetId?: string;
  /** The only one that it opens; any of the target unless told. */
  readonly workspace?: string;
  readonly label?: string;
  readonly expiresAt?: Date;
};

export function createGatewayCalls({ send }: Transport) {
  const keys = '/api/v1/gateway/keys';
  return {
    /** Where it listens, what passes, which backends it reaches. */
    // The server checks every answer against the schema that this type is made of.
    status: async (options?: CallOptions): Promise<GatewayBody> =>
      (await send('/api/v1/gateway/status', options)) as GatewayBody,
    /** Newest first, without the keys themselves. `limit` 1 to 500, 100 unless told. */
    keys: async ({
      limit,
      cursor,
      ...call
    }: CallOptions & { limit?: number; cursor?: string } = {}): Promise<Page<GatewayKeyBody>> =>
      (await send(keys, { ...call, query: { limit, cursor } })) as Page<GatewayKeyBody>,
    /** Makes a key; it is told this once. */
    createKey: async (
      { name, targetId, workspace, label, expiresAt }: NewGatewayKey,
      call?: CallOptions,
    ): Promise<NewGatewayKeyBody> =>
      (await send(keys, {
        ...call,
        method: 'POST',
        body: { name, target_id: targetId, workspace, label, expires_at: expiresAt?.toISOString() },
      })) as NewGatewayKeyBody,
    /** Revokes a key and ends what it has under way. */
    revokeKey: async (id: string, call?: CallOptions): Promise<void> => {
      await send(`${keys}/${pathPart(id)}`, { ...call, method: 'DELETE' });
    },
  };
}
