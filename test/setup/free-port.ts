import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

/** Another range of ports is begun in by each process of the tests, and each port is handed out once. */
let next = process.pid * 101;

/**
 * A port of loopback on which nobody listens, for a program that has to be told one, and for one that comes back where it was. The
 * system gives none of these to whoever asks for any port or dials out, so it is still free when it is used.
 */
export async function freePort(): Promise<number> {
  const [first, end] = [20_000, Math.max(21_000, firstGivenBySystem())];
  for (let tried = 0; tried < end - first; tried += 1) {
    next += 1;
    const port = first + (next % (end - first));
    if (await isFree(port)) return port;
  }
  throw new Error(`no port from ${first} to ${end - 1} is free`);
}

function firstGivenBySystem(): number {
  try {
    return Number(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').trim().split(/\s+/)[0]);
  } catch {
    // Elsewhere than on Linux they begin at 49152 (RFC 6335).
    return 49_152;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    // Of every address, so that a listener on any of them is met.
    server.listen({ host: '0.0.0.0', port, exclusive: true });
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
