import { isIP } from 'node:net';

const loopbackNames = new Set(['localhost', '127.0.0.1', '::1']);

/**
 * The name in a `Host` header, lower case, without port, brackets and a trailing dot; undefined when it is no host at all.
 */
export function hostName(header: string | undefined): string | undefined {
  if (header === undefined || header.length > 255) return undefined;
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/i.exec(header);
  const name = (match?.[1] ?? match?.[2])?.toLowerCase().replace(/\.$/, '');
  return name === '' ? undefined : name;
}

const plainAddress = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/, '').replace(/%.*$/, '');

/**
 * Whether a request with this `Host` is meant for us. A page elsewhere can make a browser call a name that it controls
 * and that resolves to this machine (DNS rebinding); such a name is not among ours. Ports are not compared: a forwarded
 * port is no attack.
 * @param localAddress the address that the connection came to: with a wildcard listener, that one counts as ours
 */
export function isOwnHost(
  header: string | undefined,
  localAddress: string | undefined,
  allowed: readonly string[],
): boolean {
  const name = hostName(header);
  if (name === undefined) return false;
  if (loopbackNames.has(name)) return true;
  if (isIP(name) !== 0 && localAddress !== undefined && plainAddress(localAddress) === name) return true;
  return allowed.some((entry) => hostName(entry) === name || entry.toLowerCase() === name);
}
