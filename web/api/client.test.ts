import { expect, test } from 'vitest';
import { ApiError, createApi } from './client.ts';

/** Answers once, and keeps what was asked. */
function answering(answer: Response | Error) {
  const asked: { url: string; init: RequestInit | undefined }[] = [];
  const ended: string[] = [];
  const api = createApi({
    csrfToken: () => 'c5rf',
    onUnauthenticated: () => ended.push('ended'),
    fetch: async (url, init) => {
      asked.push({ url: String(url), init });
      if (answer instanceof Error) throw answer;
      return answer;
    },
  });
  return { api, asked, ended };
}

const problem = (status: number, body: unknown): Response =>
  new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/problem+json' } });

test('changes carry the token against forged requests, reading does not', async () => {
  const writing = answering(Response.json({}));
  await writing.api.post('api/v1/backup/trigger', { target: 'x' });
  expect(writing.asked[0]?.init).toMatchObject({ method: 'POST', body: '{"target":"x"}' });
  expect(writing.asked[0]?.init?.headers).toMatchObject({
    'x-csrf-token': 'c5rf',
    'content-type': 'application/json',
  });
  const reading = answering(Response.json({ status: 'healthy' }));
  expect(await reading.api.get('health')).toEqual({ status: 'healthy' });
  expect(reading.asked[0]?.init?.headers).toEqual({ accept: 'application/json' });
});

test('a change without a body claims none', async () => {
  const { api, asked } = answering(new Response(null, { status: 204 }));
  expect(await api.post('api/v1/access/logout')).toBeUndefined();
  expect(asked[0]?.init?.headers).not.toHaveProperty('content-type');
});

test('a refusal speaks in the words of its problem document', async () => {
  const { api, ended } = answering(problem(409, { code: 'operation/busy', detail: 'A backup is under way.' }));
  const refused = await api.post('x').catch((err: unknown) => err);
  expect(refused).toBeInstanceOf(ApiError);
  expect(refused).toMatchObject({ status: 409, code: 'operation/busy', message: 'A backup is under way.' });
  expect(ended).toEqual([]);
});

test('every 401 ends the session', async () => {
  const { api, ended } = answering(problem(401, { code: 'access/unauthenticated', detail: 'Log in.' }));
  await expect(api.get('api/v1/targets')).rejects.toMatchObject({ status: 401 });
  expect(ended).toEqual(['ended']);
});

test('an error page of a proxy and a server that is gone are told apart', async () => {
  const html = answering(new Response('<h1>Bad gateway</h1>', { status: 502 }));
  await expect(html.api.get('health')).rejects.toMatchObject({ status: 502, message: 'The answer was 502.' });
  const gone = answering(new TypeError('failed to fetch'));
  await expect(gone.api.get('health')).rejects.toMatchObject({ status: 0, code: 'page/no-answer' });
});

test('what is switched off is not asked for, and the page says what switches it on', async () => {
  const asked: string[] = [];
  const api = createApi({
    csrfToken: () => null,
    onUnauthenticated: () => undefined,
    findOff: (path) => (path.startsWith('api/v1/events') ? 'The event log is switched off.' : undefined),
    fetch: async (url) => {
      asked.push(String(url));
      return Response.json({});
    },
  });
  await expect(api.get('api/v1/events?limit=20')).rejects.toMatchObject({
    ...{ status: 409, code: 'feature/disabled', message: 'The event log is switched off.' },
  });
  await api.get('api/v1/targets');
  expect(asked).toEqual(['api/v1/targets']);
});
