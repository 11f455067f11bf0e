/**
 * The measuring reverse proxy before the backends: routes and what they mean, keys, quota, write barrier. It works in a
 * thread of its own and owns no table: what it needs is pushed in (`GatewayState`), what it saw is pushed out (`Observation`).
 */
export { createGateway, type Gateway, type GatewayEvent, type GatewayStatus } from './gateway.ts';
export { gatewayRoutes } from './gateway-routes.ts';
export type { ExchangeReader, Lens, Reading, RequestHead, RouteReading } from './lens.ts';
export type { LlmReading, Observation, OperationClass, Outcome } from './observation.ts';
export type {
  GatewayKey,
  GatewayState,
  Provider,
  QueryOverrides,
  QuotaAnswer,
  QuotaAsk,
  QuotaDecision,
  QuotaGuard,
  Upstream,
} from './ports.ts';
