/** The most urgent first, and of these who asked first. */
export type Slots = {
  /** Resolves with what gives the place back. @throws the signal's reason when it is aborted first */
  take(urgency: number, signal: AbortSignal): Promise<() => void>;
  readonly waiting: number;
  readonly taken: number;
};

/** @param most read whenever a place is given */
export function createSlots(most: () => number): Slots {
  let taken = 0;
  let asked = 0;
  const waiting: { readonly urgency: number; readonly order: number; readonly give: () => void }[] = [];
  const next = (): void => {
    while (taken < most() && waiting.length > 0) {
      waiting.sort((one, other) => other.urgency - one.urgency || one.order - other.order);
      taken += 1;
      waiting.shift()?.give();
    }
  };
  return {
    take: (urgency, signal) =>
      new Promise((resolve, reject) => {
        signal.throwIfAborted();
        asked += 1;
        const place = {
          ...{ urgency, order: asked },
          give() {
            signal.removeEventListener('abort', giveUp);
            let given = false;
            resolve(() => {
              if (given) return;
              given = true;
              taken -= 1;
              next();
            });
          },
        };
        const giveUp = (): void => {
          const at = waiting.indexOf(place);
          if (at >= 0) waiting.splice(at, 1);
          reject(signal.reason);
        };
        signal.addEventListener('abort', giveUp, { once: true });
        waiting.push(place);
        next();
      }),
    get waiting() {
      return waiting.length;
    },
    get taken() {
      return taken;
    },
  };
}
