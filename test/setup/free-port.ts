import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

/** Another range of ports is begun in by each process of the tests, and each port is handed out once. */
let next = process.pid * 101;

/**
 * A port of loopback on which nobody listens, for a program that has to be told one, and for one that comes back where it was. The
 * system gives none of these to whoever asks for any port or dials out, so it is still free when it is used. Where it gives nearly
 * all of them, one that nobody has now.
 */
export async function freePort(): Promise<number> {
  const range = portsBeside(givenBySystem());
  if (range === undefined) return anyPort();
  const [first, end] = range;
  for (let tried = 0; tried < end - first; tried += 1) {
    next += 1;
    const port = first + (next % (end - first));
    if (await isFree(port)) return port;
  }
  throw new Error(`no port from ${first} to ${end - 1} is free`);
}

/** The larger of both ranges beside `given`, without its end. Too small is one in which several processes would soon meet. */
export function portsBeside([firstGiven, lastGiven]: readonly [number, number]): readonly [number, number] | undefined {
  // Below lie those that `fetch` refuses to call, and the usual ones of servers.
  const below = [firstGiven >= 21_000 ? 20_000 : 10_081, firstGiven] as const;
  const above = [lastGiven + 1, 65_536] as const;
  const widthOf = ([first, end]: readonly [number, number]): number => end - first;
  const larger = widthOf(below) >= widthOf(above) ? below : above;
  return widthOf(larger) < 1_000 ? undefined : larger;
}

function givenBySystem(): readonly [number, number] {
  try {
    const [first, last] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').trim().split(/\s+/);
    return [Number(first), Number(last)];
  } catch {
    // Elsewhere than on Linux they are the last ones (RFC 6335).
    return [49_152, 65_535];
  }
}

async function anyPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('a server on a port has no port');
  return address.port;
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
