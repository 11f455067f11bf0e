import { createServer, connect as dial, type Socket } from 'node:net';

/** A line to a server of a test, which can be bad. */
export type TestLine = {
  readonly port: number;
  /** `open`; `silent`: it takes connections and nothing ever comes or goes; `cut`: what is there breaks off, and nothing is taken. */
  set(how: 'open' | 'silent' | 'cut'): void;
  /** Bytes that went to the server so far. */
  readonly sent: () => number;
  /** Called with that number as it grows. */
  onSent: ((bytes: number) => void) | undefined;
  /** Called when the last client has let go. */
  onClosed: (() => void) | undefined;
  close(): Promise<void>;
};

export async function openLine(toPort: number): Promise<TestLine> {
  let how: 'open' | 'silent' | 'cut' = 'open';
  let sent = 0;
  let clients = 0;
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
  };
  const server = createServer((near) => {
    keep(near);
    clients += 1;
    near.once('close', () => {
      clients -= 1;
      if (clients === 0) line.onClosed?.();
    });
    if (how === 'cut') return void near.destroy();
    if (how === 'silent') return void near.pause();
    const far = dial(toPort, '127.0.0.1');
    keep(far);
    near.once('close', () => {
      far.destroy();
    });
    far.once('close', () => near.destroy());
    far.on('data', (bytes: Buffer) => void (how === 'open' && near.write(bytes)));
    near.on('data', (bytes: Buffer) => {
      if (how !== 'open') return;
      sent += bytes.length;
      line.onSent?.(sent);
      far.write(bytes);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('no port was given');
  const line: TestLine = {
    port: address.port,
    set(to) {
      how = to;
      if (to === 'cut') for (const socket of sockets) socket.destroy();
    },
    sent: () => sent,
    onSent: undefined,
    onClosed: undefined,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
  return line;
}
