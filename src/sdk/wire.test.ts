import { expectTypeOf, test } from 'vitest';
import type * as alerts from '../alerts/index.ts';
import type * as analytics from '../analytics/index.ts';
import type * as cleanup from '../cleanup/index.ts';
import type * as events from '../events/index.ts';
import type * as health from '../health/index.ts';
import type * as host from '../host/index.ts';
import type * as operations from '../operations/index.ts';
import type * as recovery from '../recovery/index.ts';
import type * as resources from '../resources/index.ts';
import type * as system from '../system/index.ts';
import type * as targets from '../targets/index.ts';
import type * as tuning from '../tuning/index.ts';
import type * as wire from './wire.ts';

type Mutable<T> = T extends (...args: never[]) => unknown ? T : { -readonly [Name in keyof T]: Mutable<T[Name]> };

test('the types of the library are those of the schemas that the server answers by', () => {
  expectTypeOf<Mutable<wire.EventBody>>().toEqualTypeOf<Mutable<events.EventBody>>();
  expectTypeOf<Mutable<wire.HealthStatusBody>>().toEqualTypeOf<Mutable<health.HealthStatusBody>>();
  expectTypeOf<Mutable<wire.HealthComponents>>().toEqualTypeOf<Mutable<health.ComponentsBody>>();
  expectTypeOf<Mutable<wire.GraphStatus>>().toEqualTypeOf<Mutable<health.GraphStatusBody>>();
  expectTypeOf<Mutable<wire.InstanceBody>>().toEqualTypeOf<Mutable<system.InstanceBody>>();
  expectTypeOf<Mutable<wire.AlertBody>>().toEqualTypeOf<Mutable<alerts.AlertBody>>();
  expectTypeOf<Mutable<wire.AlertBacktestBody>>().toEqualTypeOf<Mutable<alerts.AlertBacktestBody>>();
  expectTypeOf<alerts.KnownAlertRuleBody>().toExtend<wire.KnownAlertRule>();
  expectTypeOf<Mutable<wire.HostHealthBody>>().toEqualTypeOf<Mutable<host.HostHealthBody>>();
  expectTypeOf<Mutable<wire.SystemBody>>().toEqualTypeOf<Mutable<host.SystemBody>>();
  expectTypeOf<Mutable<wire.OperationBody>>().toEqualTypeOf<Mutable<operations.OperationBody>>();
  expectTypeOf<Mutable<wire.DocumentsBody>>().toEqualTypeOf<Mutable<targets.DocumentsBody>>();
  expectTypeOf<Mutable<wire.CanaryBody>>().toEqualTypeOf<Mutable<targets.CanaryBody>>();
  expectTypeOf<Mutable<wire.ResourceBody>>().toEqualTypeOf<Mutable<resources.ResourceBody>>();
  expectTypeOf<Mutable<wire.ResourceLeakBody>>().toEqualTypeOf<Mutable<resources.ResourceLeakBody>>();
  expectTypeOf<Mutable<wire.ObservedLeakBody>>().toEqualTypeOf<Mutable<resources.ObservedLeakBody>>();
  expectTypeOf<Mutable<wire.ObservedSeriesBody>>().toEqualTypeOf<Mutable<resources.ObservedSeriesBody>>();
  expectTypeOf<Mutable<wire.LeakEvidenceBody['points']>>().toEqualTypeOf<
    Mutable<resources.LeakEvidenceBody['points']>
  >();
  expectTypeOf<Mutable<wire.ResourceSummaryBody>>().toEqualTypeOf<Mutable<resources.ResourceSummaryBody>>();
  expectTypeOf<Mutable<wire.UsageProfilesBody>>().toEqualTypeOf<Mutable<analytics.UsageProfilesBody>>();
  expectTypeOf<Mutable<wire.UsagePatternBody>>().toEqualTypeOf<Mutable<analytics.UsagePatternBody>>();
  expectTypeOf<Mutable<wire.UsageForecastBody>>().toEqualTypeOf<Mutable<analytics.UsageForecastBody>>();
  expectTypeOf<Mutable<wire.AnalyticsLookBody>>().toEqualTypeOf<Mutable<analytics.AnalyticsLookBody>>();
  expectTypeOf<Mutable<wire.OptimizationRecommendationBody>>().toEqualTypeOf<
    Mutable<analytics.OptimizationRecommendationBody>
  >();
  expectTypeOf<Mutable<wire.OrphanSearchBody>>().toEqualTypeOf<Mutable<targets.OrphanSearchBody>>();
  expectTypeOf<Mutable<wire.ParameterBody>>().toEqualTypeOf<Mutable<tuning.ParameterBody>>();
  expectTypeOf<Mutable<wire.EffectiveBody>>().toEqualTypeOf<Mutable<tuning.EffectiveBody>>();
  expectTypeOf<Mutable<wire.ConsequenceBody>>().toEqualTypeOf<Mutable<tuning.ConsequenceBody>>();
  expectTypeOf<Mutable<wire.ApplyPlanBody>>().toEqualTypeOf<Mutable<tuning.ApplyPlanBody>>();
  expectTypeOf<Mutable<wire.AdviceBody>>().toEqualTypeOf<Mutable<tuning.AdviceBody>>();
  expectTypeOf<Mutable<wire.RunningValueBody>>().toEqualTypeOf<Mutable<tuning.RunningValueBody>>();
  expectTypeOf<Mutable<wire.DriftBody>>().toEqualTypeOf<Mutable<tuning.DriftBody>>();
  expectTypeOf<Mutable<wire.ProviderBody>>().toEqualTypeOf<Mutable<tuning.ProviderBody>>();
  expectTypeOf<Mutable<wire.ProviderSwitchBody>>().toEqualTypeOf<Mutable<tuning.ProviderSwitchBody>>();
  expectTypeOf<Mutable<wire.RevisionBody>>().toEqualTypeOf<Mutable<tuning.RevisionBody>>();
  expectTypeOf<Mutable<wire.CleanupPlanBody>>().toEqualTypeOf<Mutable<cleanup.CleanupPlanBody>>();
  expectTypeOf<Mutable<wire.CleanupRunBody>>().toEqualTypeOf<Mutable<cleanup.CleanupRunBody>>();
  expectTypeOf<Mutable<wire.CleanupTaskBody>>().toEqualTypeOf<Mutable<cleanup.CleanupTaskBody>>();
  expectTypeOf<Mutable<wire.CleanupStrategyBody>>().toEqualTypeOf<Mutable<cleanup.CleanupStrategyBody>>();
  expectTypeOf<Mutable<wire.QuarantineEntryBody>>().toEqualTypeOf<Mutable<cleanup.QuarantineEntryBody>>();
  expectTypeOf<Mutable<wire.FailoverBody>>().toEqualTypeOf<Mutable<recovery.FailoverBody>>();
  expectTypeOf<Mutable<wire.FailoverStatusBody>>().toEqualTypeOf<Mutable<recovery.FailoverStatusBody>>();
  expectTypeOf<Mutable<wire.FailoverPlanBody>>().toEqualTypeOf<Mutable<recovery.FailoverPlanBody>>();
  expectTypeOf<Mutable<wire.RecoveryStatusBody>>().toEqualTypeOf<Mutable<recovery.RecoveryStatusBody>>();
  expectTypeOf<recovery.CheckpointBody>().toExtend<wire.CheckpointBody>();
  expectTypeOf<Mutable<wire.TargetBody>>().toEqualTypeOf<Mutable<targets.TargetBody>>();
});
