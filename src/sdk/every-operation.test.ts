import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  type AlertRule,
  type CleanupTaskWish,
  createClient,
  type QuotaSettings,
  type QuotaUse,
  type RagwardenClient,
} from './index.ts';

const metricRange = {
  match: { a: 'b' },
  aggregation: 'max' as const,
  from: new Date(),
  to: new Date(),
  groupBy: ['a'],
  limit: 5,
};

const range = { since: new Date(), until: new Date() };
const eventFilter = { kinds: ['backup' as const], graphId: 'g', correlationId: 'c', actor: 'a' };
const everyEvent = {
  ...{ types: ['t'], severities: ['info' as const], targetId: 't', workspace: 'w', operationId: 'o' },
  ...eventFilter,
};
const silence = { matchers: ['alertname=cpu'], from: new Date(), until: new Date(), comment: 'c' };
const wholeTask: CleanupTaskWish = {
  ...{ name: 'n', description: 'd', triggerType: 'scheduled', priority: 'low', enabled: true, missed: 'skip' },
  ...{ scheduleExpression: '0 2 * * *', timeZone: 'UTC', thresholdCondition: 'a > 1', eventTypes: ['a.b'] },
  threshold: {
    ...{
      metric: 'm',
      match: { a: 'b' },
      aggregation: 'max',
      windowSeconds: 60,
      direction: 'above',
      value: 1,
      clear: 0,
    },
  },
  ...{ health: { check: 'c', becomes: ['critical'] }, cleanupType: 's', params: { a: 1 }, onlyContained: true },
  budget: { items: 1, bytes: 1, seconds: 1, bytesPerSecond: 1 },
  ...{ timeoutSeconds: 1, retryCount: 1, retryDelaySeconds: 1, tags: { a: 'b' } },
};
const wholeQuota: QuotaSettings = {
  ...{ name: 'n', description: 'd', resourceType: 'tokens', quotaType: 'soft', period: 'day', window: 'sliding' },
  ...{ limit: 1, burstLimit: 2, maxLimit: null, action: 'throttle', targetId: 't', workspaceId: 'w', userId: 'u' },
  ...{ keyId: 'k', per: ['user'], enabled: true, shadow: true, whenLost: 'open', ratePerMinute: 1, waitSeconds: 1 },
  ...{ endsAt: new Date(), tags: { a: 'b' } },
};
const wholeUse: QuotaUse = {
  ...{ resourceType: 'tokens', usageAmount: 1, amounts: { tokens: 1 } },
  ...{ targetId: 't', workspaceId: 'w', userId: 'u', keyId: 'k' },
};

const alertRule: AlertRule = {
  ...{ name: 'r', metricName: 'm', condition: 'gt', threshold: 1, durationSeconds: 1, severity: 'error' },
  ...{ description: 'd', labels: { a: { not: 'b' } }, aggregation: 'last', windowSeconds: 60, groupBy: ['a'] },
  ...{ divideBy: { metricName: 'n', labels: { a: ['b'] } }, measure: 'value', forecastSeconds: 1, resolveThreshold: 1 },
  ...{ resolveDurationSeconds: 1, noData: 'keep', flapDamping: true, enabled: true, tags: { t: 'v' } },
  ...{ runbookUrl: 'https://runbooks.test/r', receivers: ['mail'] },
  action: { kind: 'take-recovery-point', target_id: 't', mode: 'dry' },
};

/** Each operation of the API, by its name in docs/openapi.json, with a call of the library that sends all it can. */
const calls: Record<string, (client: RagwardenClient) => Promise<unknown>> = {
  getHealth: ({ health }) => health.get(),
  getReadyz: ({ health }) => health.ready(),
  getMetrics: ({ metrics }) => metrics.text(),
  postMetricsRecord: ({ metrics }) => metrics.record([{ name: 'n', value: 1 }]),
  getMetricsQuery: ({ metrics }) => metrics.query('n', { ...metricRange, stepSeconds: 60, source: 'store' }),
  getMetricsLatest: ({ metrics }) => metrics.latest('n', { match: { a: 'b' }, withinSeconds: 60, limit: 5 }),
  getMetricsTop: ({ metrics }) => metrics.top('n', { ...metricRange, order: 'least' }),
  getMetricsTypes: ({ metrics }) => metrics.types(),
  getMetricsDefinitions: ({ metrics }) =>
    metrics.definitions({ category: 'user', type: 'gauge', cursor: 'c', limit: 5 }),
  getMetricsDefinitionsByName: ({ metrics }) => metrics.definition('n'),
  putMetricsDefinitionsByName: ({ metrics }) =>
    metrics.define('n', {
      ...{ type: 'gauge', category: 'user', unit: 'u', description: 'd' },
      ...{ aggregations: ['max'], tags: ['t'], enabled: true },
    }),
  getMetricsGlobal: ({ metrics }) => metrics.global(),
  getMetricsAgentsByAgentId: ({ metrics }) => metrics.agent('a'),
  getMetricsHistory: ({ metrics }) =>
    metrics.history({
      ...{ name: 'n', type: 'timer', agentId: 'a', workspaceId: 'w', match: { a: 'b' } },
      ...{ from: new Date(), to: new Date(), limit: 5, offset: 5, cursor: 'c' },
    }),
  getMetricsPerformance: ({ metrics }) => metrics.performance({ timeWindowMinutes: 5 }),
  deleteMetricsReset: ({ metrics }) => metrics.reset(),
  deleteMetricsResetByAgentId: ({ metrics }) => metrics.resetAgent('a'),
  getOpenapiJson: ({ describe }) => describe(),
  getMonitoringSystem: ({ monitoring }) => monitoring.system(),
  getMonitoringHealth: ({ monitoring }) => monitoring.health(),
  getMonitoringUserByUserId: ({ monitoring }) => monitoring.user('u'),
  getMonitoringLightrag: ({ monitoring }) => monitoring.lightrag(),
  postMonitoringLightragReset: ({ monitoring }) => monitoring.resetLightrag(),
  postMonitoringLightragRecord: ({ monitoring }) => monitoring.recordLightrag([{ operation: 'query', seconds: 1 }]),
  postMetricsAgentsRecord: ({ metrics }) =>
    metrics.recordAgents([{ kind: 'tool_usage', agent_id: 'a', tool: 't', duration_ms: 1 }]),
  getConfigLightrag: ({ tuning }) => tuning.own.get(),
  putConfigLightrag: ({ tuning }) => tuning.own.set({ chunk_size: 1_200 }, { reason: 'r', confirm: true }),
  deleteConfigLightrag: ({ tuning }) => tuning.own.reset({ reason: 'r', confirm: true }),
  getConfigLightragDefault: ({ tuning }) => tuning.default.get(),
  putConfigLightragDefault: ({ tuning }) => tuning.default.set({ chunk_size: null }, { reason: 'r', confirm: true }),
  deleteConfigLightragDefault: ({ tuning }) => tuning.default.reset({ reason: 'r', confirm: true }),
  getTuningParameters: ({ tuning }) => tuning.parameters(),
  getTuningEffective: ({ tuning }) => tuning.effective({ user: 'u', graphId: 'g' }),
  putTuningValues: ({ tuning }) => tuning.set({ top_k: 5 }, { user: 'u', graphId: 'g', reason: 'r', confirm: true }),
  deleteTuningValues: ({ tuning }) => tuning.reset({ user: 'u', graphId: 'g', reason: 'r', confirm: true }),
  postTuningCheck: ({ tuning }) => tuning.check({ top_k: 5 }, { user: 'u', graphId: 'g' }),
  getTuningPlan: ({ tuning }) => tuning.plan({ targetId: 't' }),
  postTuningApply: ({ tuning }) => tuning.apply({ targetId: 't', confirm: true, idempotencyKey: 'k' }),
  getTuningAdvice: ({ tuning }) => tuning.advice({ windowSeconds: 3_600 }),
  getTuningRunning: ({ tuning }) => tuning.running(),
  getTuningProviders: ({ tuning }) => tuning.providers(),
  postApiSystemProviderSwitch: ({ tuning }) =>
    tuning.switchProvider('ollama', { targetId: 't', confirm: true, idempotencyKey: 'k', waitSeconds: 5 }),
  getTuningDrift: ({ tuning }) => tuning.drift(),
  getTuningRevisions: ({ tuning }) => tuning.revisions({ limit: 5, cursor: '9' }),
  getTuningRevisionsByRevision: ({ tuning }) => tuning.revision(1),
  getTuningDiff: ({ tuning }) => tuning.diff(0, 1),
  postTuningRevisionsByRevisionRollback: ({ tuning }) => tuning.rollback(1, { reason: 'r', confirm: true }),
  getMetricsAnalyticsProfiles: ({ analytics }) => analytics.profiles({ resourceType: 'memory', windowHours: 24 }),
  getMetricsAnalyticsPatterns: ({ analytics }) =>
    analytics.patterns({ resourceType: 'memory', patternType: 'gradual_growth', ended: true, cursor: '1', limit: 5 }),
  getMetricsAnalyticsRecommendations: ({ analytics }) =>
    analytics.recommendations({
      ...{ priority: 'low', optimizationType: 'caching', resourceType: 'memory', state: 'all', cursor: '1', limit: 5 },
    }),
  getMetricsAnalyticsForecasts: ({ analytics }) => analytics.forecasts({ resourceType: 'disk', windowHours: 24 }),
  postMetricsAnalyticsRun: ({ analytics }) => analytics.run(),
  postMetricsAnalyticsRecommendationsByRecommendationIdDismiss: ({ analytics }) => analytics.dismiss('r', 'because'),
  postMetricsAnalyticsRecommendationsByRecommendationIdReopen: ({ analytics }) => analytics.reopen('r'),
  getMetricsResourcesObserved: ({ resources }) => resources.observed(),
  getMetricsResourcesObservedEvidence: ({ resources }) => resources.evidence('s', 'memory'),
  getTargetsByIdOrphans: ({ targets }) => targets.orphans('t'),
  postTargetsByIdOrphansSearch: ({ targets }) => targets.searchOrphans('t'),
  getTrafficSummary: ({ traffic }) =>
    traffic.summary({ window: '5m', by: 'model', limit: 5, target: 't', workspace: 'w', user: 'u' }),
  getTrafficRecent: ({ traffic }) =>
    traffic.recent({ limit: 5, failed: true, door: 'llm', target: 't', workspace: 'w', user: 'u' }),
  getMetricsAlertsActive: ({ alerts }) => alerts.active({ severity: 'error', rule: 'r', state: 'firing' }),
  getMetricsAlertsHistory: ({ alerts }) =>
    alerts.history({
      ...{ severity: 'error', rule: 'r', from: new Date(), to: new Date(), state: 'resolved' },
      ...{ limit: 5, offset: 5, cursor: 'c' },
    }),
  postMetricsAlertsByAlertIdAcknowledge: ({ alerts }) => alerts.acknowledge('al_1', { note: 'n' }),
  getMetricsAlertsRules: ({ alerts }) => alerts.rules({ origin: 'api' }),
  getMetricsAlertsRulesExport: ({ alerts }) => alerts.exportRules({ origin: 'api' }),
  postMetricsAlertsRules: ({ alerts }) => alerts.createRule(alertRule),
  postMetricsAlertsRulesTest: ({ alerts }) =>
    alerts.testRule(alertRule, { from: new Date(), to: new Date(), value: 1 }),
  getMetricsAlertsRulesByRuleName: ({ alerts }) => alerts.rule('r'),
  putMetricsAlertsRulesByRuleName: ({ alerts }) => alerts.putRule(alertRule, { ifMatch: '"1"' }),
  deleteMetricsAlertsRulesByRuleName: ({ alerts }) => alerts.deleteRule('r', { ifMatch: '"1"' }),
  postMetricsResources: ({ resources }) =>
    resources.register({
      ...{ resourceId: 'r', resourceType: 'lock', owner: 'o', workspaceId: 'w', parentId: 'p', sizeBytes: 1 },
      ...{ ttlSeconds: 1, leaseSeconds: 1, metadata: { a: 1 } },
    }),
  getMetricsResources: ({ resources }) =>
    resources.list({
      ...{ resourceType: 'lock', status: 'idle', owner: 'o', workspaceId: 'w', cursor: '1', limit: 5 },
    }),
  getMetricsResourcesSummary: ({ resources }) => resources.summary(),
  getMetricsResourcesLeaks: ({ resources }) => resources.leaks({ severity: 'low', limit: 5, cursor: '5' }),
  getMetricsResourcesByResourceId: ({ resources }) => resources.get('r'),
  postMetricsResourcesByResourceIdAccess: ({ resources }) => resources.access('r'),
  postMetricsResourcesByResourceIdTouch: ({ resources }) =>
    resources.touch('r', { sizeBytes: 1, ttlSeconds: 1, leaseSeconds: 1 }),
  postMetricsResourcesByResourceIdRelease: ({ resources }) => resources.release('r', { error: 'e' }),
  deleteMetricsResourcesByResourceId: ({ resources }) => resources.unregister('r'),
  getMetricsCleanupStrategies: ({ cleanup }) => cleanup.strategies(),
  getMetricsCleanupPlans: ({ cleanup }) => cleanup.plans({ limit: 5 }),
  postMetricsCleanupPlans: ({ cleanup }) => cleanup.plan('s', { params: { a: 1 } }),
  getMetricsCleanupPlansByPlanId: ({ cleanup }) => cleanup.getPlan('p'),
  postMetricsCleanupRuns: async ({ cleanup }) => {
    await cleanup.run({ planId: 'p' });
    return cleanup.run(
      { strategy: 's', params: { a: 1 } },
      { onlyContained: true, budget: { items: 1, bytes: 1, seconds: 1, bytesPerSecond: 1 }, timeoutSeconds: 1 },
    );
  },
  postMetricsResourcesCleanupByResourceType: ({ cleanup }) => cleanup.resources('lock', { force: true, owner: 'o' }),
  getMetricsCleanupHistory: ({ cleanup }) => cleanup.history({ taskId: 't', strategy: 's', limit: 5, cursor: '1~a' }),
  getMetricsCleanupQuarantine: ({ cleanup }) =>
    cleanup.quarantine({ runId: 'r', state: 'all', limit: 5, cursor: '1~a' }),
  postMetricsCleanupQuarantineUndo: async ({ cleanup }) => {
    await cleanup.undo({ runId: 'r' });
    return cleanup.undo({ entryIds: ['e'] });
  },
  getMetricsCleanupTasks: ({ cleanup }) => cleanup.tasks(),
  postMetricsCleanupTasks: ({ cleanup }) => cleanup.addTask({ taskId: 't', ...wholeTask }),
  getMetricsCleanupTasksByTaskId: ({ cleanup }) => cleanup.task('t'),
  putMetricsCleanupTasksByTaskId: ({ cleanup }) => cleanup.changeTask('t', wholeTask),
  deleteMetricsCleanupTasksByTaskId: ({ cleanup }) => cleanup.removeTask('t'),
  postMetricsCleanupTasksByTaskIdEnable: ({ cleanup }) => cleanup.enableTask('t'),
  postMetricsCleanupTasksByTaskIdDisable: ({ cleanup }) => cleanup.disableTask('t'),
  postMetricsCleanupTasksByTaskIdRun: ({ cleanup }) => cleanup.runTask('t'),
  postApiWorkspacesByWorkspaceIdCleanup: ({ cleanup }) => cleanup.workspaces.cleanUp('w', { force: true }),
  postApiWorkspacesCleanupRun: ({ cleanup }) => cleanup.workspaces.cleanUpAll(),
  getApiWorkspacesCleanupStats: ({ cleanup }) => cleanup.workspaces.stats(),
  getMetricsQuotas: ({ quotas }) => quotas.status({ quotaId: 'q', userId: 'u', workspaceId: 'w' }),
  getMetricsQuotasOwn: ({ quotas }) => quotas.own(),
  postMetricsQuotas: ({ quotas }) => quotas.create({ quotaId: 'q', ...wholeQuota }),
  getMetricsQuotasByQuotaId: ({ quotas }) => quotas.get('q', { history: 5 }),
  patchMetricsQuotasByQuotaId: ({ quotas }) => quotas.update('q', wholeQuota),
  deleteMetricsQuotasByQuotaId: ({ quotas }) => quotas.remove('q'),
  postMetricsQuotasByQuotaIdReset: ({ quotas }) => quotas.reset('q', { bucket: 'b' }),
  postMetricsQuotasReplay: ({ quotas }) => quotas.replay({ existing: 'q' }),
  postMetricsQuotasCheck: ({ quotas }) => quotas.check({ ...wholeUse, dryRun: true }),
  getMetricsQuotasViolations: ({ quotas }) =>
    quotas.violations({ quotaId: 'q', resolved: true, limit: 5, cursor: 'qv_1' }),
  postMetricsQuotasReservations: ({ quotas }) =>
    quotas.reserve({ ...wholeUse, ttlSeconds: 5, onExpiry: 'charge' }, { idempotencyKey: 'k' }),
  getMetricsQuotasReservations: ({ quotas }) => quotas.reservations({ state: 'held', limit: 5, cursor: 'qr_1' }),
  getMetricsQuotasReservationsByReservationId: ({ quotas }) => quotas.reservation('r'),
  postMetricsQuotasReservationsByReservationIdSettle: ({ quotas }) => quotas.settle('r', { amounts: { tokens: 1 } }),
  postMetricsQuotasReservationsByReservationIdRelease: ({ quotas }) => quotas.release('r'),
  postMetricsQuotasReservationsByReservationIdRenew: ({ quotas }) => quotas.renew('r', { ttlSeconds: 5 }),
  getTargets: ({ targets }) => targets.list(),
  getTargetsById: ({ targets }) => targets.get('t'),
  postTargetsByIdProbe: ({ targets }) => targets.probe('t'),
  getTargetsByIdInspection: ({ targets }) => targets.inspection('t'),
  postTargetsByIdInspect: ({ targets }) => targets.inspect('t'),
  getTargetsByIdDocuments: ({ targets }) => targets.documents('t'),
  postTargetsByIdDocumentsReprocess: ({ targets }) => targets.reprocess('t', { workspace: 'w', failed: true }),
  getTargetsByIdCanary: ({ targets }) => targets.canary('t', { workspace: 'w' }),
  postTargetsByIdCanaryRun: ({ targets }) => targets.runCanary('t', { workspace: 'w' }),
  postTargetsByIdCanaryPlant: ({ targets }) => targets.plantCanary('t', { workspace: 'w' }),
  getBackupStatus: ({ backup }) => backup.status({ target: 't' }),
  getBackupHistory: ({ backup }) => backup.history({ target: 't', limit: 5 }),
  getBackupPoints: ({ backup }) => backup.points({ target: 't', limit: 5, cursor: 'c' }),
  getBackupTimeline: ({ backup }) => backup.timeline({ target: 't', days: 5 }),
  getBackupPointsByBackupIdContents: ({ backup }) => backup.contents('b'),
  getBackupPointsByBackupId: ({ backup }) => backup.point('b'),
  postBackupPointsByBackupIdVerify: ({ backup }) => backup.verify('b'),
  putBackupPointsByBackupIdPin: ({ backup }) => backup.pin('b'),
  deleteBackupPointsByBackupIdPin: ({ backup }) => backup.unpin('b'),
  postBackupTrigger: ({ backup }) =>
    backup.trigger({ target: 't', workspace: 'w', include: { database: true, workspaces: true, config: false } }),
  postBackupRestoreByBackupId: ({ backup }) =>
    backup.restore('b', {
      ...{ confirm: true, planId: 'p', safetyPoint: false, components: ['workspace'], workspace: 'w' },
      ...{ asWorkspace: 'v', to: { folder: '/f', name: 'n' } },
    }),
  postBackupRebuildCatalogue: ({ backup }) => backup.rebuildCatalogue({ dryRun: true }),
  postBackupStart: ({ backup }) => backup.startSchedule(),
  postBackupStop: ({ backup }) => backup.stopSchedule(),
  getBackupSources: ({ backup }) => backup.sources({ target: 't' }),
  getBackupPointsByBackupIdConfig: ({ backup }) => backup.config('b'),
  getBackupRetention: ({ backup }) => backup.retention({ target: 't' }),
  postBackupRecoveryKitConfirm: ({ backup }) => backup.confirmRecoveryKit(),
  postBackupRepositoryAdopt: ({ backup }) => backup.adoptRepository({ confirm: true }),
  getRecoveryObjectives: ({ recovery }) => recovery.objectives({ target: 't' }),
  getRecoveryDrills: ({ recovery }) => recovery.drills({ target: 't', kind: 'chaos', limit: 5, cursor: 'c' }),
  postRecoveryDrills: ({ recovery }) =>
    recovery.startDrill({ target: 't', kind: 'restore', backupId: 'b', choice: 'risk' }),
  getRecoveryDrillsByDrillId: ({ recovery }) => recovery.drill('d'),
  getRecoveryDrillsByDrillIdEvidence: ({ recovery }) => recovery.evidence('d'),
  getRecoveryFailover: ({ recovery }) => recovery.failoverStatus({ target: 't' }),
  postRecoveryFailoverPlan: ({ recovery }) => recovery.planFailover({ target: 't', backupId: 'b' }),
  postRecoveryFailover: ({ recovery }) =>
    recovery.failover({ target: 't', backupId: 'b', planId: 'p', confirm: true, force: true }),
  postRecoveryReseed: ({ recovery }) => recovery.reseed({ target: 't', place: 'home', confirm: true }),
  getRecoveryFailovers: ({ recovery }) => recovery.failovers({ target: 't', limit: 5, cursor: 'c' }),
  getRecoveryFailoversByFailoverId: ({ recovery }) => recovery.failoverReport('f'),
  postBackupReplicationRecoveryCheckpoints: ({ recovery }) =>
    recovery.createCheckpoint({ graphIds: ['g'], description: 'd', metadata: { a: 1 } }),
  getBackupReplicationRecoveryCheckpoints: ({ recovery }) => recovery.checkpoints({ limit: 5, cursor: 'c' }),
  getBackupReplicationRecoveryCheckpointsByCheckpointId: ({ recovery }) => recovery.checkpoint('c'),
  deleteBackupReplicationRecoveryCheckpointsByCheckpointId: ({ recovery }) => recovery.removeCheckpoint('c'),
  postBackupReplicationRecoveryCheckpointsByCheckpointIdValidate: ({ recovery }) => recovery.validateCheckpoint('c'),
  postBackupReplicationRecoveryCheckpointsByCheckpointIdFailover: ({ recovery }) =>
    recovery.failoverToCheckpoint('c', { planId: 'p', confirm: true, force: true }),
  getBackupReplicationRecoveryStatus: ({ recovery }) => recovery.status(),
  getBackupReplicationRecoveryHealth: ({ recovery }) => recovery.health(),
  getRepository: ({ repository }) => repository.get(),
  postRepositoryCheck: ({ repository }) => repository.check({ readData: true, subset: '1/7' }),
  postRepositoryForget: ({ repository }) => repository.forget({ target: 't', dryRun: true }),
  postRepositoryPrune: ({ repository }) => repository.prune(),
  postRepositoryUnlock: ({ repository }) => repository.unlock({ lockIds: ['a'.repeat(64)] }),
  postBackupReplicationBackupGraphsByGraphIdSnapshots: ({ snapshots }) =>
    snapshots.create('g', { sourceDir: '/s', metadata: { by: 'me' }, waitSeconds: 1 }),
  getBackupReplicationBackupGraphsByGraphIdSnapshots: ({ snapshots }) => snapshots.list('g'),
  getBackupReplicationBackupGraphsByGraphIdSnapshotsBySnapshotId: ({ snapshots }) => snapshots.get('g', 'b'),
  postBackupReplicationBackupGraphsByGraphIdSnapshotsBySnapshotIdRestore: ({ snapshots }) =>
    snapshots.restore('g', 'b', { targetDir: '/t', asWorkspace: 'w', confirm: true, planId: 'p', waitSeconds: 1 }),
  deleteBackupReplicationBackupGraphsByGraphIdSnapshotsBySnapshotId: ({ snapshots }) =>
    snapshots.delete('g', 'b', { force: true }),
  postBackupReplicationBackupCleanup: ({ snapshots }) => snapshots.cleanup({ waitSeconds: 1 }),
  getBackupReplicationBackupStats: ({ snapshots }) => snapshots.stats(),
  postBackupReplicationBackupSchedule: ({ snapshots }) => snapshots.setSchedule('g', { frequencySeconds: 60 }),
  getBackupReplicationBackupScheduleByGraphId: ({ snapshots }) => snapshots.schedule('g'),
  getHealthDashboardBackupsSummary: ({ snapshots }) => snapshots.summary(),
  getBackupReplicationReplicationTargets: ({ replication }) => replication.targets({ enabledOnly: true }),
  postBackupReplicationReplicationTargets: ({ replication }) =>
    replication.register({
      ...{ name: 'n', targetId: 'far', baseUrl: 'https://far.example.org', apiKey: 'k', zone: 'z', offline: false },
      ...{ enabled: true, limitKibPerSecond: 5, metadata: { by: 'me' } },
    }),
  getBackupReplicationReplicationTargetsByTargetId: ({ replication }) => replication.target('far'),
  patchBackupReplicationReplicationTargetsByTargetId: ({ replication }) =>
    replication.change('far', {
      name: 'n',
      zone: null,
      credentials: { AWS_ACCESS_KEY_ID: 'k' },
      limitKibPerSecond: null,
    }),
  deleteBackupReplicationReplicationTargetsByTargetId: ({ replication }) => replication.remove('far'),
  getBackupReplicationReplicationTargetsByTargetIdHealth: ({ replication }) =>
    replication.health('far', { fresh: true }),
  postBackupReplicationReplicationTargetsByTargetIdReplicate: ({ replication }) => replication.replicate('far'),
  postBackupReplicationReplicationTargetsByTargetIdVerify: ({ replication }) =>
    replication.verify('far', { percent: 5 }),
  postBackupReplicationReplicationTargetsByTargetIdHeal: ({ replication }) =>
    replication.heal('far', { damaged: 'target', confirm: true }),
  postBackupReplicationReplicationTargetsByTargetIdPrune: ({ replication }) => replication.prune('far'),
  postBackupReplicationReplicationGraphsByGraphIdReplicate: ({ replication }) =>
    replication.replicateGraph('g', { targetIds: ['far'], waitSeconds: 1 }),
  getBackupReplicationReplicationGraphsByGraphIdStatus: ({ replication }) => replication.graph('g'),
  getBackupReplicationBackupSnapshotsReceived: ({ replication }) =>
    replication.received({ graphId: 'g', backupId: 'b', dataHash: 'a'.repeat(64) }),
  postBackupReplicationBackupSnapshotsReceivedVerify: ({ replication }) => replication.verifyReceived({ percent: 5 }),
  getBackupReplicationBackupSnapshotsReceivedContent: ({ replication }) =>
    replication.receivedContent({ graphId: 'g', backupId: 'b', dataHash: 'a'.repeat(64), offset: 5 }),
  postBackupReplicationBackupSnapshotsReceivedAdopt: ({ replication }) =>
    replication.adoptReceived({ password: 'p', backupId: 'b', graphId: 'g', sender: 's' }),
  getBackupReplicationReplicationLogs: ({ replication }) =>
    replication.logs({
      ...{ targetId: 'far', graphId: 'g', backupId: 'b', operationType: 'sync', status: 'failed' },
      ...{ limit: 5, cursor: `1.repl_${'0'.repeat(26)}` },
    }),
  getOperations: ({ operations }) =>
    operations.list({ state: 'running', kind: 'k', targetId: 't', cursor: 'c', limit: 5 }),
  getOperationsById: ({ operations }) => operations.get('o'),
  postOperationsByIdCancel: ({ operations }) => operations.cancel('o'),
  getOperationsByIdStream: ({ operations }) => operations.stream('o').next(),
  getEvents: ({ events }) =>
    events.list({
      ...{ types: ['t'], severities: ['info'], targetId: 't', workspace: 'w', operationId: 'o', ...eventFilter },
      ...{ since: new Date(), until: new Date(), order: 'oldest', cursor: 'c', limit: 5 },
    }),
  getEventsStream: ({ events }) =>
    events
      .stream({
        types: ['t'],
        severities: ['info'],
        targetId: 't',
        workspace: 'w',
        operationId: 'o',
        after: 1,
        ...eventFilter,
      })
      .next(),
  getSystemLogs: ({ system }) => system.logs({ all: true, daysToKeep: 5 }),
  postSystemLogsRotate: ({ system }) => system.rotateLogs({ all: true }),
  postSystemLogsCleanup: ({ system }) => system.cleanupLogs({ daysToKeep: 5 }),
  postSystemServicesRestart: ({ system }) => system.restartServices({ names: ['n'], waitSeconds: 5, force: true }),
  getApiSystemCacheStats: ({ system }) => system.caches(),
  postApiSystemCacheClear: ({ system }) => system.clearCaches({ types: ['t'], confirm: true }),
  postApiSystemConfigValidate: ({ system }) => system.validateConfiguration({ type: 'all', strict: true }),
  getSystemBundle: ({ system }) => system.bundle(),
  getEventsExport: ({ events }) => events.export({ ...everyEvent, ...range }).next(),
  getEventsAnalytics: ({ events }) => events.analytics({ ...everyEvent, ...range, bucketSeconds: 60 }),
  postEvents: ({ events }) =>
    events.tell({
      ...{ kind: 'recovery', eventType: 'e', graphId: 'g', replicationTargetId: 'r', checkpointId: 'c' },
      ...{ severity: 'info', message: 'm', details: { a: 1 } },
    }),
  getAuditExport: ({ audit }) => audit.export({ actor: 'a', action: 'b', ...range }).next(),
  getAudit: ({ audit }) =>
    audit.list({
      actor: 'a',
      action: 'b',
      correlationId: 'c',
      since: new Date(),
      until: new Date(),
      cursor: 'c',
      limit: 5,
    }),
  getAuditVerify: ({ audit }) => audit.verify({ against: 'repository', expected: { seq: 1, hash: 'h' } }),
  getSettings: ({ settings }) => settings.list({ keys: ['log.level'] }),
  getSettingsByKey: ({ settings }) => settings.get('log.level'),
  patchSettings: ({ settings }) => settings.patch({ 'log.level': 'debug' }, { ifMatch: '"1"' }),
  postSettingsCheck: ({ settings }) => settings.check(),
  postSettingsReload: ({ settings }) => settings.reload(),
  getSystemGrowth: ({ system }) => system.growth(),
  getMetricsAlertsSilences: ({ notifications }) => notifications.silences({ all: true, limit: 5, cursor: 'sil_1' }),
  postMetricsAlertsSilences: ({ notifications }) => notifications.createSilence(silence),
  getMetricsAlertsSilencesById: ({ notifications }) => notifications.silence('sil_1'),
  putMetricsAlertsSilencesById: ({ notifications }) => notifications.changeSilence('sil_1', silence),
  deleteMetricsAlertsSilencesById: ({ notifications }) => notifications.expireSilence('sil_1'),
  getMetricsAlertsReceivers: ({ notifications }) => notifications.receivers(),
  postMetricsAlertsReceivers: ({ notifications }) =>
    notifications.createReceiver('r', { kind: 'webhook', url: 'https://hooks.example.org/', sendResolved: true }),
  getMetricsAlertsReceiversById: ({ notifications }) => notifications.receiver('r'),
  putMetricsAlertsReceiversById: ({ notifications }) =>
    notifications.changeReceiver('r', { kind: 'alertmanager', url: 'https://am.example.org/', bearerToken: 't' }),
  deleteMetricsAlertsReceiversById: ({ notifications }) => notifications.removeReceiver('r'),
  postMetricsAlertsReceiversByIdEnable: ({ notifications }) => notifications.enableReceiver('r'),
  postMetricsAlertsReceiversByIdTest: ({ notifications }) => notifications.testReceiver('r'),
  getMetricsAlertsDeliveries: ({ notifications }) =>
    notifications.deliveries({ state: 'dead', receiver: 'r', limit: 5, cursor: 'msg_1' }),
  getMetricsAlertsDeliveriesById: ({ notifications }) => notifications.delivery('msg_1'),
  postMetricsAlertsDeliveriesByIdRetry: ({ notifications }) => notifications.retryDelivery('msg_1'),
  getGatewayStatus: ({ gateway }) => gateway.status(),
  getGatewayKeys: ({ gateway }) => gateway.keys({ limit: 5, cursor: 'key_1' }),
  postGatewayKeys: ({ gateway }) =>
    gateway.createKey({ name: 'n', targetId: 't', workspace: 'w', label: 'l', expiresAt: new Date() }),
  deleteGatewayKeysById: ({ gateway }) => gateway.revokeKey('key_1'),
  getHealthDashboardStatus: ({ health }) => health.status({ fresh: true }),
  getHealthDashboardComponents: ({ health }) => health.components({ fresh: true }),
  getHealthDashboardMetrics: ({ health }) => health.metrics(),
  getHealthDashboardGraphs: ({ health }) => health.graphs(),
  getHealthDashboardGraphsByGraphIdStatus: ({ health }) => health.graph('g'),
  getHealthDashboardReplicationStatus: ({ health }) => health.replication(),
  postBackupReplicationRecoveryHealthCheck: ({ health }) => health.recovery(),
  getApiSystemHealthAdvanced: ({ health }) => health.advanced({ fresh: true }),
  getApiSystemStatusEnhanced: ({ health }) => health.enhanced(),
  getSystemServices: ({ health }) => health.services(),
  getSystemJobs: ({ system }) => system.jobs(),
  getAccessSession: ({ access }) => access.session(),
  deleteAccessSessions: ({ access }) => access.endSessions({ subject: 's' }),
  getAccessTokens: ({ access }) => access.tokens({ limit: 5, cursor: 'c' }),
  postAccessTokens: ({ access }) =>
    access.createToken({ name: 'n', role: 'user', workspaces: ['w'], label: 'l', expiresAt: new Date() }),
  postAccessTokensByIdRotate: ({ access }) => access.rotateToken('t', { graceSeconds: 1, expiresAt: new Date() }),
  deleteAccessTokensById: ({ access }) => access.revokeToken('t'),
  postAccessLoginLinks: ({ access }) => access.createLoginLink({ role: 'user', name: 'n', workspaces: ['w'] }),
};

/** Operations that a program has no use for. */
const left: Record<string, string> = {
  getApiSystemCacheStatistics: 'the same as stats',
  postApiProviderSwitch: 'the same as POST /api/system/provider/switch',
  deleteApiSystemCache: 'the same as POST /api/system/cache/clear',
  postV1Metrics: 'for exporters of OpenTelemetry, which know it',
  postOtlpV1Metrics: 'the same',
  postBackupReplicationBackupSnapshotsUpload: 'between two ragwardens, in parts of bytes',
  getRoot: 'leads browsers to the page',
  getRagwardenSchemaJson: 'for editors; it lies in the package as docs/ragwarden.schema.json',
  getAssetsByName: 'files of the page',
  postAccessLogin: 'begins a browser session; programs send their token',
  postAccessLogout: 'ends a browser session',
  getLivez: 'for probes of an orchestrator; that it answers at all is what the client tells',
  getHealthz: 'another name of getLivez',
  getHealthLive: 'another name of getLivez',
  getHealthy: 'another name of getLivez',
  getHealthReady: 'another name of getReadyz',
  getReady: 'another name of getReadyz',
};

type Schema = {
  $ref?: string;
  properties?: Record<string, unknown>;
  additionalProperties?: unknown;
  anyOf?: Schema[];
  allOf?: Schema[];
};
type Operation = {
  readonly operationId: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: { readonly content: Record<string, { readonly schema: Schema }> };
};
type Api = {
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components?: { readonly schemas?: Record<string, Schema> };
};

const api = JSON.parse(readFileSync(join(import.meta.dirname, '../../docs/openapi.json'), 'utf8')) as Api;
const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
);

/** Names that a body may have, through references and alternatives. */
function propertiesOf(schema: Schema | undefined): string[] {
  if (!schema) return [];
  if (schema.$ref) return propertiesOf(api.components?.schemas?.[schema.$ref.split('/').at(-1) ?? '']);
  return [
    ...Object.keys(schema.properties ?? {}),
    ...[...(schema.anyOf ?? []), ...(schema.allOf ?? [])].flatMap(propertiesOf),
  ];
}

test('each operation of the API has a call, or a reason to have none', () => {
  const known = operations.map(({ operation }) => operation.operationId).sort();
  expect([...Object.keys(calls), ...Object.keys(left)].sort()).toEqual(known);
});

test.each(operations.filter(({ operation }) => operation.operationId in calls))(
  '$method $path is what its call sends',
  async ({ method, path, operation }) => {
    const sent: { method: string; url: URL; body: Record<string, unknown> }[] = [];
    const client = createClient({
      url: 'http://ragwarden.test',
      fetch: async (input, init) => {
        const body = typeof init?.body === 'string' ? JSON.parse(init.body) : {};
        sent.push({ method: init?.method ?? 'GET', url: new URL(String(input)), body });
        if (path.endsWith('/export')) return new Response('', { headers: { 'content-type': 'application/x-ndjson' } });
        return path.endsWith('/stream') ? new Response(null, { status: 204 }) : new Response('{}');
      },
    });
    await calls[operation.operationId]?.(client);
    const [one] = sent;
    if (!one) throw new Error('nothing was sent');
    expect(one.method).toBe(method);
    expect(one.url.pathname).toMatch(new RegExp(`^${path.replace(/\{[^}]+\}/g, '[^/]+').replace(/\./g, '\\.')}$`));
    const parameters = (operation.parameters ?? []).filter((found) => found.in === 'query').map(({ name }) => name);
    for (const name of one.url.searchParams.keys()) expect(parameters).toContain(name);
    const schema = operation.requestBody?.content['application/json']?.schema;
    // Settings are changed by their keys, which the server judges.
    if (schema?.additionalProperties) return;
    for (const name of Object.keys(one.body)) expect(propertiesOf(schema)).toContain(name);
  },
);
