/**
 * Verdicts over what others looked at, probes, and the status page. Knows no slice: each hands in its checks. Owns no tables.
 * Invariants: asking never looks, it reads; nothing is healthy that was not checked; a stranger learns one word.
 */
export { type CheckResult, createHealth, type Health, type HealthCheck, type HealthWord } from './health.ts';
export { healthRoutes } from './health-routes.ts';
