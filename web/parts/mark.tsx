/** How bad something is; each level has a shape of its own, so that nothing is told by colour alone. */
export type Level = 'good' | 'note' | 'warn' | 'bad' | 'none';

const levels: ReadonlyMap<string, Level> = new Map(
  Object.entries({
    healthy: 'good',
    success: 'good',
    succeeded: 'good',
    passed: 'good',
    clean: 'good',
    consistent: 'good',
    degraded: 'warn',
    warning: 'warn',
    partial: 'warn',
    incomplete: 'warn',
    fuzzy: 'warn',
    interrupted: 'warn',
    cancelled: 'note',
    'crash-consistent': 'note',
    leftovers: 'note',
    running: 'note',
    info: 'note',
    unhealthy: 'bad',
    offline: 'bad',
    critical: 'bad',
    error: 'bad',
    failed: 'bad',
    lost: 'bad',
    damaged: 'bad',
  } satisfies Record<string, Level>),
);

export const levelOf = (word: string): Level => levels.get(word.toLowerCase()) ?? 'none';

const shapes: Readonly<Record<Level, preact.JSX.Element>> = {
  good: <circle cx="6" cy="6" r="5" />,
  note: <rect x="2.5" y="2.5" width="7" height="7" transform="rotate(45 6 6)" />,
  warn: <path d="M6 .8 11.6 11H.4z" />,
  bad: <path d="M.8.8h10.4v10.4H.8z" />,
  none: <circle cx="6" cy="6" r="4.2" fill="none" stroke="currentColor" stroke-width="1.6" />,
};

/** In a box of 12 by 12, for drawings that hold more than one. */
export const shapeOf = (level: Level): preact.JSX.Element => shapes[level];

export function Mark({ level }: { level: Level }) {
  return (
    <svg class={`mark is-${level}`} viewBox="0 0 12 12" aria-hidden="true">
      {shapes[level]}
    </svg>
  );
}

/** A status word with its shape and colour. */
export function Word({ word, text }: { word: string; text?: string }) {
  const level = levelOf(word);
  return (
    <span class={`word is-${level}`}>
      <Mark level={level} />
      {text ?? word}
    </span>
  );
}
