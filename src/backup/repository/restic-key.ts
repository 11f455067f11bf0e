import { createCipheriv, createDecipheriv, scrypt } from 'node:crypto';
import { z } from 'zod';
import type { RandomSource } from '../../platform/ids.ts';

/**
 * Key files of a restic repository: the master key, sealed with a key that scrypt derives from the password.
 * Source: "Keys, Encryption and MAC" in restic's design document; AES-256-CTR with Poly1305-AES.
 */

const keyFile = z.looseObject({
  kdf: z.literal('scrypt'),
  N: z
    .number()
    .int()
    .min(2)
    .max(2 ** 24),
  r: z.number().int().min(1).max(64),
  p: z.number().int().min(1).max(64),
  salt: z.string(),
  data: z.string(),
});
export type KeyFile = z.infer<typeof keyFile>;

/** What scrypt needs for the costs that restic's own calibration chooses is 32 MiB; far more is no key of anybody's. */
const memoryLimitBytes = 2 ** 30;
const lightest = { N: 2, r: 1, p: 1 };

export function parseKeyFile(text: string): KeyFile | undefined {
  try {
    return keyFile.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** Derived in microseconds. */
export const isLight = (key: KeyFile): boolean => key.N * key.r * key.p <= 16;

/** @returns the master key as restic wrote it, undefined when this is not the password */
export async function openKeyFile(key: KeyFile, password: string): Promise<Buffer | undefined> {
  const derived = await derive(password, key);
  const sealed = Buffer.from(key.data, 'base64');
  const [nonce, text, mac] = [sealed.subarray(0, 16), sealed.subarray(16, -16), sealed.subarray(-16)];
  if (!poly1305Aes(derived, nonce, text).equals(mac)) return undefined;
  return createDecipheriv('aes-256-ctr', derived.encrypt, nonce).update(text);
}

/** The same master key under the same password, with the least stretching that restic takes. */
export async function renderLightKey(
  master: Buffer,
  password: string,
  facts: { readonly created: string; readonly host: string; readonly random: RandomSource },
): Promise<string> {
  const light = { ...lightest, salt: facts.random(64).toString('base64') };
  const derived = await derive(password, light);
  const data = seal(derived, master, facts.random).toString('base64');
  const { created, host } = facts;
  return JSON.stringify({ created, username: 'ragwarden-light', hostname: host, kdf: 'scrypt', ...light, data });
}

/** As restic seals keys and the configuration. */
export function seal(key: Derived, plain: Buffer, random: RandomSource): Buffer {
  const nonce = random(16);
  const text = createCipheriv('aes-256-ctr', key.encrypt, nonce).update(plain);
  return Buffer.concat([nonce, text, poly1305Aes(key, nonce, text)]);
}

type Derived = { readonly encrypt: Buffer; readonly macK: Buffer; readonly macR: Buffer };

function derive(password: string, { salt, N, r, p }: Pick<KeyFile, 'salt' | 'N' | 'r' | 'p'>): Promise<Derived> {
  return new Promise((resolve, reject) => {
    scrypt(password, Buffer.from(salt, 'base64'), 64, { N, r, p, maxmem: memoryLimitBytes }, (err, bytes) => {
      if (err) reject(err);
      else resolve({ encrypt: bytes.subarray(0, 32), macK: bytes.subarray(32, 48), macR: bytes.subarray(48) });
    });
  });
}

const littleEndian = (bytes: Buffer): bigint => BigInt(`0x0${Buffer.from(bytes).reverse().toString('hex')}`);

function poly1305Aes({ macK, macR }: Derived, nonce: Buffer, text: Buffer): Buffer {
  const cipher = createCipheriv('aes-128-ecb', macK, null).setAutoPadding(false);
  const factor = littleEndian(macR) & 0x0ffffffc0ffffffc0ffffffc0fffffffn;
  let sum = 0n;
  for (let at = 0; at < text.length; at += 16) {
    const block = text.subarray(at, at + 16);
    sum = ((sum + littleEndian(block) + (1n << BigInt(8 * block.length))) * factor) % ((1n << 130n) - 5n);
  }
  const mac = (sum + littleEndian(cipher.update(nonce))) & ((1n << 128n) - 1n);
  return Buffer.from(mac.toString(16).padStart(32, '0'), 'hex').reverse();
}
