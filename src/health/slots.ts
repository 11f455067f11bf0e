export type Slots = {
  /** Resolves with the way out as soon as there is room, in the order of asking. */
  enter(): Promise<() => void>;
};

export function createSlots(most: number): Slots {
  let taken = 0;
  const waiting: (() => void)[] = [];
  const leaveOnce = (): (() => void) => {
    let left = false;
    return () => {
      if (left) return;
      left = true;
      const next = waiting.shift();
      if (next) next();
      else taken -= 1;
    };
  };
  return {
    async enter() {
      if (taken < most) taken += 1;
      // Whoever leaves hands the place on.
      else await new Promise<void>((resolve) => waiting.push(resolve));
      return leaveOnce();
    },
  };
}
