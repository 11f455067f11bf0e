import type { EventRecorder, NewEvent } from '../events/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database, Tx } from '../platform/database/index.ts';
import type { Logger } from '../platform/logging.ts';
import { createReconciler, type Reconciler } from '../platform/reconciler.ts';
import { describeLeak, suggestAction } from './leak.ts';
import type { LeakChange, ResourceRegistry } from './resource-registry.ts';

/** Told one by one in one run; beyond that they are told as a number, so that a flood of leaks is none of events. */
const mostTold = 20;

type News = { readonly told: readonly NewEvent[]; readonly found: number; readonly retracted: number };
const nothing: News = { told: [], found: 0, retracted: 0 };

/** Looks for leaks every so often, and tells each once when it is found and once when it is none any more. */
export function createLeakScan(options: {
  resources: ResourceRegistry;
  intervalMs: number;
  db: Pick<Database, 'unit'>;
  events: Pick<EventRecorder, 'record'>;
  clock: Clock;
  log: Logger;
}): { readonly job: Reconciler; note(change: LeakChange): void } {
  const { resources, db, events, clock, log, intervalMs } = options;
  let news = nothing;

  const add = (more: News): void => {
    const room = Math.max(0, mostTold - news.told.length);
    const told = [...news.told, ...more.told.slice(0, room)];
    const rest = more.told.slice(room);
    const found = rest.filter(({ type }) => type === 'resource.leak-found').length;
    news = {
      told,
      found: news.found + more.found + found,
      retracted: news.retracted + more.retracted + rest.length - found,
    };
  };

  const tell = async (tx: Tx, { told, found, retracted }: News): Promise<void> => {
    for (const event of told) await events.record(tx, event);
    const rest: readonly (readonly [NewEvent['type'], NewEvent['severity'], number, string])[] = [
      ['resource.leaks-found', 'warning', found, 'more leaks were found.'],
      ['resource.leaks-retracted', 'info', retracted, 'more leaks are none any more.'],
    ];
    for (const [type, severity, count, words] of rest)
      if (count > 0) await events.record(tx, { type, severity, message: `${count} ${words}`, data: { count } });
  };

  const job = createReconciler({
    name: 'leak scan',
    intervalMs,
    clock,
    log,
    async run(signal) {
      await resources.scan(signal);
      const telling = news;
      if (telling === nothing) return;
      news = nothing;
      try {
        await db.unit((tx) => tell(tx, telling));
      } catch (err) {
        // The next run tells them.
        const since = news;
        news = telling;
        add(since);
        throw err;
      }
    },
  });
  return { job, note: (change) => add({ ...nothing, told: [eventOf(change, resources.nowMs())] }) };
}

function eventOf({ leak, retracted }: LeakChange, nowMs: number): NewEvent {
  const { id, type, owner, workspaceId } = leak.resource;
  const facts = { resource_id: id, resource_type: type, owner, severity: leak.severity, rule: leak.rule };
  const workspace = workspaceId === null ? {} : { workspace: workspaceId };
  if (retracted === undefined)
    return {
      ...{ type: 'resource.leak-found', severity: 'warning', ...workspace },
      message: `${describeLeak(leak, nowMs)} ${suggestAction(leak)}`,
      data: facts,
    };
  const because = { used: 'used', 'sign-of-life': 'claimed', released: 'freed', unregistered: 'unregistered' }[
    retracted
  ];
  return {
    ...{ type: 'resource.leak-retracted', severity: 'info', ...workspace },
    message: `${type} "${id}" is no leak any more: it was ${because}.`,
    data: { ...facts, reason: retracted },
  };
}
