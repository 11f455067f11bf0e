import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Certificate, makeCertificate } from '../../../test/setup/certificate.ts';
import { hasPart } from '../../../test/setup/parts.ts';
import type { ReceiverConfig } from '../../config/index.ts';
import { createTestNotify, firing, resolved, route, type TestNotify } from '../test-notify.ts';

type Mail = {
  readonly from: string;
  readonly to: readonly string[];
  readonly user: string | undefined;
  readonly text: string;
};

let folder: string;
let tls: Certificate;
const ends: (() => Promise<unknown>)[] = [];

const hasOpenssl = hasPart('openssl');
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ragwarden-mail-'));
  if (hasOpenssl) tls = makeCertificate(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** A real mail server on a port of its own, which keeps what it takes. */
async function serveMail(options: SMTPServerOptions = {}): Promise<{ port: number; mails: Mail[] }> {
  const mails: Mail[] = [];
  const server = new SMTPServer({
    logger: false,
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onAuth: ({ username, password }, _session, done) =>
      password === 'open sesame' ? done(null, { user: username }) : done(new Error('Invalid username or password')),
    onData(stream, session, done) {
      let text = '';
      stream.setEncoding('utf8');
      stream.on('data', (chunk: string) => {
        text += chunk;
      });
      stream.on('end', () => {
        const { mailFrom, rcptTo } = session.envelope;
        mails.push({
          from: mailFrom ? mailFrom.address : '',
          to: rcptTo.map(({ address }) => address),
          user: session.user === undefined ? undefined : String(session.user),
          text,
        });
        done();
      });
    },
    ...options,
  });
  // A client that does not trust us ends the handshake; that is no fault of the server.
  server.on('error', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => new Promise<void>((resolve) => server.close(() => resolve())));
  return { port: (server.server.address() as AddressInfo).port, mails };
}

const receiver = (port: number, more: Partial<Extract<ReceiverConfig, { kind: 'email' }>> = {}): ReceiverConfig => ({
  id: 'mail',
  sendResolved: true,
  timeoutMs: 5_000,
  kind: 'email',
  host: '127.0.0.1',
  port,
  tls: 'none',
  caFile: undefined,
  login: undefined,
  from: 'ragwarden@example.org',
  to: ['ann@example.org', 'bob@example.org'],
  ...more,
});

async function notifyBy(config: ReceiverConfig): Promise<TestNotify> {
  const made = await createTestNotify({
    receivers: [config],
    fallback: route({ groupWaitMs: 0, groupIntervalMs: 0 }),
  });
  ends.push(() => made.remove());
  return made;
}
const attempts = async (notify: TestNotify) => (await notify.outbox.list({}, 5)).flatMap((one) => one.attempts);

test('the beginning and the end come as mails that a person can act on', async () => {
  const { port, mails } = await serveMail();
  const notify = await notifyBy(receiver(port));
  await notify.tell(firing('cpu', { title: 'CPU at 93 %\r\nBcc: eve@example.org', summary: 'Grün — look at top.' }));
  await notify.turn();
  await notify.clock.advance(1);
  await notify.tell(resolved('cpu'));
  await notify.turn();
  expect(mails.map(({ from, to }) => [from, ...to])).toEqual(
    Array(2).fill(['ragwarden@example.org', 'ann@example.org', 'bob@example.org']),
  );
  const [first, last] = mails;
  const [ended, begun] = await notify.outbox.list({}, 5);
  expect(first?.text).toContain('Subject: [FIRING warning] CPU at 93 % Bcc: eve@example.org');
  expect(first?.text).not.toMatch(/^Bcc:/m);
  expect(first?.text).toContain(`Message-ID: <${begun?.id}@ragwarden>`);
  expect(first?.text).toMatch(/Gr=C3=BCn|Grün/);
  expect(first?.text).toContain('What to do: https://docs.example.org/runbook');
  expect(last?.text).toContain('Subject: [RESOLVED]');
  expect(ended).toMatchObject({ state: 'sent', attempts: [{ outcome: 'sent', status: 250 }] });
});

test.skipIf(!hasOpenssl)('a login travels only under TLS, by STARTTLS or from the beginning', async () => {
  const login = { username: 'ragwarden', password: { value: 'open sesame' } };
  const caFile = tls.certFile;
  for (const way of ['starttls', 'implicit'] as const) {
    const { port, mails } = await serveMail({
      ...{ key: tls.key, cert: tls.cert },
      secure: way === 'implicit',
      authOptional: false,
      disabledCommands: [],
    });
    const notify = await notifyBy(receiver(port, { host: 'localhost', tls: way, login, caFile }));
    await notify.tell(firing('cpu'));
    await notify.turn();
    expect(mails.map(({ user }) => user)).toEqual(['ragwarden']);
  }
  const { port, mails } = await serveMail();
  const refused = await notifyBy(receiver(port, { tls: 'starttls', login }));
  await refused.tell(firing('cpu'));
  await refused.turn();
  expect([mails, await attempts(refused)]).toMatchObject([
    [],
    [{ outcome: 'failed', error: expect.stringMatching(/STARTTLS|TLS/) }],
  ]);
});

test.skipIf(!hasOpenssl)('a certificate that nobody vouches for is refused and told', async () => {
  const { port, mails } = await serveMail({ key: tls.key, cert: tls.cert, disabledCommands: [] });
  const notify = await notifyBy(receiver(port, { host: 'localhost', tls: 'starttls' }));
  await notify.tell(firing('cpu'));
  await notify.turn();
  expect(mails).toEqual([]);
  expect(await attempts(notify)).toMatchObject([
    { outcome: 'failed', error: expect.stringMatching(/self.signed certificate/) },
  ]);
});

test('what the server says is told: a wrong password, a recipient it does not know, a server that is busy', async () => {
  const busy = Object.assign(new Error('try again later'), { responseCode: 451 });
  const wrong = { username: 'ragwarden', password: { value: 'guess' } };
  const { port } = await serveMail({
    allowInsecureAuth: true,
    onRcptTo: ({ address }, _session, done) =>
      address.startsWith('nobody') ? done(new Error('no such user')) : address.startsWith('busy') ? done(busy) : done(),
  });
  const said = async (config: ReceiverConfig) => {
    const notify = await notifyBy(config);
    await notify.tell(firing('cpu'));
    await notify.turn();
    return (await attempts(notify)).map(({ outcome, status, error }) => [outcome, status, error]);
  };
  expect(await said(receiver(port, { login: wrong }))).toEqual([['failed', 535, expect.stringContaining('Invalid')]]);
  expect(JSON.stringify(await said(receiver(port, { login: wrong })))).not.toContain('guess');
  expect(await said(receiver(port, { to: ['nobody@example.org'] }))).toEqual([
    ['failed', 550, expect.stringContaining('no such user')],
  ]);
  expect(await said(receiver(port, { to: ['busy@example.org'] }))).toEqual([['failed', 451, expect.any(String)]]);
  expect(await said(receiver(port, { to: ['ann@example.org', 'nobody@example.org'] }))).toEqual([
    ['sent', 250, 'not taken for nobody@example.org'],
  ]);
});

test('a server that says nothing does not hold up more than its time, and one that is not there is told', async () => {
  const silent: Server = createServer(() => undefined);
  const sockets = new Set<{ destroy(): void }>();
  silent.on('connection', (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as AddressInfo;
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      for (const socket of sockets) socket.destroy();
      silent.close(() => resolve());
    });
  const notify = await notifyBy(receiver(port, { timeoutMs: 100 }));
  await notify.tell(firing('cpu'));
  await notify.turn();
  expect((await attempts(notify)).map(({ outcome }) => outcome)).toEqual(['failed']);
  await close();
  await notify.pass(10_000);
  expect((await attempts(notify)).at(-1)?.error).toMatch(/ECONNREFUSED/);
});
