import { env, setting } from './setting.ts';
import { decimal, flag, oneOf, text, wholeNumber } from './value-parsers.ts';

/** The proxy before the backend. */
export const gatewaySettings = {
  gatewayEnabled: setting({
    key: 'gateway.enabled',
    env: env('RAGWARDEN_GATEWAY_ENABLED'),
    parser: flag,
    fallback: true,
    about: 'Listen for requests to the backend and pass them on, measured; without a target nobody listens.',
  }),
  gatewayHost: setting({
    key: 'gateway.host',
    env: env('RAGWARDEN_GATEWAY_HOST'),
    parser: text,
    fallback: '127.0.0.1',
    about: 'Address to listen on. Beyond loopback an open backend needs gateway.require_key.',
  }),
  gatewayPort: setting({
    key: 'gateway.port',
    env: env('RAGWARDEN_GATEWAY_PORT'),
    flag: 'gateway-port',
    parser: wholeNumber(0, 65535),
    fallback: 8711,
    about: 'Port of the gateway; 0 takes any free one.',
  }),
  gatewayRequireKey: setting({
    key: 'gateway.require_key',
    env: env('RAGWARDEN_GATEWAY_REQUIRE_KEY'),
    parser: flag,
    fallback: false,
    about: 'Forward only for holders of a key that `ragwarden key create` made.',
  }),
  gatewayWhileHeld: setting({
    key: 'gateway.while_held',
    env: env('RAGWARDEN_GATEWAY_WHILE_HELD'),
    parser: oneOf(['wait', 'refuse']),
    fallback: 'wait',
    about: 'What becomes of an insert while a recovery point is captured: it waits, or gets 503 with Retry-After.',
  }),
  gatewayQueryOverrides: setting({
    key: 'gateway.query_overrides',
    env: env('RAGWARDEN_GATEWAY_QUERY_OVERRIDES'),
    parser: flag,
    fallback: false,
    about:
      'Add what users and workspaces set (`ragwarden tune set top_k=20 --user …`) to queries that leave it open. Then bodies of queries up to 64 KiB no longer pass untouched.',
  }),
  gatewayAnswerTimeoutSeconds: setting({
    key: 'gateway.answer_timeout_seconds',
    env: env('RAGWARDEN_GATEWAY_ANSWER_TIMEOUT'),
    parser: decimal(1, 86_400),
    fallback: 900,
    unit: 'seconds',
    about:
      'How long the backend may take until its answer begins. Answers that are not streamed take as long as the model.',
  }),
  gatewayIdleTimeoutSeconds: setting({
    key: 'gateway.idle_timeout_seconds',
    env: env('RAGWARDEN_GATEWAY_IDLE_TIMEOUT'),
    parser: decimal(1, 86_400),
    fallback: 300,
    unit: 'seconds',
    about: 'How long a body or an answer that has begun may be silent before both sides are closed.',
  }),
  gatewayHeadersTimeoutSeconds: setting({
    key: 'gateway.headers_timeout_seconds',
    env: env('RAGWARDEN_GATEWAY_HEADERS_TIMEOUT'),
    parser: decimal(1, 600),
    fallback: 15,
    unit: 'seconds',
    about: 'How long a client may take to send the head of a request.',
  }),
  gatewayConnectTimeoutSeconds: setting({
    key: 'gateway.connect_timeout_seconds',
    env: env('RAGWARDEN_GATEWAY_CONNECT_TIMEOUT'),
    parser: decimal(0.1, 120),
    fallback: 5,
    unit: 'seconds',
    about: 'How long a connection to the backend may take to come about.',
  }),
  gatewayMaxConnections: setting({
    key: 'gateway.max_connections',
    env: env('RAGWARDEN_GATEWAY_MAX_CONNECTIONS'),
    parser: wholeNumber(1, 100_000),
    fallback: 2_000,
    about: 'Connections that clients may have open; each request under way takes two file descriptors.',
  }),
  gatewayMaxBodyBytes: setting({
    key: 'gateway.max_body_bytes',
    env: env('RAGWARDEN_GATEWAY_MAX_BODY_BYTES'),
    parser: wholeNumber(1, Number.MAX_SAFE_INTEGER),
    fallback: 16 * 1024 ** 3,
    unit: 'bytes',
    about:
      'Greatest body of a request that is passed on. Bodies are never kept here; the backend has a limit of its own.',
  }),
  gatewayDrainSeconds: setting({
    key: 'gateway.drain_seconds',
    env: env('RAGWARDEN_GATEWAY_DRAIN'),
    parser: decimal(0, 7),
    fallback: 5,
    unit: 'seconds',
    about: 'How long requests under way may take when ragwarden stops; then they are cut off.',
  }),
} as const;
