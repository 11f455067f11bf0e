import type { ComponentChildren } from 'preact';
import type { Asked } from '../state/asked.ts';
import type { Paged } from '../state/paged.ts';
import { Action, Sentence, Trouble, Unknown } from './text.tsx';

/** What was asked for: not there yet, refused, there, or there and no longer fresh. */
export function Loaded<T>({ asked, children }: { asked: Asked<T>; children(value: T): ComponentChildren }) {
  const { value, problem } = asked;
  if (value === undefined)
    return problem === undefined ? (
      <p>
        <Unknown />
      </p>
    ) : (
      <p class="empty" role="status">
        <Sentence text={problem} />
      </p>
    );
  return (
    <>
      <Trouble text={problem} />
      {children(value)}
    </>
  );
}

/** The server's words when a press was refused. */
export function Refusal({ text }: { text: string | undefined }) {
  return text === undefined ? null : (
    <p class="refusal" role="alert">
      <Sentence text={text} />
    </p>
  );
}

/** How a list that is no table goes on; a table has it of its own. */
export function More({ of, name }: { of: Pick<Paged<unknown>, 'more' | 'isCut'>; name: string }) {
  if (of.isCut) return <p class="table-rest faint">There are older ones, which the API lists.</p>;
  return of.more === undefined ? null : (
    <p class="table-rest">
      <Action label="Show older ones" about={`Show older ones: ${name}`} onPress={() => void of.more?.()} />
    </p>
  );
}
