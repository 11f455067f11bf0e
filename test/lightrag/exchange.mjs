// One HTTP exchange, done and written down: what was asked, what came back, as a JSON file.

import { mkdir, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';

/** Sends and reads to the end. `pieces` are the body's parts as they arrived. */
function send(url, { method, path, headers, payload }) {
  return new Promise((resolve, reject) => {
    const request = httpRequest(new URL(path, url), { method, headers, agent: false }, (response) => {
      const pieces = [];
      response.on('data', (piece) => pieces.push(piece));
      const finish = (broken) => resolve({ response, text: Buffer.concat(pieces).toString('utf8'), pieces, broken });
      response.on('end', () => finish(false));
      response.on('error', () => finish(true));
    });
    request.on('error', reject);
    request.end(payload);
  });
}

function encodeMultipart({ name, filename, contentType, content }) {
  const boundary = 'ragwarden-boundary';
  const head = `--${boundary}\r\nContent-Disposition: form-data; name="${name}"; filename="${filename}"\r\nContent-Type: ${contentType}\r\n\r\n`;
  const payload = Buffer.concat([Buffer.from(head), Buffer.from(content), Buffer.from(`\r\n--${boundary}--\r\n`)]);
  return { type: `multipart/form-data; boundary=${boundary}`, payload };
}

function encodeBody({ body, form, multipart, raw }) {
  if (multipart) return encodeMultipart(multipart);
  if (form) return { type: 'application/x-www-form-urlencoded', payload: new URLSearchParams(form).toString() };
  if (raw !== undefined) return { type: 'application/json', payload: raw };
  if (body !== undefined) return { type: 'application/json', payload: JSON.stringify(body) };
  return {};
}

function decode(type, text) {
  if (type.startsWith('application/json')) return JSON.parse(text);
  if (!type.startsWith('application/x-ndjson')) return text;
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

/**
 * @param {{ url: string, headers?: Record<string, string>, folder?: string, scrub?: (text: string) => string }} options
 *   `headers` go with every request; without `folder` nothing is written
 */
export function createRecorder({ url, headers: always = {}, folder, scrub = (text) => text }) {
  async function exchange(method, path, options = {}) {
    const { type, payload } = encodeBody(options);
    const sent = { ...always, ...(type ? { 'Content-Type': type } : {}), ...options.headers };
    for (const name of Object.keys(sent)) if (sent[name] === undefined) delete sent[name];
    const length = payload === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(payload)) };
    const { response, text, broken } = await send(url, { method, path, headers: { ...sent, ...length }, payload });
    const { date: _date, ...received } = response.headers;
    const body = decode(received['content-type'] ?? '', text);
    const request = { method, path, headers: sent };
    for (const form of ['body', 'form', 'multipart', 'raw']) if (form in options) request[form] = options[form];
    return { request, response: { status: response.statusCode, headers: received, body, ...(broken && { broken }) } };
  }

  /** Does the exchange, writes `<name>.json` and returns the response (`status`, `headers`, `body`). */
  async function record(name, method, path, options = {}) {
    const { request, response } = await exchange(method, path, options);
    if (folder) {
      await mkdir(folder, { recursive: true });
      const text = scrub(JSON.stringify({ name, request, response }, null, 2));
      await writeFile(join(folder, `${name}.json`), `${text}\n`);
    }
    return response;
  }

  /** Does the exchange without writing it down. */
  async function ask(method, path, options = {}) {
    return (await exchange(method, path, options)).response;
  }

  return { record, ask };
}
