// What the ways to be let in, and the limits, look like: servers with accounts, and without anything.

import { createHmac } from 'node:crypto';
import { later, upload } from './documents.mjs';
import { waitFor } from './lightrag-process.mjs';
import { asText, asUpload, readCounts, waitUntilIdle } from './record-http.mjs';

/** A token signed with the server's own secret, so that its age can be chosen. */
function signToken(secret, { user, expiresInSeconds }) {
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1000) + expiresInSeconds;
  const claims = { sub: user, exp, role: 'user', metadata: { auth_mode: 'enabled' } };
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

/** A server with `AUTH_ACCOUNTS` and no key. */
export async function recordPasswordMode({ record, ask }, { user, password, secret }) {
  const bearer = (token) => ({ headers: { Authorization: `Bearer ${token}` } });
  await record('auth-status-password-mode', 'GET', '/auth-status');
  await record('health-password-mode', 'GET', '/health');
  await record('password-mode-no-token', 'GET', '/documents/status_counts');
  await record('password-mode-bad-token', 'GET', '/documents/status_counts', bearer('not.a.token'));
  const expired = signToken(secret, { user, expiresInSeconds: -60 });
  await record('password-mode-expired-token', 'GET', '/documents/status_counts', bearer(expired));
  const login = (word) => ({ form: { username: user, password: word } });
  const { body } = await record('login', 'POST', '/login', login(password));
  await record('password-mode-token', 'GET', '/documents/status_counts', bearer(body.access_token));
  const old = signToken(secret, { user, expiresInSeconds: 3600 });
  await record('password-mode-token-renewed', 'GET', '/documents/status_counts', bearer(old));
  await record('login-wrong-password', 'POST', '/login', login('wrong'));
  await record('login-without-fields', 'POST', '/login', { form: {} });
  for (let i = 0; i < 4; i++) await ask('POST', '/login', login('wrong'));
  await record('login-locked-out', 'POST', '/login', login('wrong'));
}

/** A server without key and accounts, with small limits: 1 pending document, 1 KiB uploads, 2 KiB bodies. */
export async function recordOpenMode({ record, ask }, llm) {
  await record('auth-status-open-mode', 'GET', '/auth-status');
  await record('login-open-mode', 'POST', '/login', { form: { username: 'anybody', password: 'anything' } });
  await record('health-open-mode', 'GET', '/health');
  await record('open-mode-status-counts', 'GET', '/documents/status_counts');
  await record(
    'upload-too-large',
    'POST',
    '/documents/upload',
    asUpload({ source: 'big.txt', text: 'Sea '.repeat(300) }),
  );
  await record('body-too-large', 'POST', '/query', { body: { query: 'Sea '.repeat(1000) } });
  const release = llm.hold('extract');
  await ask('POST', '/documents/text', asText(later[0]));
  await waitFor(
    'the pending document',
    () => readCounts({ ask }),
    (counts) => counts.all > 0,
  );
  await record('insert-text-backlog-full', 'POST', '/documents/text', asText(later[1]));
  await record('upload-backlog-full', 'POST', '/documents/upload', asUpload(upload));
  await record('insert-texts-backlog-full', 'POST', '/documents/texts', {
    body: { texts: [later[2].text], file_sources: [later[2].source] },
  });
  release();
  await waitUntilIdle({ ask });
}
