/**
 * The warden itself: its background jobs, the heartbeat that tells somebody elsewhere that they run, and what it lets itself grow to.
 * Owns the table `system_fact`. Invariants: a round that is not complete is never reported as one.
 */
export { createHeartbeat, type Heartbeat } from './heartbeat.ts';
export { jobsRoutes } from './jobs-routes.ts';
