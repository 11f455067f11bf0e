import type { EventRecorder } from '../events/index.ts';
import type { ContainerSample, HostSampler } from '../host/index.ts';
import type { Database } from '../platform/database/index.ts';
import type { Logger } from '../platform/logging.ts';

/** A process that the kernel ended leaves no word itself: whoever finds it missing looks here. */
export function recordOomKills(deps: {
  sampler: Pick<HostSampler, 'onSample'>;
  db: Pick<Database, 'unit'>;
  events: Pick<EventRecorder, 'record'>;
  log: Logger;
}): void {
  const { sampler, db, events, log } = deps;
  const tell = (whose: string, container: ContainerSample | undefined): void => {
    const killed = container?.memory?.newOomKills ?? 0;
    if (container === undefined || killed === 0) return;
    const message = `The kernel ended ${killed === 1 ? 'a process' : `${killed} processes`} in ${whose} container for want of memory.`;
    log.warn({ killed, path: container.path }, message);
    db.unit((tx) =>
      events.record(tx, {
        type: 'host.oom-kill',
        severity: 'error',
        message,
        data: { killed, limit_bytes: container.memory?.limitBytes ?? null, cgroup: container.path },
      }),
    ).catch((err: unknown) => log.error({ err }, 'the event of a killed process could not be written'));
  };
  sampler.onSample(({ container, targetContainer }) => {
    tell("ragwarden's", container);
    tell("the backend's", targetContainer);
  });
}
