import { createServer, type Server, type ServerResponse } from 'node:http';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { freePort } from '../../test/setup/free-port.ts';
import { Interrupted } from './exit-code.ts';
import { runCli } from './run-cli.ts';
import { createScreen } from './screen.ts';

let server: Server;
let port = 0;
let documents: Record<string, unknown>;
let streams: ServerResponse[];
let asked: string[];

function listen(at: number): Promise<void> {
  server = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0] ?? '';
    if (path === '/api/v1/events/stream') {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(': here\n\n');
      streams.push(response);
      return;
    }
    asked.push(request.url ?? '');
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(documents[path] ?? { items: [], next_cursor: null }));
  });
  return new Promise((resolve) => server.listen(at, '127.0.0.1', resolve));
}

const close = (): Promise<unknown> =>
  new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });

const target = (status: string) => ({
  id: 'default',
  sample: false,
  status,
  reasons: [],
  kind: 'lightrag',
  core_version: '1.5.7',
  api_version: null,
  endpoints: [{ url: 'http://127.0.0.1:9621', workspace: '' }],
  stores: [],
  observed_at: new Date().toISOString(),
  latency_ms: Math.random(),
  documents: null,
  pipeline: null,
  sizes: [],
  lifecycle: { automatic: false, stop: '', start: '' },
});
const show = (status: string): void => {
  documents['/api/v1/targets'] = { items: [target(status)], next_cursor: null };
};
const event = (seq: number) => ({
  seq,
  at: '2026-11-22T00:00:00.000Z',
  type: 'test.happened',
  severity: 'info',
  target_id: null,
  message: `event ${seq}`,
});

/** Something happened: whoever listens looks again at once. */
const wake = (): void => {
  for (const stream of streams) stream.write('id: 1\nevent: event\ndata: {"seq":1}\n\n');
};

beforeEach(async () => {
  documents = {};
  streams = [];
  asked = [];
  port = await freePort();
  await listen(port);
});
afterEach(close);

/** A command that runs until it is told to end. */
function start(argv: readonly string[], terminal: { columns?: number; rows?: number } | undefined = undefined) {
  const stop = new AbortController();
  const said = { stdout: '', stderr: '' };
  const listeners = new Set<() => void>();
  const stdout = {
    write: (text: string) => {
      said.stdout += text;
    },
    ...(terminal && { isTTY: true, ...terminal }),
    on: (_: 'resize', listener: () => void) => listeners.add(listener),
    off: (_: 'resize', listener: () => void) => listeners.delete(listener),
  };
  const never = (): never => {
    throw new Error('not here');
  };
  const code = runCli({
    argv,
    env: { RAGWARDEN_URL: `http://127.0.0.1:${port}`, RAGWARDEN_TOKEN: 'a-token-of-the-test' },
    cwd: '/nonexistent',
    stdin: new PassThrough(),
    stdout,
    stderr: {
      write: (text) => {
        said.stderr += text;
      },
    },
    signal: stop.signal,
    offline: { createWarden: never, keepAdminToken: never, localTokenFile: never, recoveryKit: never } as never, // never called
  });
  const saw = (stream: 'stdout' | 'stderr', text: string | RegExp): Promise<void> =>
    vi.waitFor(() => expect(said[stream]).toMatch(text), { timeout: 60_000, interval: 10 });
  const end = (): Promise<number> => {
    stop.abort(new Interrupted('SIGINT'));
    return code;
  };
  return { said, saw, end, code, listeners, stdout };
}

describe('in a pipe', () => {
  test('one document a line for each change, and none where nothing changed', async () => {
    show('HEALTHY');
    const running = start(['target', 'list', '--watch', '--json']);
    await running.saw('stdout', /HEALTHY.*\n/);
    await vi.waitFor(() => expect(streams).toHaveLength(1));
    show('HEALTHY');
    const before = asked.filter((url) => url.startsWith('/api/v1/targets')).length;
    wake();
    await vi.waitFor(() =>
      expect(asked.filter((url) => url.startsWith('/api/v1/targets')).length).toBeGreaterThan(before),
    );
    show('OFFLINE');
    wake();
    await running.saw('stdout', /OFFLINE.*\n/);
    expect(await running.end()).toBe(130);
    const lines = running.said.stdout.trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line).items[0].status)).toEqual(['HEALTHY', 'OFFLINE']);
    expect(running.said.stdout).not.toContain('\u001b');
  });

  test('one block for each change, apart by an empty line', async () => {
    show('HEALTHY');
    const running = start(['target', 'list', '--watch']);
    await running.saw('stdout', 'HEALTHY');
    await vi.waitFor(() => expect(streams).toHaveLength(1));
    show('DEGRADED');
    wake();
    await running.saw('stdout', /HEALTHY[\s\S]*\n\ntarget +status[\s\S]*DEGRADED/);
    expect(await running.end()).toBe(130);
  });

  test.each([[['operations', 'list', '--watch']], [['backup', 'list', '--watch']], [['target', 'list', '--watch']]])(
    '%j says when there is nothing',
    async (argv) => {
      const running = start(argv);
      await running.saw('stdout', /^(No|There is no) /);
      expect(await running.end()).toBe(130);
    },
  );

  test('a server that goes away is told once, and the work goes on when it is back', async () => {
    show('HEALTHY');
    const running = start(['target', 'list', '--watch', '--json']);
    await running.saw('stdout', 'HEALTHY');
    await close();
    await running.saw('stderr', `lost http://127.0.0.1:${port}: `);
    show('OFFLINE');
    await listen(port);
    await running.saw('stdout', 'OFFLINE');
    expect(running.said.stderr.match(/lost/g)).toHaveLength(1);
    expect(await running.end()).toBe(130);
  });

  test('events are followed without a gap or a repeat while the server is away', async () => {
    documents['/api/v1/events'] = { items: [event(1)], next_cursor: null };
    const running = start(['events', '--follow', '--json']);
    await running.saw('stdout', 'event 1');
    documents['/api/v1/events'] = { items: [], next_cursor: null };
    await close();
    await running.saw('stderr', 'lost');
    documents['/api/v1/events'] = { items: [event(2)], next_cursor: null };
    asked = [];
    await listen(port);
    await running.saw('stdout', 'event 2');
    expect(asked[0]).toContain('cursor=1');
    await running.end();
  });

  test('a server that was never there ends it with 13, a refusal with its own code', async () => {
    await close();
    expect(await start(['target', 'list', '--watch']).code).toBe(13);
    await listen(port);
    server.removeAllListeners('request');
    server.on('request', (_, response: ServerResponse) => {
      response.statusCode = 403;
      response.end(JSON.stringify({ code: 'access/forbidden', status: 403, detail: 'Not you.' }));
    });
    expect(await start(['target', 'list', '--watch']).code).toBe(12);
  });
});

describe('on a terminal', () => {
  test('the picture is drawn in place, follows the size, and the former screen comes back', async () => {
    show('HEALTHY');
    const running = start(['target', 'list', '--watch'], { columns: 30, rows: 5 });
    await running.saw('stdout', 'HEALTHY');
    expect(running.said.stdout).toMatch(/^\u001b\[\?1049h\u001b\[\?25l\u001b\[H/);
    expect(running.said.stdout).not.toContain('\u001b[2J');
    expect(running.said.stdout).not.toContain('http://');
    running.stdout.columns = 200;
    for (const listener of running.listeners) listener();
    expect(running.said.stdout).toContain('http://127.0.0.1:9621');
    expect(await running.end()).toBe(130);
    expect(running.said.stdout).toMatch(/\u001b\[\?25h\u001b\[\?1049l$/);
    expect(running.listeners.size).toBe(0);
  });

  test('a server that goes away is told below the last picture', async () => {
    show('HEALTHY');
    const running = start(['target', 'list', '--watch'], { columns: 80, rows: 10 });
    await running.saw('stdout', 'HEALTHY');
    await close();
    await running.saw('stdout', /HEALTHY[\s\S]*lost http:[\s\S]*$/);
    expect(running.said.stderr).toBe('');
    await listen(port);
    expect(await running.end()).toBe(130);
  });
});

test('a picture never fills the last row or the last column, and ends its colours', () => {
  let written = '';
  const stdout = { write: (text: string) => (written += text), rows: 4 };
  const screen = createScreen({ stdout, columns: () => 6 });
  screen.draw('\u001b[32m1234567\u001b[39m\nb\nc\nd\ne');
  expect(written.split('\u001b[H')[1]).toBe('\u001b[32m123456\u001b[0m\u001b[K\r\nb\u001b[K\r\nc\u001b[K\u001b[J');
  screen.say('gone');
  expect(written.split('\u001b[H')[2]).toBe('\u001b[32m123456\u001b[0m\u001b[K\r\n\u001b[K\r\ngone\u001b[K\u001b[J');
});
