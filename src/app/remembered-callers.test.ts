import type { FastifyRequest } from 'fastify';
import { expect, test } from 'vitest';
import type { Access } from '../access/index.ts';
import { AppError } from '../platform/errors.ts';
import { createFakeClock } from '../platform/fake-clock.ts';
import type { Principal } from '../platform/http/index.ts';
import { rememberCallers, rememberedMs } from './remembered-callers.ts';

const ada: Principal = { subject: 'local:ada', role: 'admin', workspaces: 'all', via: 'token' };
const away = new AppError('storage/unavailable', 'It does not answer.');

function world() {
  const clock = createFakeClock();
  let answer: () => Principal | undefined = () => ada;
  let ended = (): void => undefined;
  // Only what is asked of it here.
  const access = {
    onEnded: (listener: () => void) => {
      ended = listener;
    },
    authenticate: async () => answer(),
    authenticateHeaders: async () => answer(),
  } as unknown as Access;
  const callers = rememberCallers(access, clock);
  const ask = (method: string, token = 'a') =>
    callers
      .authenticate({ method, headers: { authorization: `Bearer ${token}` } } as FastifyRequest)
      .catch((err: unknown) => err);
  return {
    clock,
    ask,
    callers,
    end: () => ended(),
    answerWith(next: Principal | undefined | AppError) {
      answer = () => {
        if (next instanceof AppError) throw next;
        return next;
      };
    },
  };
}

test('while the database is away a caller who was let in may go on looking, for five minutes, and change nothing', async () => {
  const { ask, answerWith, clock, callers } = world();
  await ask('GET');
  answerWith(away);
  expect(await ask('GET')).toBe(ada);
  expect(await ask('HEAD')).toBe(ada);
  expect(await callers.authenticateHeaders({ authorization: 'Bearer a' }, '')).toBe(ada);
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) expect(await ask(method)).toBe(away);
  expect(await ask('GET', 'b')).toBe(away);
  await clock.advance(rememberedMs);
  expect(await ask('GET')).toBe(ada);
  await clock.advance(1);
  expect(await ask('GET')).toBe(away);
});

test('what ended a token, or a refusal, is never undone by what is remembered', async () => {
  const { ask, answerWith, end } = world();
  await ask('GET');
  end();
  answerWith(away);
  expect(await ask('GET')).toBe(away);
  answerWith(ada);
  await ask('GET');
  const refused = new AppError('access/unauthenticated', 'The token has been revoked.');
  answerWith(refused);
  expect(await ask('GET')).toBe(refused);
  answerWith(away);
  expect(await ask('GET')).toBe(away);
});

test('a stranger stays one', async () => {
  const { ask, answerWith } = world();
  answerWith(undefined);
  expect(await ask('GET')).toBeUndefined();
  answerWith(away);
  expect(await ask('GET')).toBe(away);
});
