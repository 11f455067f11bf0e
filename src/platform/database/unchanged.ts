import type { Database } from './database.ts';

/** Enough for what is asked again and again; whoever asks for more than this asks for something else each time. */
const mostKept = 200;

/**
 * Answers again what was read before, as long as nothing was committed since: for what is asked every few seconds and changes
 * seldom. Building a statement costs many times what it takes to see that nothing changed. Where the database cannot tell, as one that
 * other processes write as well, everything is read each time.
 */
type Unchanged = <T>(key: string, read: () => Promise<T>) => Promise<T>;

export function createUnchanged(db: Pick<Database, 'version'>): Unchanged {
  const kept = new Map<string, Promise<unknown>>();
  let version: number | undefined;
  return <T>(key: string, read: () => Promise<T>): Promise<T> => {
    const now = db.version?.();
    if (now === undefined) return read();
    if (now !== version || kept.size >= mostKept) kept.clear();
    version = now;
    const known = kept.get(key);
    // Kept under this key by a call of the same statement, whose rows are of this type.
    if (known !== undefined) return known as Promise<T>;
    // What is committed while it is read is seen by the next one to ask, since the version was looked at before.
    const answer = read();
    kept.set(key, answer);
    answer.catch(() => {
      if (kept.get(key) === answer) kept.delete(key);
    });
    return answer;
  };
}
