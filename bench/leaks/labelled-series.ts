/**
 * Two days of a process every thirty seconds, with the truth beside them: twelve harmless families and twelve that leak. The same seed
 * gives the same series, so what a detector was tuned on is never what it is judged by.
 */
export type LabelledSeries = {
  readonly family: string;
  readonly kind: 'bytes' | 'handles' | 'sessions';
  /** Undefined: nothing leaks. */
  readonly leak: { readonly onsetHours: number; readonly sharePerHour: number; readonly base: number } | undefined;
  readonly values: Float64Array;
  readonly upSeconds: Float64Array;
};
export const sampleSeconds = 30;
const samples = (48 * 3_600) / sampleSeconds;

export type Dice = ReturnType<typeof createDice>;

/** mulberry32, seeded by a text. */
export function createDice(seed: string) {
  let state = 2_166_136_261;
  for (const char of seed) state = Math.imul(state ^ (char.codePointAt(0) ?? 0), 16_777_619);
  const unit = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const between = (low: number, high: number): number => low + (high - low) * unit();
  const bell = (): number => Math.sqrt(-2 * Math.log(1 - unit())) * Math.cos(2 * Math.PI * unit());
  return {
    unit,
    between,
    bell,
    /** Evenly over orders of magnitude. */
    scaled: (low: number, high: number): number => low * (high / low) ** unit(),
    waiting: (mean: number): number => -mean * Math.log(1 - unit()),
    count(mean: number): number {
      if (mean > 40) return Math.max(0, Math.round(mean + Math.sqrt(mean) * bell()));
      let number = -1;
      for (let product = 1; product > Math.exp(-mean); product *= 1 - unit()) number += 1;
      return Math.max(0, number);
    },
  };
}

/** Level at one sample; `hour` since the start. Called once for each, in order. */
type Level = (hour: number) => number;
const stepHours = sampleSeconds / 3_600;

/** What a collector lets grow and takes back: from nothing to `height` in about `hours`. */
function sawtooth(dice: Dice, height: number, hours: number): Level {
  let held = height * dice.unit();
  let pace = 1;
  return () => {
    held += ((height * stepHours) / hours) * pace * Math.max(0, 1 + 0.3 * dice.bell());
    if (held > height * (1 + 0.05 * dice.bell())) {
      held *= dice.between(0.02, 0.07);
      pace = 1 / Math.max(0.3, 1 + 0.25 * dice.bell());
    }
    return held;
  };
}
/** Noise that remembers itself for a while. */
function noise(dice: Dice, size: number): Level {
  const memory = [0, 0.5, 0.9][Math.floor(3 * dice.unit())] ?? 0;
  const fresh = size * Math.sqrt(1 - memory * memory);
  let now = 0;
  return () => {
    now = memory * now + fresh * dice.bell();
    return now;
  };
}
function daily(dice: Dice, swing: number): Level {
  const shift = 24 * dice.unit();
  return (hour) => 1 + swing * Math.sin((Math.PI * (hour + shift)) / 12);
}
/** Now and then a burst of load: its height while it lasts. */
function bursts(dice: Dice, height: number, everyHours: number, lastsHours: number): Level {
  let left = 0;
  let now = 0;
  return () => {
    if (left > 0) left -= stepHours;
    else if (dice.unit() < stepHours / everyHours) {
      left = dice.waiting(lastsHours);
      now = dice.waiting(height);
    }
    return left > 0 ? now : 0;
  };
}
/** Memory of some size with noise and a collector. */
function memory(dice: Dice, least: number, most: number) {
  const base = dice.scaled(80, 2_500);
  const jitter = noise(dice, base * dice.scaled(0.002, 0.02));
  const young = sawtooth(dice, base * dice.between(least, most), dice.scaled(60, 1_500) / 3_600);
  return { base, rest: (hour: number): number => jitter(hour) + young(hour) };
}

type Made = {
  readonly kind?: LabelledSeries['kind'];
  readonly level: Level;
  readonly upHours?: (hour: number) => number;
};
type Leaking = Made & { readonly base: number; readonly share: number; readonly onsetHours?: number };

/** A service whose runs end at the given times. */
function restarting(nextRun: () => number) {
  let began = 0;
  let ends = nextRun();
  return (hour: number): { age: number; isNew: boolean } => {
    const isNew = hour > ends;
    if (isNew) {
      began = hour;
      ends = hour + nextRun();
    }
    return { age: hour - began, isNew };
  };
}

const harmless: Readonly<Record<string, (dice: Dice) => Made>> = {
  steady(dice) {
    const { base, rest } = memory(dice, 0, 0.01);
    return { level: (hour) => base + rest(hour) };
  },
  'warm-up'(dice) {
    const { base, rest } = memory(dice, 0, 0.1);
    const [share, tau] = [dice.between(0.3, 0.7), dice.scaled(600, 9_000) / 3_600];
    return { level: (hour) => base * (1 - share * Math.exp(-hour / tau)) + rest(hour) };
  },
  collections(dice) {
    const { base, rest } = memory(dice, 0.1, 0.6);
    return { level: (hour) => base + rest(hour) };
  },
  'slow collections'(dice) {
    const { base, rest } = memory(dice, 0.02, 0.1);
    const old = sawtooth(dice, base * dice.between(0.1, 0.35), dice.between(1, 5));
    return { level: (hour) => base + rest(hour) + old(hour) };
  },
  'daily load'(dice) {
    const { base, rest } = memory(dice, 0.02, 0.12);
    const day = daily(dice, dice.between(0.08, 0.35));
    return { level: (hour) => base * day(hour) + rest(hour) };
  },
  deploys(dice) {
    const { base, rest } = memory(dice, 0.02, 0.12);
    const tau = dice.scaled(300, 3_600) / 3_600;
    const run = restarting(() => 0.5 + dice.waiting(5));
    let size = base;
    let age = 0;
    return {
      level(hour) {
        const now = run(hour);
        if (now.isNew) size = base * dice.between(0.8, 1.3);
        age = now.age;
        return size * (1 - 0.45 * Math.exp(-age / tau)) + rest(hour);
      },
      upHours: () => age,
    };
  },
  'cache that fills'(dice) {
    const { base, rest } = memory(dice, 0.01, 0.08);
    const [cap, full] = [base * dice.between(0.15, 0.8), dice.between(1.5, 8)];
    return { level: (hour) => base + cap * Math.min(1, hour / full) + rest(hour) };
  },
  fragmentation(dice) {
    const { base, rest } = memory(dice, 0.01, 0.08);
    const size = base * dice.between(0.02, 0.06);
    return { level: (hour) => base + size * Math.log1p(6 * hour) + rest(hour) };
  },
  'high water'(dice) {
    const { base, rest } = memory(dice, 0, 0.01);
    const load = bursts(dice, 0.15 * base, 3, 1_500 / 3_600);
    let kept = 0;
    return {
      level(hour) {
        const now = load(hour);
        kept = Math.max(kept, 0.7 * now);
        return base + Math.max(kept, now) + rest(hour);
      },
    };
  },
  'load step'(dice) {
    const { base, rest } = memory(dice, 0.02, 0.1);
    const [at, height, lasts] = [dice.between(3, 40), dice.between(0.1, 0.5), dice.between(0.05, 1.5)];
    return { level: (hour) => base * (1 + height * Math.min(1, Math.max(0, (hour - at) / lasts))) + rest(hour) };
  },
  'descriptors under load'(dice) {
    const base = dice.scaled(20, 400);
    const [day, load] = [daily(dice, dice.between(0, 0.4)), bursts(dice, 0.5 * base, 3, 0.25)];
    return {
      kind: 'handles',
      level: (hour) => dice.count(0.4 * base) + Math.round(0.6 * base * day(hour) + load(hour)),
    };
  },
  'pool that fills'(dice) {
    const [most, tau] = [Math.floor(dice.between(10, 61)), dice.between(0.3, 5)];
    const day = daily(dice, dice.between(0, 0.3));
    let held = 1;
    return {
      kind: 'sessions',
      level(hour) {
        const wanted = most * (1 - Math.exp(-hour / tau)) * day(hour);
        held = Math.max(0.9995 * held, Math.min(most, wanted + Math.abs(dice.bell())));
        return Math.round(held);
      },
    };
  },
};

/** Memory that leaks a share of its base each hour, beside its warm-up and whatever else it does. */
const leakingMemory =
  (
    share: (dice: Dice) => number,
    more: {
      readonly collections?: number;
      readonly isLate?: boolean;
      readonly isDaily?: boolean;
      readonly byLoad?: boolean;
    } = {},
  ) =>
  (dice: Dice): Leaking => {
    const { base, rest } = memory(dice, 0.02, more.collections ?? 0.15);
    const [rate, first, tau] = [share(dice), dice.between(0, 0.4), dice.scaled(300, 3_000) / 3_600];
    const day = more.isDaily ? daily(dice, dice.between(0.05, 0.25)) : () => 1;
    const onsetHours = more.isLate ? dice.between(6, 30) : 0;
    let leaked = 0;
    return {
      ...{ base, share: rate, onsetHours },
      level(hour) {
        if (hour >= onsetHours) leaked += base * rate * stepHours * (more.byLoad ? Math.max(0, day(hour)) : 1);
        return base * (1 - first * Math.exp(-hour / tau)) * day(hour) + leaked + rest(hour);
      },
    };
  };

const leaking: Readonly<Record<string, (dice: Dice) => Leaking>> = {
  slow: leakingMemory((dice) => dice.between(0.005, 0.01)),
  medium: leakingMemory((dice) => dice.between(0.02, 0.05)),
  fast: leakingMemory((dice) => dice.scaled(0.1, 0.6)),
  'slow under collections': leakingMemory((dice) => dice.between(0.008, 0.02), { collections: 0.5 }),
  'late onset': leakingMemory((dice) => dice.between(0.015, 0.06), { isLate: true }),
  'under daily load': leakingMemory((dice) => dice.between(0.015, 0.05), { isDaily: true }),
  'as the load': leakingMemory((dice) => dice.between(0.015, 0.05), { isDaily: true, byLoad: true }),
  stairs(dice) {
    const { base, rest } = memory(dice, 0.01, 0.1);
    const [every, share] = [dice.between(0.2, 1.2), dice.between(0.01, 0.05)];
    let leaked = 0;
    return {
      ...{ base, share },
      level(hour) {
        if (dice.unit() < stepHours / every) leaked += base * share * every * Math.max(0.2, 1 + 0.4 * dice.bell());
        return base + leaked + rest(hour);
      },
    };
  },
  restarts(dice) {
    const { base, rest } = memory(dice, 0.01, 0.1);
    const [share, every] = [dice.between(0.03, 0.1), dice.between(5, 9)];
    const run = restarting(() => every);
    let age = 0;
    return {
      ...{ base, share },
      level(hour) {
        age = run(hour).age;
        return base * (1 - 0.4 * Math.exp(-4 * age) + share * age) + rest(hour);
      },
      upHours: () => age,
    };
  },
  'descriptors, slow'(dice) {
    const base = dice.scaled(20, 400);
    const day = daily(dice, dice.between(0, 0.25));
    const perHour = Math.max(0.5, base * dice.between(0.01, 0.04));
    let leaked = 0;
    return {
      ...{ kind: 'handles', base, share: perHour / base },
      level(hour) {
        leaked += dice.count(perHour * stepHours);
        return dice.count(0.3 * base) + Math.round(0.7 * base * day(hour)) + leaked;
      },
    };
  },
  'descriptors, fast'(dice) {
    const base = dice.scaled(20, 400);
    const perHour = base * dice.scaled(0.1, 1);
    let leaked = 0;
    return {
      ...{ kind: 'handles', base, share: perHour / base },
      level() {
        leaked += dice.count(perHour * stepHours);
        return Math.round(0.6 * base) + dice.count(0.4 * base) + leaked;
      },
    };
  },
  'sessions with a reaper'(dice) {
    const [base, perHour] = [Math.floor(dice.between(4, 21)), dice.between(0.4, 3)];
    const reaped = [0, 0, 0.02, 0.05][Math.floor(4 * dice.unit())] ?? 0;
    let leaked = 0;
    return {
      ...{ kind: 'sessions', base, share: perHour / base },
      level() {
        leaked += dice.count(perHour * stepHours);
        for (let one = leaked; one > 0; one -= 1) if (dice.unit() < reaped * stepHours) leaked -= 1;
        return base - 1 + dice.count(1.5) + leaked;
      },
    };
  },
};

export function* labelledSeries(perFamily: number, seed: string): Generator<LabelledSeries> {
  for (const [family, make] of [...Object.entries(harmless), ...Object.entries(leaking)])
    for (let number = 0; number < perFamily; number += 1) {
      const made: Made & Partial<Leaking> = make(createDice(`${seed} ${family} ${number}`));
      const values = new Float64Array(samples);
      const upSeconds = new Float64Array(samples);
      for (let at = 0; at < samples; at += 1) {
        const hour = at * stepHours;
        values[at] = Math.max(0, made.level(hour));
        upSeconds[at] = 3_600 * (made.upHours?.(hour) ?? hour);
      }
      const { base, share, onsetHours = 0, kind = 'bytes' } = made;
      const leak = base === undefined || share === undefined ? undefined : { base, sharePerHour: share, onsetHours };
      yield { family, kind, leak, values, upSeconds };
    }
}
