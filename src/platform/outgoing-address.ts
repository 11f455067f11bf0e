import { BlockList, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';

export type AddressDecision = 'allowed' | 'never' | 'private';

const list = (subnets: readonly string[]): BlockList => {
  const blocks = new BlockList();
  for (const subnet of subnets) {
    const [address = '', bits = ''] = subnet.split('/');
    blocks.addSubnet(address, Number(bits), isIP(address) === 6 ? 'ipv6' : 'ipv4');
  }
  return blocks;
};

/** No one may have us call these: link-local (cloud metadata lives there), metadata elsewhere, "this host", multicast. */
const never = list([
  '0.0.0.0/8',
  '169.254.0.0/16',
  '168.63.129.16/32',
  '100.100.100.200/32',
  '192.0.0.192/32',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '::/128',
  'fe80::/10',
  'fd00:ec2::/32',
  'ff00::/8',
]);

/** Loopback, private and shared ranges, and what is translated into IPv4 somewhere on the way. */
const privateRanges = list([
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '::1/128',
  '64:ff9b::/32',
  '2002::/16',
  'fc00::/7',
  'fec0::/10',
]);

/** What may be said of a resolved address that somebody gave us over the API. IPv4 in IPv6 notation counts as IPv4. */
export function decideAddress(address: string): AddressDecision {
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
  if (isIP(address) === 0 || never.check(address, family)) return 'never';
  return privateRanges.check(address, family) ? 'private' : 'allowed';
}

/** Whether the address is one of this machine, so that a port behind it may be one of our own listeners. */
export function isOwnAddress(address: string): boolean {
  const loopback = list(['127.0.0.0/8', '::1/128']);
  if (loopback.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')) return true;
  const plain = address.replace(/^::ffff:(?=\d+\.)/, '');
  return Object.values(networkInterfaces()).some((own) => own?.some((entry) => entry.address === plain));
}
