import type { Sources } from '../api/recovery-wire.ts';
import { Word } from '../parts/mark.tsx';
import { sources } from '../state/page-state.ts';

const backBy: Readonly<Record<string, string>> = {
  swap: 'goes back name by name',
  restorer: 'goes back by its own means',
  'by-hand': 'goes back by hand',
};

/** What a point taken now would hold and lack, and what each part of it is worth. */
export function PointSources() {
  const now = sources.value.value;
  if (now === undefined || now.items.length + now.missing.length === 0) return null;
  return (
    <details class="sources">
      <summary>{sourcesInWords(now)}</summary>
      <ul>
        {now.items.map((one) => (
          <li key={one.name}>
            <strong>{one.name}</strong> {one.kind} ·{' '}
            {one.consistent === 'always' ? 'one moment by construction' : 'one moment when nothing moves meanwhile'}
            {!one.online && ' · only while the backend rests'}
            {` · ${backBy[one.restored_by] ?? one.restored_by}`}
            {one.restorable_elsewhere && ', elsewhere too'}
            {one.notes.map((note) => (
              <span key={note} class="component-counts">
                {note}
              </span>
            ))}
          </li>
        ))}
        {now.missing.map((one) => (
          <li key={one.name}>
            <Word word="warning" text={one.name} /> {one.reason}
          </li>
        ))}
      </ul>
    </details>
  );
}

/** `A point holds workspace, inputs; not redis`. */
export function sourcesInWords({ items, missing }: Pick<Sources, 'items' | 'missing'>): string {
  const names = items.map((one) => one.name).join(', ');
  const lacks = missing.length === 0 ? '' : `; not ${missing.map((one) => one.name).join(', ')}`;
  return `A point holds ${names || 'nothing'}${lacks}`;
}
