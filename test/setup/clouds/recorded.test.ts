import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { azureBlob } from './azure.ts';
import type { Buckets, Cloud, CloudAnswer } from './cloud.ts';
import { googleStorage } from './google.ts';

const recording = z.object({
  recordedFrom: z.string(),
  exchanges: z.array(
    z.object({
      ...{ method: z.string(), url: z.string(), headers: z.record(z.string(), z.string()) },
      ...{ body: z.string().default(''), answer: z.record(z.string(), z.unknown()) },
    }),
  ),
});
type Exchange = z.infer<typeof recording>['exchanges'][number];

const read = (file: string): readonly Exchange[] =>
  recording.parse(JSON.parse(readFileSync(`${import.meta.dirname}/../../fixtures/clouds/${file}`, 'utf8'))).exchanges;

const page = z.object({
  kind: z.string().optional(),
  name: z.string().optional(),
  size: z.string().optional(),
  items: z.array(z.object({ name: z.string(), size: z.string() })).default([]),
  error: z.object({ errors: z.array(z.object({ reason: z.string() })) }).optional(),
});

/** What a client reads of an answer; the recordings were made of what the servers said in the same way. */
function whatIsRead(method: string, { status, headers = {}, body = '' }: CloudAnswer): Record<string, unknown> {
  const [code, range, type = ''] = [headers['x-ms-error-code'], headers['content-range'], headers['content-type']];
  const said = { status, ...(code ? { code } : {}), ...(range ? { range } : {}) };
  const text = body.toString();
  if (method === 'HEAD') return { ...said, ...(status < 300 ? { bytes: Number(headers['content-length']) } : {}) };
  if (type.includes('xml') && status < 300) {
    const listed = text.matchAll(/<Name>([^<]+)<\/Name>.*?<Content-Length>(\d+)</gs);
    return { ...said, listed: [...listed].map(([, name, size]) => `${name} ${size}`) };
  }
  if (type.includes('json') && method !== 'DELETE') {
    const { kind, name, size, items, error } = page.parse(JSON.parse(text));
    if (error) return { ...said, code: error.errors[0]?.reason };
    if (kind === 'storage#objects') return { ...said, listed: items.map((one) => `${one.name} ${one.size}`) };
    return { ...said, kind, name, ...(size ? { bytes: Number(size) } : {}) };
  }
  return method === 'GET' && status < 300 ? { ...said, md5: createHash('md5').update(body).digest('hex') } : said;
}

const account = { name: 'points', key: Buffer.alloc(64, 'k').toString('base64') };

test.each<[string, string, Cloud, Partial<Record<string, number>>]>([
  ['Azurite', 'azure.json', azureBlob(account), {}],
  // Google documents an empty 204 for what was deleted; the server that was recorded says 200 and `null`.
  ['fake-gcs-server', 'google.json', googleStorage('a-token'), { DELETE: 204 }],
])('the stand-in says what %s said to restic, signatures and all', (_, file, cloud, statuses) => {
  const buckets: Buckets = new Map();
  const exchanges = read(file);
  expect(exchanges.length).toBeGreaterThan(50);
  for (const { method, url, headers, body, answer } of exchanges) {
    const request = { method, url: new URL(url), headers, body: Buffer.from(body, 'base64') };
    const wanted = { ...answer, status: statuses[method] ?? answer.status };
    expect(whatIsRead(method, cloud(request, buckets)), `${method} ${url}`).toEqual(wanted);
  }
});
