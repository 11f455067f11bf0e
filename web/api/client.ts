/** Its part is switched off; told by the server, or known before it was asked. */
export const switchedOff = 'feature/disabled';

/** An answer that was no success, in the words of its problem document (RFC 9457). Status 0: no answer came. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, detail: string) {
    super(detail);
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
  }
}

export type Api = {
  get<T>(path: string, signal?: AbortSignal): Promise<T>;
  post<T>(path: string, body?: unknown): Promise<T>;
  put<T>(path: string, body?: unknown): Promise<T>;
  patch<T>(path: string, body?: unknown): Promise<T>;
  delete<T>(path: string): Promise<T>;
};

export type ApiOptions = {
  /** Sent with every change while a session stands. */
  csrfToken(): string | null;
  /** The session is over; called for every 401. */
  onUnauthenticated(): void;
  /** Why a path need not be asked: its part is switched off, and would only refuse. */
  findOff?(path: string): string | undefined;
  fetch?: typeof globalThis.fetch;
};

/** Paths are relative to the page's own folder, as `api/v1/targets`. The session travels as a cookie. */
export function createApi(options: ApiOptions): Api {
  const send = async <T>(path: string, init: RequestInit): Promise<T> => {
    let response: Response;
    try {
      response = await (options.fetch ?? globalThis.fetch)(path, { credentials: 'same-origin', ...init });
    } catch (err) {
      if (init.signal?.aborted) throw err;
      throw new ApiError(0, 'page/no-answer', 'ragwarden does not answer.');
    }
    if (response.ok) {
      const text = await response.text();
      // The server checks its answers against the schemas that the types repeat.
      return (text === '' ? undefined : JSON.parse(text)) as T;
    }
    const error = await problemOf(response);
    if (response.status === 401) options.onUnauthenticated();
    throw error;
  };
  const accept = 'application/json';
  const change = <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const csrf = options.csrfToken();
    return send(path, {
      method,
      headers: {
        accept,
        ...(csrf === null ? {} : { 'x-csrf-token': csrf }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  };
  return {
    async get<T>(path: string, signal?: AbortSignal) {
      const off = options.findOff?.(path);
      if (off !== undefined) throw new ApiError(409, switchedOff, off);
      return send<T>(path, { headers: { accept }, signal: signal ?? null });
    },
    post: (path, body) => change('POST', path, body),
    put: (path, body) => change('PUT', path, body),
    patch: (path, body) => change('PATCH', path, body),
    delete: (path) => change('DELETE', path),
  };
}

async function problemOf(response: Response): Promise<ApiError> {
  const fallback = `The answer was ${response.status}.`;
  try {
    const body: unknown = await response.json();
    if (typeof body !== 'object' || body === null) return new ApiError(response.status, 'page/unreadable', fallback);
    const code = 'code' in body && typeof body.code === 'string' ? body.code : 'page/unreadable';
    const detail = 'detail' in body && typeof body.detail === 'string' ? body.detail : fallback;
    return new ApiError(response.status, code, detail);
  } catch {
    // A proxy between may answer with HTML.
    return new ApiError(response.status, 'page/unreadable', fallback);
  }
}

export const messageOf = (err: unknown): string => (err instanceof Error ? err.message : 'Something went wrong.');
