/**
 * Tuning: the parameters of the backend, what they are for everybody, a workspace and a user, each change as a revision, telling the
 * backend, how it goes afterwards, and the way back. Tables: `tuning_revision`, `tuning_value`, `tuning_watch`, `tuning_written`,
 * `tuning_drift`. Invariants: what counts can be made from the revisions alone; a change is written whole with its revision, event and
 * audit entry, or not at all; nothing that breaks a rule is kept.
 */
export type { AdviceBody, AdviceProposalBody, RunningValueBody } from './advice/advice-bodies.ts';
export { adviceRoutes, type RunningBackend } from './advice/advice-routes.ts';
export type { AdviceFacts, CallFacts, TimedFacts } from './advice/facts.ts';
export { createLookSamples, type LookSamples, p95Of } from './advice/look-samples.ts';
export { type ApplyTarget, createApply } from './apply/apply.ts';
export { type ApplyPlanBody, applyRoutes } from './apply/apply-routes.ts';
export type { IndexFacts } from './consequence.ts';
export type { Running } from './drift.ts';
export { findValues } from './found-values.ts';
export { type ApplyTargetRest, graphragTarget, readProjectSettings } from './graphrag/apply-settings.ts';
export { judgeProjectSettings } from './graphrag/judge-settings.ts';
export { lightragConfigRoutes } from './lightrag-config-routes.ts';
export type { TuningValue } from './parameter.ts';
export { type PastWork, readPastWork } from './past-work.ts';
export { lookAtProvider } from './provider/look-at-provider.ts';
export { keysOf, nameOfRunning } from './provider/provider.ts';
export { type ProviderBody, type ProviderSwitchBody, providerRoutes } from './provider/provider-routes.ts';
export { createProviderSwitch, type SwitchTarget } from './provider/provider-switch.ts';
export { type QueryFields, queryFieldsOf } from './query-fields.ts';
export { createTuning, type Tuning } from './tuning.ts';
export type {
  ConsequenceBody,
  DriftBody,
  EffectiveBody,
  LightragConfigBody,
  ParameterBody,
  RevisionBody,
} from './tuning-bodies.ts';
export { tuningRoutes } from './tuning-routes.ts';
export { type ChangeWatch, createChangeWatch } from './watch/change-watch.ts';
export { createDriftWatch } from './watch/drift-watch.ts';
export { readFigures } from './watch/read-figures.ts';
