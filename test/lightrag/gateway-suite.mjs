// The same conversation with a real LightRAG and with the sample backend, entirely through the gateway, and what is held
// against it: what ragwarden counted and timed must be what the caller, the backend and the model themselves say.

import { setTimeout as sleep } from 'node:timers/promises';
import { cafe, harbour, hitQuery, later, rivers, tokyo, upload } from './documents.mjs';

/** The gateway's time lies inside the caller's; what the caller sees besides it, and what clocks of two programs differ by. */
export const toleranceMs = { median: 25, each: 400 };

const unfinished = ['pending', 'parsing', 'analyzing', 'processing', 'preprocessed'];

/** A caller that writes down what it asked, what came of it by its own reading, and how long it took. */
function createCaller({ gateway, key }) {
  const asked = [];

  async function ask(operation, method, path, { body, form, headers = {} } = {}) {
    const payload = form ?? (body === undefined ? undefined : JSON.stringify(body));
    const type = form || body === undefined ? {} : { 'content-type': 'application/json' };
    const credentials = key === undefined ? {} : { 'x-api-key': key };
    const startedAt = performance.now();
    const response = await fetch(`${gateway}${path}`, {
      method,
      body: payload,
      headers: { ...credentials, ...type, ...headers },
    });
    let text = '';
    let firstContentMs = null;
    const decoder = new TextDecoder();
    for await (const piece of response.body ?? []) {
      text += decoder.decode(piece, { stream: true });
      if (firstContentMs === null && text.includes('"response"')) firstContentMs = performance.now() - startedAt;
    }
    const ms = performance.now() - startedAt;
    const one = { operation, method, path, status: response.status, text, ms, firstContentMs, mode: body?.mode };
    one.outcome = outcomeOf(one);
    asked.push(one);
    return { ...one, json: () => JSON.parse(text), headers: response.headers };
  }
  return { asked, ask };
}

/** By rules of its own, so that it is no copy of what is looked at. */
function outcomeOf({ status, text, path }) {
  if (status === 429) return 'rate_limited';
  if (status >= 500) return 'upstream_error';
  if (status >= 400) return 'client_error';
  const asksForAnswer = path.startsWith('/query') || path === '/api/chat';
  if (!asksForAnswer) return 'ok';
  if (/\{"error":/.test(text)) return 'hidden_error';
  if (text.includes('[no-context]')) return 'empty';
  if (path === '/query/data') return text.includes('"failure"') ? 'empty' : 'ok';
  if (/No relevant context found/.test(text)) return 'hidden_error';
  return 'ok';
}

/** Indexes and asks; `breakModel` makes answers of the model fail until the function that it returns is called. */
export async function converse({ gateway, key, breakModel, isSample }) {
  const { asked, ask } = createCaller({ gateway, key });
  const accepted = [];
  const insert = async (path, options) => {
    const answer = await ask('insert', 'POST', path, options);
    if (answer.status === 200) accepted.push(answer.json().track_id);
    return answer;
  };
  const asText = ({ text, source }) => ({ body: { text, file_source: source } });
  const counts = async () => (await ask('read', 'GET', '/documents/status_counts')).json().status_counts;
  const waitUntilDone = async () => {
    for (let i = 0; i < 600; i += 1) {
      const now = await counts();
      const { busy, pending_enqueues: waiting } = (await ask('read', 'GET', '/documents/pipeline_status')).json();
      if (!busy && !waiting && unfinished.every((status) => !now[status])) return now;
      await sleep(250);
    }
    throw new Error('the documents did not end');
  };

  await insert('/documents/text', asText(harbour));
  await insert('/documents/texts', {
    body: { texts: [rivers, tokyo].map((d) => d.text), file_sources: [rivers, tokyo].map((d) => d.source) },
  });
  const form = new FormData();
  form.append('file', new Blob([upload.text], { type: 'text/plain' }), upload.source);
  await insert('/documents/upload', { form });
  await waitUntilDone();
  for (const one of [cafe, ...later.slice(0, 2)]) await insert('/documents/text', asText(one));
  await waitUntilDone();
  // The content under another name is taken and fails as known; the name again is refused.
  await insert('/documents/text', asText({ ...harbour, source: 'copy.txt' }));
  await insert('/documents/text', asText(harbour));
  const ended = await waitUntilDone();

  const query = (path, body, headers) =>
    ask(searches(path, body) ? 'search' : 'query', 'POST', path, { body, headers });
  for (const mode of ['naive', 'mix', 'local']) await query('/query', { query: hitQuery, mode });
  await query('/query', { query: hitQuery, mode: 'mix', only_need_context: true });
  for (const mode of ['mix', 'naive'])
    await query('/query/stream', { query: `${hitQuery} In ${mode} words.`, mode, stream: true });
  await query('/query/data', { query: hitQuery, mode: 'mix' });
  await query('/query/data', { query: hitQuery, mode: 'naive' });
  await query('/query', { query: 'zzyx zzyxel zzyxan', mode: 'naive' });
  await query('/query', { query: 'x', mode: 'naive' });
  await ask('query', 'POST', '/api/chat', {
    body: {
      model: 'lightrag:latest',
      messages: [{ role: 'user', content: `/naive ${hitQuery} Once more?` }],
      stream: true,
    },
  });
  const mend = breakModel();
  await query('/query/stream', { query: `${hitQuery} While it breaks.`, mode: 'naive', stream: true });
  if (!isSample) await query('/query', { query: `${hitQuery} While it refuses.`, mode: 'naive' });
  mend();
  await ask('read', 'GET', '/graph/label/list');
  await ask('read', 'GET', '/health');
  if (key !== undefined)
    await ask('query', 'POST', '/query', { body: { query: hitQuery }, headers: { 'x-api-key': 'wrong' } });
  await ask('admin', 'POST', '/documents/cancel_pipeline');
  return { asked, accepted, ended };
}

const searches = (path, body) => path === '/query/data' || body.only_need_context === true;

/**
 * Compares; `check(what, held, seen)` is told each finding.
 * @param {{ conversed: object, read: (path: string) => Promise<any>, check: Function, backend: (method: string, path: string,
 *   body?: object) => Promise<any>, llm?: { calls: Record<string, number>, usage: object }, target: string }} given
 *   `read` asks ragwarden's API as admin, `backend` the backend itself, past the gateway
 */
export async function compare({ conversed, read, backend, llm, target, check }) {
  const { asked, accepted, ended } = conversed;
  const poll = async (look, enough) => {
    let last;
    for (let i = 0; i < 200; i += 1) {
      last = await look();
      if (enough(last)) return last;
      await sleep(100);
    }
    return last;
  };

  const recent = await poll(
    async () => (await read('/api/v1/traffic/recent?limit=500&door=backend')).items,
    (items) => items.length >= asked.length,
  );
  const expected = tally(asked.map((one) => `${one.operation} ${one.outcome}`));
  const seen = tally(recent.map((one) => `${one.operation} ${one.outcome}`));
  check('each request is counted once, by what it was and what came of it', same(expected, seen), { expected, seen });

  const monitor = await read('/api/v1/monitoring/lightrag');
  const done = (operation) =>
    asked.filter((one) => one.operation === operation && ['ok', 'empty'].includes(one.outcome)).length;
  const told = Object.fromEntries(['query', 'search', 'insert'].map((name) => [name, monitor.operations[name]]));
  const wanted = { query: done('query'), search: done('search'), insert: done('insert') };
  check('the monitor counts queries, searches and inserts that were answered', same(wanted, told), { wanted, told });

  // Both in the order in which they were asked; one after the other, so that is one order.
  const inOrder = recent.toReversed();
  const pairs = asked.map((one, i) => ({ ...one, there: inOrder[i] }));
  const beyond = pairs.map(({ ms, there }) => ms - there.duration_ms);
  const apart = { median: median(beyond), least: Math.min(...beyond), greatest: Math.max(...beyond) };
  check(
    `times: inside the caller's, ${toleranceMs.median} ms less in the middle and ${toleranceMs.each} ms at most`,
    apart.least > -5 && apart.median < toleranceMs.median && apart.greatest < toleranceMs.each,
    rounded(apart),
  );
  const streams = pairs.filter((one) => one.path === '/query/stream' && one.outcome === 'ok');
  const late = streams.map((one) => one.firstContentMs - (one.there.first_content_ms ?? Number.NaN));
  check(
    'times: the first piece of a streamed answer',
    late.length > 0 && late.every((ms) => ms > -5 && ms < toleranceMs.each),
    rounded(late),
  );
  const said = pairs.filter((one) => one.path === '/query' && /"response_time": ?[\d.]+/.test(one.text));
  const over = said.map((one) => one.there.duration_ms - 1000 * Number(/"response_time": ?([\d.]+)/.exec(one.text)[1]));
  check(
    'times: what the backend says of its own is not more than the gateway measured',
    over.every((ms) => ms > -15 && ms < toleranceMs.each),
    rounded(over),
  );

  if (llm) await compareModel({ llm, read, poll, check });
  await compareDocuments({ read, backend, poll, check, target, accepted, ended });

  // The process is found soon after the backend answered first, so the readings may begin after the first requests.
  const { backend: took } = await poll(
    () => read('/api/v1/traffic/summary?window=1h'),
    (summary) => (summary.backend?.cpu_seconds ?? 0) > 0,
  );
  const counts = ({ operation, outcome }) =>
    ['query', 'search', 'insert'].includes(operation) && ['ok', 'empty', 'hidden_error'].includes(outcome);
  const endOf = (one) => new Date(Date.parse(one.at) + one.duration_ms).toISOString();
  const inTime = recent.filter((one) => took && counts(one) && endOf(one) >= took.from && endOf(one) <= took.to);
  check(
    "what the backend's process took stands beside the operations of that time",
    took?.cpu_seconds > 0 && took.operations === inTime.length && inTime.length > 0,
    { ...took, ended_in_that_time: inTime.length },
  );
}

async function compareModel({ llm, read, poll, check }) {
  const total = () => sum(Object.values(llm.calls));
  const calls = await poll(
    async () => (await read('/api/v1/traffic/recent?limit=500&door=llm')).items,
    (items) => items.length >= total(),
  );
  const { embedding, ...chats } = llm.calls;
  const wanted = { chat: sum(Object.values(chats)), embeddings: embedding };
  const seen = tally(calls.map((one) => one.llm.call));
  check('each call of the model is counted once', same(wanted, seen), { wanted, seen });
  const tokens = {
    prompt: sum(calls.map((one) => one.llm.prompt_tokens ?? 0)),
    completion: sum(calls.map((one) => one.llm.completion_tokens ?? 0)),
  };
  check('tokens are those that the model told', same(llm.usage, tokens), { told: llm.usage, counted: tokens });
}

async function compareDocuments({ read, backend, poll, check, target, accepted, ended }) {
  const own = async () => (await read(`/api/v1/targets/${target}/documents`)).items[0];
  const endings = (one) => {
    const by = {};
    for (const { outcome, documents } of one?.ended ?? []) by[outcome] = (by[outcome] ?? 0) + documents;
    return by;
  };
  const { documents } = await backend('POST', '/documents/paginated', { page_size: 200 });
  const duplicates = documents.filter((one) => one.metadata?.is_duplicate).length;
  const wanted = drop({ processed: ended.processed, duplicate: duplicates, failed: ended.failed - duplicates });
  const report = await poll(own, (one) => same(endings(one), wanted) && one.inserts_followed === 0);
  check('documents have ended as the backend counts them', same(endings(report), wanted), {
    wanted,
    seen: endings(report),
  });
  const latencies = documents
    .filter((one) => one.status === 'processed')
    .map((one) => Date.parse(one.updated_at) - Date.parse(one.created_at))
    .sort((a, b) => a - b);
  const { latency } = report;
  check(
    'latency is that of the rows of the backend',
    latency?.documents === latencies.length && latency.min_ms === latencies[0] && latency.max_ms === latencies.at(-1),
    { told: latency, rows: latencies },
  );
  const metrics = await read('/metrics');
  const inserts = [...metrics.matchAll(/^ragwarden_inserts_ended_total\{[^}]*outcome="([^"]+)"\} (\d+)/gm)];
  check('every accepted insert was followed to its end', sum(inserts.map(([, , n]) => Number(n))) === accepted.length, {
    accepted: accepted.length,
    ended: Object.fromEntries(inserts.map(([, outcome, n]) => [outcome, Number(n)])),
  });
}

const sum = (numbers) => numbers.reduce((total, one) => total + one, 0);
function tally(words) {
  const counts = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}
const drop = (counts) => Object.fromEntries(Object.entries(counts).filter(([, n]) => n > 0));
const same = (a, b) =>
  JSON.stringify(Object.entries(drop(a)).sort()) === JSON.stringify(Object.entries(drop(b)).sort());
const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
const rounded = (value) =>
  JSON.parse(JSON.stringify(value, (_, one) => (typeof one === 'number' ? Math.round(one * 10) / 10 : one)));
