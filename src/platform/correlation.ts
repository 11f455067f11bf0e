import { AsyncLocalStorage } from 'node:async_hooks';

/** What a piece of work belongs to: the request, the operation or the run that it began with, and who stood behind that. */
export type Correlation = {
  /** The id of the request (`X-Request-Id`), or of the operation where nobody asked. */
  readonly id: string;
  /** Subject of the principal; undefined: nobody asked, it is ragwarden's own decision. */
  readonly actor: string | undefined;
};

// Holds nothing by itself: each value lives as long as the work that was begun with it.
const current = new AsyncLocalStorage<Correlation | undefined>();

/** Runs `work`; whatever it begins, now or later, belongs to `correlation`, or to nothing. */
export const withCorrelation = <Result>(correlation: Correlation | undefined, work: () => Result): Result =>
  current.run(correlation, work);

/** Undefined in work that nobody began by name. */
export const currentCorrelation = (): Correlation | undefined => current.getStore();
