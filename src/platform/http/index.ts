/**
 * The HTTP server and what every route has in common: access classes, Host check, problem+json, request ids, security
 * headers, event streams, listeners that explain a taken port.
 */
export {
  type AccessClass,
  type AccessDecision,
  decideAccess,
  type Principal,
  type Role,
} from './access-class.ts';
export { eventStreamAnswer, textAnswer } from './answers.ts';
export { etagOf, requireIfMatch } from './etag.ts';
export { readableJson } from './json.ts';
export { type Listening, type ListenOptions, listen, listenError, listenPlain, type PlainListener } from './listen.ts';
export { type ApiDocument, describeApi } from './openapi.ts';
export { findPortHolder } from './port-holder.ts';
export { logRefusal, type Problem } from './problem.ts';
export type { RouteEntry } from './route-description.ts';
export {
  createHttpServer,
  type HttpServer,
  type HttpServerOptions,
  type ResponseFacts,
  type RoutePlugin,
} from './server.ts';
export { formatSse, lastEventId, type SseMessage, type SseOptions, sseStream } from './sse.ts';
