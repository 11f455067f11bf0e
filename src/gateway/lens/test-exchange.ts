import type { Lens, Reading, RequestHead } from '../lens.ts';

export type SampleExchange = {
  readonly method: string;
  readonly path: string;
  readonly requestHeaders?: RequestHead['headers'];
  readonly request: Uint8Array;
  readonly status: number;
  readonly headers: RequestHead['headers'];
  readonly answer: Uint8Array;
};

/** Test support: an exchange read by a lens, its bytes cut at the places that are told. Each piece of the answer comes a millisecond later. */
export async function readExchange(
  lens: Lens,
  exchange: SampleExchange,
  cuts: { request?: readonly number[]; answer?: readonly number[] } = {},
): Promise<Reading & { readonly route: string; readonly writes: boolean }> {
  const { method, path, requestHeaders = {} } = exchange;
  const head = { method, path, query: '', headers: requestHeaders };
  const route = lens.classify(head);
  const reader = lens.open(head, route);
  for (const piece of cut(exchange.request, cuts.request ?? [])) reader.request(piece);
  reader.answer(exchange.status, exchange.headers);
  let sinceMs = 0;
  for (const piece of cut(exchange.answer, cuts.answer ?? [])) {
    sinceMs += 1;
    // Its memory is used again, as that of a socket is.
    const own = Uint8Array.from(piece);
    reader.response(own, sinceMs);
    own.fill(0x58);
  }
  return { ...(await reader.end()), route: route.route, writes: route.writes };
}

function* cut(bytes: Uint8Array, cuts: readonly number[]): Generator<Uint8Array> {
  let from = 0;
  for (const at of [...cuts].sort((a, b) => a - b)) {
    const to = Math.min(bytes.length, Math.max(from, at));
    if (to > from) yield bytes.subarray(from, to);
    from = to;
  }
  if (from < bytes.length) yield bytes.subarray(from);
}
