import type { Admitted } from './admission.ts';
import type { OverrideValues, QueryOverrides } from './ports.ts';

/** Bodies of queries are some hundred bytes; a larger one passes as it comes, unread. Bytes. */
export const largestMended = 64 * 1024;

/** LightRAG's routes that take a query. Those of Ollama have a body of another shape, and are left alone. */
const queryRoutes: ReadonlySet<string> = new Set(['POST /query', 'POST /query/stream', 'POST /query/data']);
/** Whoever sends one of these vouches for the very bytes. */
const vouching = ['digest', 'content-digest', 'repr-digest', 'content-md5', 'signature', 'signature-input'] as const;
/** What a caller says of one of them is meant together with the backend's own of the others. */
const budgets: ReadonlySet<string> = new Set(['max_entity_tokens', 'max_relation_tokens', 'max_total_tokens']);

/**
 * What is to be added to the body of a request; undefined where it passes as it comes: no policy, nobody's values, another route, a
 * body that is not small plain JSON of a length that was said. Only the holder of a key of ours has values of a user: what a caller
 * says of itself otherwise is not proven here.
 */
export function findOverrides(
  overrides: QueryOverrides | undefined,
  { door, key, route, head, destination }: Pick<Admitted, 'door' | 'key' | 'route' | 'head' | 'destination'>,
): OverrideValues | undefined {
  if (overrides === undefined || door !== 'backend' || !queryRoutes.has(route.route)) return undefined;
  const values = {
    ...overrides.byUpstream[destination.id],
    ...(key !== undefined && Object.hasOwn(overrides.byUser, key.subject) ? overrides.byUser[key.subject] : {}),
  };
  if (Object.keys(values).length === 0) return undefined;
  const { headers } = head;
  const length = Number(headers['content-length']);
  const isPlain = headers['transfer-encoding'] === undefined && headers['content-encoding'] === undefined;
  if (!isPlain || !Number.isInteger(length) || length === 0 || length > largestMended) return undefined;
  if (vouching.some((name) => headers[name] !== undefined)) return undefined;
  return isJson(headers['content-type']) ? values : undefined;
}

function isJson(contentType: string | string[] | undefined): boolean {
  if (typeof contentType !== 'string') return false;
  const [type = '', ...parameters] = contentType.toLowerCase().split(';');
  return (
    type.trim() === 'application/json' &&
    parameters.every((one) => !one.trim().startsWith('charset=') || /^charset="?utf-8"?$/.test(one.trim()))
  );
}

/**
 * The body with what its caller left open, and what that was. Every byte of the caller stays: the fields are written before the brace
 * that closes the object. Undefined where nothing is to be added, and for what is no JSON object: then the backend judges it.
 */
export function mendQuery(
  body: Buffer,
  overrides: OverrideValues,
): { readonly body: Buffer; readonly added: readonly string[] } | undefined {
  let said: unknown;
  try {
    // Not lenient, so that what is read here is what stands there.
    said = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body));
  } catch {
    return undefined;
  }
  if (typeof said !== 'object' || said === null || Array.isArray(said)) return undefined;
  const object = said;
  const saysBudget = [...budgets].some((name) => Object.hasOwn(object, name));
  const open = Object.entries(overrides).filter(
    ([name]) => !Object.hasOwn(object, name) && !(saysBudget && budgets.has(name)),
  );
  if (open.length === 0) return undefined;
  const end = body.lastIndexOf('}');
  const fields = open.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',');
  const comma = Object.keys(object).length === 0 ? '' : ',';
  return {
    body: Buffer.concat([body.subarray(0, end), Buffer.from(`${comma}${fields}`), body.subarray(end)]),
    added: open.map(([name]) => name),
  };
}
