/**
 * Holds back what writes to a target while somebody takes a picture of it. A hold begins when the writes under way have
 * ended, lasts `maxMs` at most and then ends by itself.
 */
export type WriteGate = {
  /** Undefined: it may go on now. `full`: too many wait already. Otherwise `go` is called once it may, unless it left. */
  admit(targetId: string, go: () => void): { leave(): void } | 'full' | undefined;
  begin(targetId: string): void;
  end(targetId: string): void;
  /** Resolves when no write is under way any more, or `drainMs` later with how many still were; then nothing is held. */
  hold(id: string, targetId: string, times: { maxMs: number; drainMs: number }): Promise<number>;
  /** False: it had ended by itself, or never began. */
  release(id: string): boolean;
  /** Milliseconds until the hold of this target ends by itself; 0 when there is none. */
  heldForMs(targetId: string): number;
  status(): { readonly holding: readonly string[]; readonly waiting: number };
  stop(): void;
};

type Hold = { readonly id: string; readonly targetId: string; readonly untilMs: number; readonly end: NodeJS.Timeout };

/** Each waiting request is a connection that somebody keeps open. */
const mostWaiting = 1_000;

export function createWriteGate(now: () => number): WriteGate {
  const holds = new Map<string, Hold>();
  const running = new Map<string, number>();
  const waiting = new Map<string, Set<() => void>>();
  const drained = new Map<string, Set<() => void>>();

  const holdsOf = (targetId: string): Hold[] => [...holds.values()].filter((hold) => hold.targetId === targetId);

  const letGo = (id: string): boolean => {
    const hold = holds.get(id);
    if (hold === undefined) return false;
    clearTimeout(hold.end);
    holds.delete(id);
    if (holdsOf(hold.targetId).length === 0) {
      const all = waiting.get(hold.targetId);
      waiting.delete(hold.targetId);
      for (const go of all ?? []) go();
    }
    return true;
  };

  const awaitDrained = (targetId: string, drainMs: number): Promise<void> =>
    new Promise((resolve) => {
      const all = drained.get(targetId) ?? new Set();
      drained.set(targetId, all);
      const done = (): void => {
        clearTimeout(late);
        all.delete(done);
        resolve();
      };
      const late = setTimeout(done, drainMs);
      all.add(done);
    });

  return {
    admit(targetId, go) {
      if (holds.size === 0 || holdsOf(targetId).length === 0) return undefined;
      const all = waiting.get(targetId) ?? new Set();
      if (all.size >= mostWaiting) return 'full';
      waiting.set(targetId, all);
      all.add(go);
      return { leave: () => void all.delete(go) };
    },
    begin(targetId) {
      running.set(targetId, (running.get(targetId) ?? 0) + 1);
    },
    end(targetId) {
      const left = (running.get(targetId) ?? 1) - 1;
      running.set(targetId, left);
      if (left === 0) for (const done of [...(drained.get(targetId) ?? [])]) done();
    },
    async hold(id, targetId, { maxMs, drainMs }) {
      // From here on, or those that come while the last one ends would never let it end.
      holds.set(id, { id, targetId, untilMs: now() + maxMs, end: setTimeout(() => letGo(id), maxMs) });
      if ((running.get(targetId) ?? 0) > 0) await awaitDrained(targetId, Math.min(drainMs, maxMs));
      const left = running.get(targetId) ?? 0;
      if (left > 0) letGo(id);
      return left;
    },
    release: letGo,
    heldForMs: (targetId) => Math.max(0, ...holdsOf(targetId).map((hold) => hold.untilMs - now())),
    status: () => ({
      holding: [...new Set([...holds.values()].map((hold) => hold.targetId))],
      waiting: [...waiting.values()].reduce((sum, all) => sum + all.size, 0),
    }),
    stop() {
      for (const id of [...holds.keys()]) letGo(id);
    },
  };
}
