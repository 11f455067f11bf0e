/**
 * Verdicts over what others looked at and over what is looked at here, probes, and the status page. Knows no slice: each hands in its
 * checks. Owns no tables. Invariants: asking never looks, it reads, unless a fresh look is asked for; nothing is healthy that was not
 * checked; a look that hangs costs the others nothing; a stranger learns one word.
 */
export { type CheckChange, type CheckRunner, createCheckRunner, type LookDone } from './check-runner.ts';
export type { ComponentsBody } from './components.ts';
export { dashboardHealthRoutes } from './dashboard-routes.ts';
export type { GraphFacts, GraphStatusBody } from './graph-status.ts';
export { createHealth, type Health, type HealthReport } from './health.ts';
export type { HealthStatusBody } from './health-bodies.ts';
export {
  type Ability,
  type CheckFacts,
  type CheckKind,
  type CheckResult,
  type CheckView,
  type HealthCheck,
  type HealthWord,
  isLooking,
  type LookingCheck,
} from './health-check.ts';
export { healthRoutes } from './health-routes.ts';
export { createHealthWatch } from './health-watch.ts';
export { lookAtDatabase } from './looks/database-look.ts';
export { type HttpPlace, lookAtHttp } from './looks/http-look.ts';
export { lookAtModel } from './looks/model-look.ts';
export { createRedisLook } from './looks/redis-look.ts';
export { lookAtTcp } from './looks/tcp-look.ts';
export { lookAtVectorStore } from './looks/vector-store-look.ts';
export { createSeenWords } from './seen-words.ts';
export { type SystemFacts, systemStatusRoutes } from './system-status-routes.ts';
