/**
 * Alerts: rules on what the metrics slice has, evaluated every so often, and what fired.
 * Owns the tables `alert_rule`, `alert_rule_state`, `alert_state` and `alert_history`. Invariants: what becomes of an alert is decided by a
 * pure function of rule, readings, state and time; a change is on disk, in the log of events and told in one unit of work; nothing fires
 * or is resolved because a clock jumped or nobody looked; a rule never has more alerts than `mostAlertsPerRule`.
 */
export type { ActionRunners, AlertAction, RunAlertAction } from './action.ts';
export type { AlertBacktestBody, AlertBody, KnownAlertRuleBody } from './alert-bodies.ts';
export { boundedAlertHistory } from './alert-growth.ts';
export { registerAlertMetrics } from './alert-metrics.ts';
export { alertRoutes } from './alert-routes.ts';
export { type Alerts, createAlerts } from './alerts.ts';
export { createDefaultRules } from './default-rules.ts';
export { fitLine, linePointsMs } from './read-rule.ts';
export { findUsual } from './usual.ts';
