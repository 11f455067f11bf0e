import { readFile } from 'node:fs/promises';

/** How far a listener can be reached: from this machine only, or from elsewhere too. */
export type Reach = 'nobody' | 'this machine' | 'elsewhere';

/**
 * On which addresses somebody of this machine listens on a TCP port, from `/proc/net/tcp` and `tcp6` (proc_net_tcp in the
 * kernel's documentation); undefined where that cannot be read.
 */
export async function listeningReach(port: number): Promise<Reach | undefined> {
  const tables = await Promise.all(
    ['/proc/net/tcp', '/proc/net/tcp6'].map((path) => readFile(path, 'utf8').catch(() => undefined)),
  );
  return tables.every((table) => table === undefined) ? undefined : reachOf(tables.join('\n'), port);
}

/** State 0A is LISTEN; addresses are in the byte order of the machine, words of four bytes each. */
export function reachOf(table: string, port: number): Reach {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  const addresses = table.split('\n').flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    const [address, linePort] = (fields[1] ?? '').split(':');
    return fields[3] === '0A' && linePort === wanted && address ? [address] : [];
  });
  if (addresses.length === 0) return 'nobody';
  return addresses.every(isLoopback) ? 'this machine' : 'elsewhere';
}

const isLoopback = (address: string): boolean =>
  address.length === 8
    ? address.endsWith('7F') // 127.0.0.0/8, the first byte last
    : address === '00000000000000000000000001000000' || /^0{16}FFFF0000.{6}7F$/.test(address);

export const isLoopbackHost = (host: string): boolean =>
  host === 'localhost' || host === '::1' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
