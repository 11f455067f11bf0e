// Parts of the package, by their files: all of it costs fifty milliseconds and twelve MiB at each start, for caches, mocks, WebSockets and a
// `fetch` that nobody here asks for. The version is pinned, and the tests of the HTTP client hold what is used of them.
declare module 'undici/lib/dispatcher/agent.js' {
  export { Agent as default } from 'undici';
}
declare module 'undici/lib/api/api-request.js' {
  import type { Dispatcher } from 'undici';
  /** `dispatcher.request`, which only the whole package puts onto its dispatchers. */
  export default function request(
    this: Dispatcher,
    options: Dispatcher.RequestOptions,
  ): Promise<Dispatcher.ResponseData>;
}
declare module 'undici/lib/core/errors.js' {
  export { errors as default } from 'undici';
}
