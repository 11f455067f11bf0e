import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ToldAlert } from './notification.ts';
import { decideTold } from './notification.ts';
import { type Group, type PlanInput, planMessages } from './plan.ts';
import { findDestinations, readRouting } from './routing.ts';
import type { Silence } from './silence.ts';
import { firing, resolved, route } from './test-notify.ts';

const minute = 60_000;
const start = Date.UTC(2026, 0, 1);
const wait = 30_000;
const interval = 5 * minute;
const repeat = 60 * minute;

const routing = readRouting({
  routes: [
    route({
      matchers: ['team=db'],
      receivers: ['pager'],
      groupBy: ['team'],
      repeatIntervalMs: repeat,
      escalate: [{ afterMs: 20 * minute, receivers: ['chat'] }],
    }),
  ],
  fallback: route({ receivers: ['chat'], repeatIntervalMs: repeat }),
});
const receivers = ['pager', 'chat', 'central'].map((id) => ({ id, sendResolved: true, takesState: id === 'central' }));

type Step =
  | { readonly does: 'fire' | 'resolve' | 'acknowledge' | 'silence' | 'unsilence'; readonly key: string }
  | { readonly does: 'pass'; readonly ms: number };

const key = fc.constantFrom('db-a', 'db-b', 'web-a');
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ does: fc.constantFrom('fire', 'resolve', 'acknowledge', 'silence', 'unsilence'), key }),
  fc.record({ does: fc.constant('pass'), ms: fc.integer({ min: 1_000, max: 30 * minute }) }),
);
const labelsOf = (one: string) => ({ alertname: one, severity: 'warning', team: one.startsWith('db') ? 'db' : 'web' });

type Sent = {
  readonly atMs: number;
  readonly receiver: string;
  readonly group: string;
  readonly reason: string;
  readonly alerts: readonly string[];
};

/** A naive life: alerts by key, silences by key, a plan at each moment at which one is due, as the job would look. */
function live(steps: readonly Step[]) {
  let nowMs = start;
  let alerts: ToldAlert[] = [];
  let groups: readonly Group[] = [];
  let silences: Silence[] = [];
  const sent: Sent[] = [];
  const input = (): PlanInput => ({ alerts, groups, silences, receivers, routing });
  const plan = (): number | null => {
    const made = planMessages(input(), nowMs);
    for (const { group, message } of made.messages)
      sent.push({
        ...{ atMs: nowMs, receiver: group.receiverId, group: group.id, reason: message.reason },
        alerts: message.alerts.map((one) => `${one.key} ${one.status}`),
      });
    groups = made.groups;
    alerts = alerts.filter((one) => !made.forget.includes(one.key));
    const again = planMessages(input(), nowMs);
    expect(again.messages).toEqual([]);
    expect(again.groups).toEqual(groups);
    return made.nextMs;
  };
  const pass = (untilMs: number): void => {
    for (let next = plan(); next !== null && next <= untilMs; next = plan()) {
      expect(next).toBeGreaterThan(nowMs);
      nowMs = next;
    }
    nowMs = untilMs;
    plan();
  };
  const tell = (told: ToldAlert | undefined, of: string): void => {
    alerts = [...alerts.filter((one) => one.key !== of), ...(told ? [told] : [])];
  };
  for (const one of steps) {
    if (one.does === 'pass') {
      pass(nowMs + one.ms);
      continue;
    }
    const known = alerts.find((alert) => alert.key === one.key);
    const more = { labels: labelsOf(one.key), startsAtMs: nowMs };
    if (one.does === 'fire') tell(decideTold(known, firing(one.key, more), nowMs), one.key);
    if (one.does === 'resolve') tell(decideTold(known, resolved(one.key, more), nowMs), one.key);
    if (one.does === 'acknowledge' && known?.status === 'firing')
      tell({ ...known, acknowledged: { by: 'ann', atMs: nowMs, note: null } }, one.key);
    if (one.does === 'silence')
      silences.push({
        ...{ id: `sil_${silences.length}`, matchers: [{ label: 'alertname', value: one.key, equal: true }] },
        ...{ fromMs: nowMs, untilMs: nowMs + 40 * minute, by: 'ann', comment: '', createdMs: nowMs },
      });
    if (one.does === 'unsilence')
      silences = silences.map((silence) =>
        silence.matchers[0]?.value === one.key && silence.untilMs > nowMs ? { ...silence, untilMs: nowMs } : silence,
      );
    plan();
  }
  return { sent, alerts: () => alerts, silences: () => silences, nowMs: () => nowMs, pass };
}

const runs = { numRuns: 150 };

test('a receiver hears of an end only after the beginning, and of each end once', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const open = new Set<string>();
      for (const { group, alerts } of live(steps).sent)
        for (const alert of alerts) {
          const [of = '', status] = alert.split(' ');
          if (status === 'firing') open.add(`${group} ${of}`);
          else expect(open.delete(`${group} ${of}`), `${alert} without a beginning`).toBe(true);
        }
    }),
    runs,
  );
});

test('whatever went before: what fires, is not silenced and not acknowledged is heard of, and so is its end', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), key, (steps, of) => {
      const life = live([
        ...steps,
        { does: 'resolve', key: of },
        { does: 'pass', ms: 50 * minute },
        { does: 'fire', key: of },
      ]);
      const toldAt = life.nowMs();
      const before = life.sent.length;
      life.pass(toldAt + interval + wait);
      const receiver = of.startsWith('db') ? 'pager' : 'chat';
      const heard = life.sent
        .slice(before)
        .filter((one) => one.receiver === receiver && one.alerts.includes(`${of} firing`));
      expect(heard.length, `${of} at ${receiver}`).toBeGreaterThan(0);
      const after = live([...steps, { does: 'resolve', key: of }, { does: 'pass', ms: 120 * minute }]);
      expect(after.alerts().some((one) => one.key === of)).toBe(false);
    }),
    runs,
  );
});

test('between two messages of a group lies its interval, except where only the state is taken', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const last = new Map<string, number>();
      for (const { group, receiver, atMs } of live(steps).sent) {
        const before = last.get(group);
        if (receiver !== 'central' && before !== undefined) expect(atMs - before).toBeGreaterThanOrEqual(interval);
        last.set(group, atMs);
      }
    }),
    runs,
  );
});

test('nothing silenced is told of while it is, and nothing acknowledged is repeated or passed on for its own sake', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), key, (steps, of) => {
      const others = steps.filter((one) => one.does === 'pass' || one.key === of);
      const life = live([...others, { does: 'fire', key: of }, { does: 'silence', key: of }]);
      const before = life.sent.length;
      life.pass(life.nowMs() + 39 * minute);
      expect(life.sent.slice(before).flatMap(({ alerts }) => alerts)).toEqual([]);
      const acknowledged = live([
        { does: 'fire', key: of },
        { does: 'pass', ms: minute },
        { does: 'acknowledge', key: of },
      ]);
      const told = acknowledged.sent.length;
      acknowledged.pass(acknowledged.nowMs() + 10 * repeat);
      expect(acknowledged.sent.slice(told)).toEqual([]);
    }),
    runs,
  );
});

test('what only takes the state hears each change at once, and neither repeats nor acknowledgements', () => {
  const everybody = readRouting({ routes: [], fallback: route({ receivers: ['central'] }) });
  const alert = decideTold(undefined, firing('web-a'), start);
  const at = (alerts: ToldAlert[], groups: readonly Group[], nowMs: number) =>
    planMessages({ alerts, groups, silences: [], receivers, routing: everybody }, nowMs);
  const first = at(alert ? [{ ...alert, acknowledged: { by: 'ann', atMs: start, note: null } }] : [], [], start);
  expect(first.messages).toHaveLength(1);
  expect(at(alert ? [alert] : [], first.groups, start + 30 * 86_400_000).messages).toEqual([]);
  const end = decideTold(alert, resolved('web-a'), start);
  expect(at(end ? [end] : [], first.groups, start).messages[0]?.message.status).toBe('resolved');
});

test('who is told: the first route that matches, later ones where it goes on, directly named ones, and somebody in any case', () => {
  const named = (...matchers: string[]) => ({ matchers });
  const rules = readRouting({
    routes: [
      route({ ...named('severity=critical'), receivers: ['pager'], goOn: true }),
      route({ ...named('team=web*', 'site!=north'), receivers: ['web', 'gone'] }),
      route({ ...named('team=web*'), receivers: ['gone'] }),
    ],
    fallback: route({ receivers: ['chat'] }),
  });
  const usable = new Set(['pager', 'web', 'chat']);
  const to = (labels: Record<string, string>, receiverNames: readonly string[] | null = null, among = usable) => {
    const alert = decideTold(undefined, firing('k', { labels, receivers: receiverNames }), start);
    return (
      alert &&
      findDestinations(alert, rules, among)
        .map(({ receiverId }) => receiverId)
        .toSorted()
    );
  };
  expect(to({ severity: 'critical', team: 'web-shop' })).toEqual(['pager', 'web']);
  expect(to({ team: 'web-shop' })).toEqual(['web']);
  // The third one names only somebody who is gone.
  expect(to({ team: 'web-shop', site: 'north' })).toEqual(['chat']);
  expect(to({ team: 'db' })).toEqual(['chat']);
  expect(to({ team: 'db' }, ['web'])).toEqual(['web']);
  expect(to({ team: 'db' }, ['gone'])).toEqual(['chat']);
  expect(to({ team: 'db' }, null, new Set(['web', 'pager']))).toEqual(['pager', 'web']);
  expect(to({ team: 'db' }, null, new Set())).toEqual([]);
});
