/** A request target as it is classified and forwarded: one spelling for one resource. */
export type CanonicalTarget =
  | {
      readonly ok: true;
      readonly path: string /** Without the question mark; as it was sent. */;
      readonly query: string;
    }
  | { readonly ok: false; readonly complaint: string };

/** What needs no second look: no escapes, no empty segment, no dot segment can be in it. */
const plain = /^(?:\/[A-Za-z0-9_~!$&'()*+,=:@-][A-Za-z0-9._~!$&'()*+,=:@-]*)*\/?$/;
const visible = /^[\x21-\x7e]*$/;
/** Of RFC 3986, what a segment holds as it is; all else is escaped. */
const heldAsIs = /[^A-Za-z0-9._~!$&'()*+,;=:@-]/gu;

const refused = (complaint: string): CanonicalTarget => ({ ok: false, complaint });

/**
 * Decodes the path of a request target once and writes it again in one way, so that what is judged here is what the upstream
 * reads. What two readers could take for different resources is refused: dot segments, empty segments, escaped slashes,
 * backslashes, control characters, bytes that are no UTF-8, whole URLs.
 */
export function canonicalTarget(target: string): CanonicalTarget {
  if (!target.startsWith('/')) return refused('The request target must be a path that begins with a slash.');
  if (!visible.test(target)) return refused('The request target holds characters that must be escaped.');
  const mark = target.indexOf('?');
  const raw = mark === -1 ? target : target.slice(0, mark);
  const query = mark === -1 ? '' : target.slice(mark + 1);
  if (query.includes('#')) return refused('The request target holds a fragment.');
  if (plain.test(raw)) return { ok: true, path: raw, query };
  if (/[\\#]/.test(raw)) return refused('The path holds a backslash or a fragment.');
  const segments = raw.split('/').slice(1);
  const written: string[] = [];
  for (const [index, segment] of segments.entries()) {
    const decoded = decodeOnce(segment);
    if (decoded === undefined) return refused('The path holds an escape that is no UTF-8.');
    if (/[/\\]/.test(decoded)) return refused('The path holds an escaped slash or backslash.');
    if (/\p{Cc}/u.test(decoded)) return refused('The path holds control characters.');
    // Some servers cut a segment at its first semicolon before they resolve dots.
    if (/^\.{1,2}(?:;|$)/.test(decoded)) return refused('The path holds dot segments.');
    if (decoded === '' && index < segments.length - 1) return refused('The path holds an empty segment.');
    written.push(decoded.replace(heldAsIs, (character) => encodeURIComponent(character)));
  }
  return { ok: true, path: `/${written.join('/')}`, query };
}

function decodeOnce(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
