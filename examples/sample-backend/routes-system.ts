import { resolve } from 'node:path';
import type { Backend } from './backend.ts';
import { ordinaryLimit } from './body.ts';
import { healthDetails14, healthDetails15 } from './health-details.ts';
import { type Exchange, HttpError, type Route, readBody, sendJson } from './http.ts';

const maxFailedLogins = 5;
const lockoutSeconds = 300;

/** `/health`, `/auth-status`, `/login`: open to everybody, as far as they answer at all. */
export function systemRoutes(backend: Backend): Route[] {
  const { authentication, version, apiVersion } = backend;
  const web = {
    webui_title: 'Sample RAG backend',
    webui_description: 'Speaks the HTTP API of LightRAG over a real workspace folder, without a model',
    ...(backend.shape === '1.5' ? { ai_content_notice_enabled: false } : {}),
  };
  const versions = { core_version: version, api_version: apiVersion };
  const failedLogins = new Map<string, number[]>();

  function loginWithoutAccounts(): object {
    return {
      access_token: authentication.issue('guest', 'guest', { auth_mode: 'disabled' }),
      token_type: 'bearer',
      auth_mode: 'disabled',
      message: 'Authentication is disabled. Using guest access.',
      ...versions,
      ...web,
    };
  }

  async function login({ request, response }: Exchange): Promise<void> {
    const form = new URLSearchParams((await readBody(request, ordinaryLimit)).toString());
    const missing = ['username', 'password']
      .filter((name) => (form.get(name) ?? '') === '')
      .map((name) => ({ type: 'missing', loc: ['body', name], msg: 'Field required', input: null }));
    if (missing.length > 0) throw new HttpError(422, missing);
    if (authentication.mode === 'disabled') {
      sendJson(response, 200, loginWithoutAccounts());
      return;
    }
    const user = form.get('username') ?? '';
    const now = Date.now();
    const key = `${request.socket.remoteAddress} ${user}`;
    const recent = (failedLogins.get(key) ?? []).filter((at) => now - at < lockoutSeconds * 1000);
    if (recent.length >= maxFailedLogins) {
      const wait = Math.ceil(lockoutSeconds - (now - (recent[0] ?? now)) / 1000);
      throw new HttpError(429, 'Too many failed login attempts. Please try again later.', { 'retry-after': `${wait}` });
    }
    if (!authentication.hasAccount(user, form.get('password') ?? '')) {
      failedLogins.set(key, [...recent, now]);
      throw new HttpError(401, 'Incorrect credentials');
    }
    failedLogins.delete(key);
    sendJson(response, 200, {
      access_token: authentication.issue(user, 'user', { auth_mode: 'enabled' }),
      token_type: 'bearer',
      auth_mode: 'enabled',
      ...versions,
      ...web,
    });
  }

  function authStatus({ response }: Exchange): void {
    if (authentication.mode === 'disabled')
      sendJson(response, 200, { auth_configured: false, ...loginWithoutAccounts() });
    else sendJson(response, 200, { auth_configured: true, auth_mode: 'enabled', ...versions, ...web });
  }

  function health({ request, response }: Exchange): void {
    const asked = request.headers['lightrag-workspace'];
    const workspace = typeof asked === 'string' ? asked.trim().replace(/[^A-Za-z0-9_]/g, '_') : '';
    if (workspace !== '' && workspace !== backend.workspaceName)
      throw new Error(`Pipeline namespace '${workspace}:pipeline_status' not found.`);
    const { state } = backend.pipeline;
    const busy = state.busy || backend.faults.hold_busy;
    const paths = { working_directory: resolve(backend.workingDir), input_directory: resolve(backend.inputDir) };
    if (backend.shape === '1.4') {
      sendJson(response, 200, {
        status: 'healthy',
        ...paths,
        ...healthDetails14(backend),
        auth_mode: authentication.mode,
        pipeline_busy: busy,
        ...versions,
        ...web,
        webui_available: false,
      });
      return;
    }
    const anonymous = {
      status: 'healthy',
      auth_mode: authentication.mode,
      ...versions,
      webui_available: false,
      workspace_available: true,
      api_docs_available: false,
      ...web,
      pipeline_busy: busy,
      pipeline_active: busy || state.request_pending,
    };
    const details = authentication.isAllowed(request) ? { ...paths, ...healthDetails15(backend, busy) } : {};
    sendJson(response, 200, { ...anonymous, ...details });
  }

  return [
    { method: 'GET', path: '/health', open: true, handle: health },
    { method: 'GET', path: '/auth/verify', handle: ({ response }) => sendJson(response, 200, { status: 'ok' }) },
    { method: 'GET', path: '/auth-status', open: true, handle: authStatus },
    { method: 'POST', path: '/login', open: true, handle: login },
  ];
}
