import type { MetricRegistry } from '../metrics/index.ts';
import type { Quotas, QuotaTotals } from './quotas.ts';

/** How quotas fare. Usage has no series of its own: buckets are users and keys, of which there may be any number. */
export function registerQuotaMetrics(registry: MetricRegistry, quotas: Quotas): void {
  const counters = {
    checks: registry.counter({
      name: 'ragwarden_quota_checks_total',
      help: 'Uses that at least one quota was a matter of, those that only count too.',
    }),
    blocks: registry.counter({ name: 'ragwarden_quota_denials_total', help: 'Uses that a quota turned away.' }),
    throttles: registry.counter({
      name: 'ragwarden_quota_throttled_total',
      help: 'Uses beyond a limit that went into the slow lane.',
    }),
    queued: registry.counter({ name: 'ragwarden_quota_queued_total', help: 'Uses that waited for room.' }),
    unguarded: registry.counter({
      name: 'ragwarden_quota_unguarded_total',
      help: 'Uses that passed while the ledger did not answer, because their quotas are open then.',
    }),
    refusedBlind: registry.counter({
      name: 'ragwarden_quota_refused_blind_total',
      help: 'Uses that were refused while the ledger did not answer.',
    }),
    resets: registry.counter({ name: 'ragwarden_quota_resets_total', help: 'Quotas that somebody began anew.' }),
  } satisfies Record<keyof QuotaTotals, unknown>;
  const exceeded = registry.counter({
    name: 'ragwarden_quota_exceeded_total',
    help: 'Uses found beyond a limit, those of quotas in shadow mode too.',
  });
  const warnings = registry.counter({
    name: 'ragwarden_quota_warnings_total',
    help: 'Uses above a limit that were allowed and warned of.',
  });
  const lost = registry.gauge({
    name: 'ragwarden_quota_ledger_lost',
    help: '1 while the ledger of the quotas does not answer, else 0.',
  });
  const defined = registry.gauge({ name: 'ragwarden_quotas', help: 'Quotas that are defined.', labels: ['mode'] });
  const waiting = registry.gauge({ name: 'ragwarden_quota_waiting', help: 'Uses that wait for their turn now.' });
  // Theirs from the start, so that the first one is an increase.
  const told: Record<string, number> = {};
  const follow = (name: string, counter: { inc(by: number): void }, value: number): void => {
    counter.inc(value - (told[name] ?? 0));
    told[name] = value;
  };
  registry.collector({
    name: 'quotas',
    sets: [lost, defined, waiting],
    collect() {
      for (const [name, value] of Object.entries(quotas.totals()))
        follow(name, counters[name as keyof QuotaTotals], value);
      const totals = quotas.violations.totals();
      follow('exceeded', exceeded, totals.violations);
      follow('warnings', warnings, totals.warnings);
      lost.set(quotas.lost.sinceMs() === null ? 0 : 1);
      waiting.set(quotas.waitingRoom.waiting());
      const all = quotas.definitions.all();
      const off = all.filter(({ enabled }) => !enabled).length;
      const shadow = all.filter(({ enabled, shadow: only }) => enabled && only).length;
      defined.labels('enforced').set(all.length - off - shadow);
      defined.labels('shadow').set(shadow);
      defined.labels('off').set(off);
    },
  });
}
