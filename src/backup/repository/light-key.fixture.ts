import { createCipheriv, createDecipheriv, createHash, randomBytes, scryptSync } from 'node:crypto';
import { readdir, readFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * For tests only. Every start of restic derives its key from the password, which is made to cost a third of a second; this
 * rewrites the key of a repository with parameters that cost nothing (and protect nothing).
 * Format: "Keys, Encryption and MAC" in restic's design document; AES-256-CTR with Poly1305-AES.
 */
export async function lightenKey(repository: string, password: string): Promise<void> {
  const folder = join(repository, 'keys');
  const [name = ''] = await readdir(folder);
  const key = JSON.parse(await readFile(join(folder, name), 'utf8'));
  const sealed = Buffer.from(key.data, 'base64');
  const master = open(derive(password, key), sealed);
  const light = { ...key, N: 2, r: 1, p: 1, salt: randomBytes(64).toString('base64') };
  const text = JSON.stringify({ ...light, data: seal(derive(password, light), master).toString('base64') });
  await writeFile(join(folder, createHash('sha256').update(text).digest('hex')), text, { mode: 0o600 });
  await unlink(join(folder, name));
}

type Derived = { readonly encrypt: Buffer; readonly macK: Buffer; readonly macR: Buffer };

function derive(password: string, { salt, N, r, p }: { salt: string; N: number; r: number; p: number }): Derived {
  const bytes = scryptSync(password, Buffer.from(salt, 'base64'), 64, { N, r, p, maxmem: 2 ** 30 });
  return { encrypt: bytes.subarray(0, 32), macK: bytes.subarray(32, 48), macR: bytes.subarray(48) };
}

function open(key: Derived, sealed: Buffer): Buffer {
  const [nonce, text, mac] = [sealed.subarray(0, 16), sealed.subarray(16, -16), sealed.subarray(-16)];
  if (!poly1305Aes(key, nonce, text).equals(mac)) throw new Error('this is not the password of the repository');
  return createDecipheriv('aes-256-ctr', key.encrypt, nonce).update(text);
}

function seal(key: Derived, plain: Buffer): Buffer {
  const nonce = randomBytes(16);
  const text = createCipheriv('aes-256-ctr', key.encrypt, nonce).update(plain);
  return Buffer.concat([nonce, text, poly1305Aes(key, nonce, text)]);
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
