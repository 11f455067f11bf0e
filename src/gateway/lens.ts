import type { LlmReading, OperationClass, Outcome } from './observation.ts';

/**
 * What a request is, from its first line and headers. The path is canonical, has no query string, and is the one that the
 * upstream gets: without the prefix of its upstream, and for a provider what stands below `/llm/<provider>`.
 */
export type RequestHead = {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
};

export type RouteReading = {
  readonly operation: OperationClass;
  /** Method and pattern, of a bounded set. */
  readonly route: string;
  /**
   * Positively known to be a query, search, read or harmless; false: counts as insert for quota and write barrier.
   * A method other than GET or HEAD that no lens knows is never harmless.
   */
  readonly writes: boolean;
};

/** Reads along while an exchange passes. Knows one kind of API; holds no connection, no timer, no store. */
export type Lens = {
  classify(head: RequestHead): RouteReading;
  open(head: RequestHead, route: RouteReading): ExchangeReader;
};

/**
 * Sees the bytes of one exchange as they pass and keeps at most a bounded part of them (64 KiB of the request, one line of the
 * answer up to 64 KiB, more where `usage` of a whole answer needs its tail). Never throws: what it cannot read is null.
 */
export type ExchangeReader = {
  request(chunk: Uint8Array): void;
  answer(status: number, headers: Readonly<Record<string, string | string[] | undefined>>): void;
  /** @param sinceMs since the start of the exchange */
  response(chunk: Uint8Array, sinceMs: number): void;
  /** After the last byte, or after either side went away. Compressed answers are read from a bounded decoder of their own. */
  end(): Promise<Reading> | Reading;
};

export type Reading = {
  /** May differ from that of the route: `POST /query` with `only_need_context` is a search. */
  readonly operation: OperationClass;
  readonly mode: string | null;
  readonly stream: boolean;
  /** As far as the answer itself says; null when it says nothing wrong (the proxy then decides by status and connection). */
  readonly outcome: Outcome | null;
  readonly reason: string | null;
  readonly firstContentMs: number | null;
  readonly trackId: string | null;
  readonly llm: LlmReading | null;
};
