import { createHash } from 'node:crypto';
import { type Cloud, type CloudAnswer, openCloud, rangeOf, type TestCloud } from './cloud.ts';

export const googleHost = 'storage.googleapis.com';

/** A storage service that takes one token. What restic asks is answered as fake-gcs-server does: recorded.test.ts holds it to that. */
export const openGoogle = (token: string): Promise<TestCloud> => openCloud(googleStorage(token), [googleHost]);

/** The JSON API and, for what is read, the plain address of an object. Uploads are whole ones: restic asks for no other. */
export function googleStorage(token: string): Cloud {
  return ({ method, url, headers, body }, buckets) => {
    // As documented: the servers that were recorded ask nobody who he is.
    if (headers.authorization !== `Bearer ${token}`) return refusal(401, 'authError', 'Invalid Credentials');
    const ask = (key: string): string => url.searchParams.get(key) ?? '';
    if (url.pathname === '/storage/v1/b' && method === 'POST') {
      const { name } = JSON.parse(body.toString()) as { name: string };
      if (buckets.has(name)) return refusal(409, 'conflict', 'You already own this bucket.');
      buckets.set(name, new Map());
      return json({ kind: 'storage#bucket', id: name, name });
    }
    const api = /^(?:\/upload)?\/storage\/v1\/b\/([^/]+)(?:\/o(?:\/([^/]+))?)?$/.exec(url.pathname);
    const [, plainBucket = '', plainName = ''] = /^\/([^/]+)\/(.+)$/.exec(url.pathname) ?? [];
    const bucket = api ? (api[1] ?? '') : plainBucket;
    const objects = buckets.get(bucket);
    if (!objects) return refusal(404, 'notFound', 'Not Found');
    if (api && !url.pathname.includes('/o')) return json({ kind: 'storage#bucket', id: bucket, name: bucket });
    if (method === 'POST') {
      const { name, content } = partsOf(headers['content-type'] ?? '', body);
      objects.set(name, content);
      return json(about(bucket, name, content));
    }
    const name = decodeURIComponent(api ? (api[2] ?? '') : plainName);
    if (api && name === '') return list(bucket, objects, ask);
    const object = objects.get(name);
    if (!object) return refusal(404, 'notFound', 'Not Found');
    if (method === 'DELETE') {
      objects.delete(name);
      return { status: 204 };
    }
    if (api && ask('alt') !== 'media') return json(about(bucket, name, object));
    const range = rangeOf(headers.range, object.length);
    const type = { 'content-type': 'application/octet-stream', 'x-goog-hash': hashesOf(object) };
    if (!range) return { status: 200, headers: type, body: object };
    const told = `bytes ${range.first}-${range.last}/${object.length}`;
    return {
      status: 206,
      headers: { ...type, 'content-range': told },
      body: object.subarray(range.first, range.last + 1),
    };
  };
}

const md5Of = (object: Buffer): string => createHash('md5').update(object).digest('base64');
const hashesOf = (object: Buffer): string => `md5=${md5Of(object)}`;

const about = (bucket: string, name: string, object: Buffer) => ({
  ...{ kind: 'storage#object', id: `${bucket}/${name}`, bucket, name, size: String(object.length) },
  ...{ md5Hash: md5Of(object), contentType: 'application/octet-stream', generation: '1', metageneration: '1' },
});

function list(bucket: string, objects: ReadonlyMap<string, Buffer>, ask: (key: string) => string): CloudAnswer {
  const names = [...objects.keys()].filter((name) => name.startsWith(ask('prefix')) && name >= ask('pageToken')).sort();
  const most = Number(ask('maxResults') || 1000);
  const items = names.slice(0, most).map((name) => about(bucket, name, objects.get(name) ?? Buffer.alloc(0)));
  const next = names[most];
  return json({ kind: 'storage#objects', items, ...(next === undefined ? {} : { nextPageToken: next }) });
}

/** `multipart/related`: what it is, then what is in it. */
function partsOf(type: string, body: Buffer): { name: string; content: Buffer } {
  const boundary = `--${/boundary="?([^";]+)/.exec(type)?.[1] ?? ''}`;
  const [, first = '', ...others] = body.toString('latin1').split(boundary);
  const { name } = JSON.parse(Buffer.from(contentOf(first), 'latin1').toString()) as { name: string };
  // What closes it follows the last boundary; a boundary in the content itself would be another one.
  return { name, content: Buffer.from(contentOf(others.slice(0, -1).join(boundary)), 'latin1') };
}

const contentOf = (part: string): string => part.slice(part.indexOf('\r\n\r\n') + 4, -2);

const json = (value: object): CloudAnswer => ({
  ...{ status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) },
});

const refusal = (code: number, reason: string, message: string): CloudAnswer => ({
  ...json({ error: { code, message, errors: [{ domain: 'global', reason, message }] } }),
  status: code,
});
