import type { ErrorCode } from '../../platform/errors.ts';
import type { Explanation } from './explanations.ts';

type GatewayCode = Extract<ErrorCode, `gateway/${string}` | `quota/${string}`>;

/** What the gateway itself answers; all other answers at its port are the backend's. */
export const gatewayExplanations: Readonly<Record<GatewayCode, Explanation>> = {
  'gateway/unknown-workspace': {
    means: 'The request names a workspace that does not exist behind the gateway, or that its key does not open.',
    causes: [
      '`LIGHTRAG-WORKSPACE`, the first part of the path, the host name or the key contradict each other.',
      'The endpoint is not in `target.endpoints`.',
    ],
    mend: ['`ragwarden gateway status` lists what can be reached, `ragwarden key list` what a key is for.'],
  },
  'gateway/upstream-unreachable': {
    means: 'No connection to the backend or provider came about.',
    causes: [
      'It does not run, or its URL is not right.',
      'After five failures in a row it is tried again now and then only.',
    ],
    mend: ['Start it. The gateway tries again within seconds by itself.'],
    runbook: 'backend-offline.md',
  },
  'gateway/upstream-broken': {
    means: 'The backend took the request and then closed the connection, or sent what is no HTTP.',
    causes: ['It crashed or was stopped meanwhile.', 'Its answer has headers that can be read in two ways.'],
    mend: [
      'Look into the log of the backend. Whether it did what was asked is not known: look before sending it again.',
    ],
    runbook: 'backend-offline.md',
  },
  'gateway/upstream-timeout': {
    means: 'The backend was silent for longer than the gateway waits.',
    causes: ['A model behind it is slow or hangs.', 'The time is set too short.'],
    mend: ['`gateway.answer_timeout_seconds` and `gateway.idle_timeout_seconds` say how long it waits.'],
  },
  'gateway/writes-held': {
    means: 'A recovery point is being taken, and what writes waits until it is captured.',
    causes: ['`gateway.while_held: refuse`, or more requests wait than the gateway lets wait.'],
    mend: ['Send it again after the time in `Retry-After`; a hold ends by itself after `backup.hold_seconds`.'],
  },
  'gateway/busy': {
    means: 'The gateway has as many requests under way as it takes.',
    causes: ['Many streams are open.', 'A client opens connections and does not close them.'],
    mend: ['`gateway.max_connections` sets the bound; each request takes two file descriptors.'],
  },
  'gateway/loop': {
    means: 'A request came back to the gateway that had sent it.',
    causes: ['The URL of an endpoint or a provider is that of the gateway.'],
    mend: ['Let `target.url`, `target.endpoints` and `gateway.providers` name the servers themselves.'],
  },
  'quota/exceeded': {
    means: 'A limit that was set for this caller, workspace or target is used up.',
    causes: ['`detail` names the limit and what was used of it.'],
    mend: ['Wait for the time in `Retry-After`, or have the limit raised.'],
  },
  'quota/unavailable': {
    means: 'The ledger of the quotas does not answer, and a quota that applies says that nothing passes then.',
    causes: [
      'The state database is down or overloaded.',
      'ragwarden itself is busy for longer than the gateway waits.',
    ],
    mend: [
      '`ragwarden quota` and `ragwarden status` say since when.',
      'A quota with `when_lost: open` lets uses pass meanwhile; `local_share` lets a share pass.',
    ],
    runbook: 'quotas.md',
  },
  'quota/unknown': {
    means: 'No quota has this id.',
    causes: ['It was removed, or ended by itself.'],
    mend: ['`ragwarden quota list` shows those that there are.'],
  },
  'quota/unknown-reservation': {
    means: 'No reservation has this id.',
    causes: ['It ended more than a day ago and was forgotten.'],
    mend: ['`ragwarden quota reservations` shows those that are known.'],
  },
  'quota/too-many': {
    means: 'There are as many quotas, or as many held reservations, as there may be.',
    causes: ['Reservations are made and neither settled nor released.'],
    mend: ['Settle or release them; each ends by itself when its time is over.'],
  },
};
