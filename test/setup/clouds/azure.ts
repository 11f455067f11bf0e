import { createHash, createHmac } from 'node:crypto';
import { type Cloud, type CloudAnswer, type CloudRequest, openCloud, rangeOf, type TestCloud } from './cloud.ts';

export const azureHost = '.blob.core.windows.net';

/** A blob service with one account. What restic asks is answered as Azurite does: recorded.test.ts holds it to what that said. */
export const openAzure = (account: AzureAccount): Promise<TestCloud> =>
  openCloud(azureBlob(account), [`*${azureHost}`]);

export type AzureAccount = {
  readonly name: string;
  /** Base64. */
  readonly key: string;
  /** The signature of a SAS that opens everything, where there is one. */
  readonly sas?: string;
};

export function azureBlob(account: AzureAccount): Cloud {
  /** Blocks that no list names yet. */
  const blocks = new Map<string, Buffer>();
  return (request, buckets) => {
    const refused = refuse(account, request);
    if (refused) return refused;
    const { method, url, body } = request;
    const [, container = '', ...rest] = decodeURIComponent(url.pathname).split('/');
    const name = rest.join('/');
    const ask = (key: string): string => url.searchParams.get(key) ?? '';
    if (ask('restype') === 'container' && method === 'PUT') {
      if (buckets.has(container))
        return refusal(409, 'ContainerAlreadyExists', 'The specified container already exists.');
      buckets.set(container, new Map());
      return { status: 201 };
    }
    const blobs = buckets.get(container);
    if (!blobs) return refusal(404, 'ContainerNotFound', 'The specified container does not exist.');
    if (ask('restype') === 'container') return ask('comp') === 'list' ? list(container, blobs, url) : { status: 200 };
    if (method === 'PUT') {
      if (ask('comp') === 'block') blocks.set(`${url.pathname} ${ask('blockid')}`, body);
      else if (ask('comp') === 'blocklist')
        blobs.set(
          name,
          Buffer.concat(namesOf(body.toString()).map((id) => blocks.get(`${url.pathname} ${id}`) ?? body)),
        );
      else blobs.set(name, body);
      return { status: 201, headers: { 'content-md5': createHash('md5').update(body).digest('base64') } };
    }
    const blob = blobs.get(name);
    if (!blob) return refusal(404, 'BlobNotFound', 'The specified blob does not exist.');
    if (method === 'DELETE') {
      blobs.delete(name);
      return { status: 202 };
    }
    return give(request, blob);
  };
}

const namesOf = (text: string): string[] =>
  [...text.matchAll(/<(?:Latest|Uncommitted|Committed)>([^<]+)</g)].map(([, id = '']) => id);

function give({ method, headers }: CloudRequest, blob: Buffer): CloudAnswer {
  const about = { 'content-type': 'application/octet-stream', 'x-ms-blob-type': 'BlockBlob', 'accept-ranges': 'bytes' };
  const range = method === 'HEAD' ? undefined : rangeOf(headers['x-ms-range'] ?? headers.range, blob.length);
  if (method === 'HEAD') return { status: 200, headers: { ...about, 'content-length': String(blob.length) } };
  if (!range) return { status: 200, headers: about, body: blob };
  const part = blob.subarray(range.first, range.last + 1);
  const told = `bytes ${range.first}-${range.last}/${blob.length}`;
  return { status: 206, headers: { ...about, 'content-range': told }, body: part };
}

/** Names in order, the whole of it or up to `maxresults` of them. */
function list(container: string, blobs: ReadonlyMap<string, Buffer>, url: URL): CloudAnswer {
  const ask = (key: string): string => url.searchParams.get(key) ?? '';
  const [prefix, marker] = [ask('prefix'), ask('marker')];
  const names = [...blobs.keys()].filter((name) => name.startsWith(prefix) && name >= marker).sort();
  const most = Number(ask('maxresults') || 5000);
  const shown = names.slice(0, most).map((name) => {
    const size = blobs.get(name)?.length ?? 0;
    const about = `<Content-Length>${size}</Content-Length><BlobType>BlockBlob</BlobType>`;
    return `<Blob><Name>${name}</Name><Properties>${about}</Properties></Blob>`;
  });
  const next = names[most];
  const body = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?><EnumerationResults ContainerName="${container}"><Prefix>${prefix}</Prefix><Blobs>${shown.join('')}</Blobs>${next === undefined ? '<NextMarker/>' : `<NextMarker>${next}</NextMarker>`}</EnumerationResults>`;
  return { status: 200, headers: { 'content-type': 'application/xml' }, body };
}

function refusal(status: number, code: string, message: string): CloudAnswer {
  const body = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`;
  return { status, headers: { 'x-ms-error-code': code, 'content-type': 'application/xml' }, body };
}

/** @see https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key */
function refuse(account: AzureAccount, { method, url, headers, body }: CloudRequest): CloudAnswer | undefined {
  if (url.hostname !== `${account.name}${azureHost}`) return refusal(404, 'ResourceNotFound', 'No such account.');
  const signature = url.searchParams.get('sig');
  if (signature !== null && signature === account.sas) return undefined;
  const length = body.length === 0 ? '' : String(body.length);
  const of = (name: string): string => headers[name] ?? '';
  const ours = Object.entries(headers)
    .filter(([name]) => name.startsWith('x-ms-'))
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, value]) => `${name}:${value}`);
  const queries = [...url.searchParams]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([key, value]) => `${key}:${value}`);
  const text = [
    ...[method, of('content-encoding'), of('content-language'), length, of('content-md5'), of('content-type'), ''],
    ...[of('if-modified-since'), of('if-match'), of('if-none-match'), of('if-unmodified-since'), of('range')],
    ...ours,
    ...[`/${account.name}${url.pathname}`, ...queries],
  ].join('\n');
  const wanted = createHmac('sha256', Buffer.from(account.key, 'base64')).update(text, 'utf8').digest('base64');
  if (headers.authorization === `SharedKey ${account.name}:${wanted}`) return undefined;
  return refusal(403, 'AuthorizationFailure', 'Server failed to authenticate the request.');
}
