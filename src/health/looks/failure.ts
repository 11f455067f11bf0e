import { describeError, systemCode } from '../../platform/errors.ts';

const network: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  ENOENT: 'its socket is not there',
  ENOTFOUND: 'the name is not known',
  EAI_AGAIN: 'the name cannot be resolved at present',
  EHOSTUNREACH: 'there is no route to it',
  ENETUNREACH: 'there is no route to it',
  ECONNRESET: 'the connection was reset',
  EPIPE: 'the connection was closed',
  ETIMEDOUT: 'it does not answer',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is self-signed',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate cannot be verified',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
};

/** The innermost error that somebody else raised. */
export function rootOf(err: unknown): unknown {
  let root = err;
  for (let depth = 0; depth < 8 && root instanceof Error; depth += 1) {
    const inner: unknown = root instanceof AggregateError ? root.errors[0] : root.cause;
    if (inner === undefined) break;
    root = inner;
  }
  return root;
}

/** Why something could not be reached, as half a sentence; undefined where the network is not the reason. */
export function networkReason(err: unknown): string | undefined {
  const root = rootOf(err);
  const code = systemCode(root);
  if (code !== undefined && network[code] !== undefined) return network[code];
  return /time(d )?out|timeout expired/i.test(describeError(root)) ? 'it does not answer' : undefined;
}
