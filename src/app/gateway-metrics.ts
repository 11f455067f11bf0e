import type { Gateway } from '../gateway/index.ts';
import type { MetricRegistry } from '../metrics/index.ts';

/** How the gateway fares; what passes through it is counted elsewhere. */
export function registerGatewayMetrics(registry: MetricRegistry, gateway: Gateway): void {
  const up = registry.gauge({ name: 'ragwarden_gateway_up', help: '1 while the gateway listens, else 0.' });
  const connections = registry.gauge({
    name: 'ragwarden_gateway_connections',
    help: 'Connections of clients that are open.',
  });
  const underWay = registry.gauge({
    name: 'ragwarden_gateway_requests_under_way',
    help: 'Requests between their first and their last byte.',
  });
  const waiting = registry.gauge({
    name: 'ragwarden_gateway_writes_waiting',
    help: 'Requests that wait because a recovery point is being captured.',
  });
  const dropped = registry.gauge({
    name: 'ragwarden_gateway_observations_dropped',
    help: 'Requests that passed and were not counted for want of room, since the gateway started.',
  });
  const unanswered = registry.gauge({
    name: 'ragwarden_gateway_quota_unanswered',
    help: 'Requests about which no quota answered in time, since the gateway started.',
  });
  const refusedUnanswered = registry.gauge({
    name: 'ragwarden_gateway_quota_unanswered_refused',
    help: 'Of those without an answer: refused, because a quota lets nothing pass then.',
  });
  const reached = registry.gauge({
    name: 'ragwarden_gateway_upstream_reached',
    help: '0 while the breaker of an upstream is open, else 1.',
    labels: ['upstream'],
  });
  registry.collector({
    name: 'gateway',
    sets: [up, connections, underWay, waiting, dropped, unanswered, refusedUnanswered, reached],
    collect() {
      const { phase, worker } = gateway.lastStatus();
      up.set(phase === 'running' ? 1 : 0);
      connections.set(worker?.connections ?? 0);
      underWay.set(worker?.exchanges ?? 0);
      waiting.set(worker?.barrier.waiting ?? 0);
      dropped.set(worker?.dropped ?? 0);
      unanswered.set(worker?.unansweredAsks ?? 0);
      refusedUnanswered.set(worker?.refusedUnansweredAsks ?? 0);
      for (const { id, breaker } of worker?.upstreams ?? []) reached.labels(id).set(breaker === 'open' ? 0 : 1);
    },
  });
}
