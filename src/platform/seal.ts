import { createCipheriv, createDecipheriv } from 'node:crypto';
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { AppError, storageError, systemCode } from './errors.ts';
import type { RandomSource } from './ids.ts';

/** Keeps secrets that came over the API: what is stored is of no use without the key, which lies elsewhere. */
export type Seal = {
  /** @param purpose what it is for: what was sealed for one thing opens for nothing else */
  close(secret: string, purpose: string): string;
  /** @throws AppError `access/seal-broken` when it was sealed with another key or for something else, or was changed */
  open(sealed: string, purpose: string): string;
};

const version = 'v1';
const nonceBytes = 12;
const tagBytes = 16;

/**
 * AES-256-GCM. The key is read, or made, when it is first needed: who takes no secrets has no key.
 * @param given 32 bytes in base64, from the environment; else the file is used, which is made with mode 0600
 */
export function createSeal(options: { given: string | undefined; file: string; random: RandomSource }): Seal {
  let key: Buffer | undefined;
  const requireKey = (make: boolean): Buffer => {
    if (key) return key;
    if (options.given === undefined && make) makeKey(options.file, options.random);
    key = options.given === undefined ? readKey(options.file) : Buffer.from(options.given, 'base64');
    return key;
  };
  return {
    close(secret, purpose) {
      const nonce = options.random(nonceBytes);
      const cipher = createCipheriv('aes-256-gcm', requireKey(true), nonce);
      cipher.setAAD(Buffer.from(purpose));
      const content = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
      return `${version}:${Buffer.concat([nonce, cipher.getAuthTag(), content]).toString('base64')}`;
    },
    open(sealed, purpose) {
      try {
        if (!sealed.startsWith(`${version}:`)) throw new Error('unknown version');
        const bytes = Buffer.from(sealed.slice(version.length + 1), 'base64');
        const decipher = createDecipheriv('aes-256-gcm', requireKey(false), bytes.subarray(0, nonceBytes));
        decipher.setAAD(Buffer.from(purpose));
        decipher.setAuthTag(bytes.subarray(nonceBytes, nonceBytes + tagBytes));
        const content = decipher.update(bytes.subarray(nonceBytes + tagBytes));
        return Buffer.concat([content, decipher.final()]).toString('utf8');
      } catch (cause) {
        throw new AppError(
          'access/seal-broken',
          'A secret that was set over the API cannot be opened with the present seal key. Set it again, or bring seal.key back.',
          { cause, context: { purpose } },
        );
      }
    },
  };
}

/** Whole or not at all, and never over one that is there: of two processes both use the one that came first. */
function makeKey(file: string, random: RandomSource): void {
  const fresh = `${file}.${random(6).toString('hex')}`;
  try {
    writeFileSync(fresh, `${random(32).toString('base64')}\n`, { mode: 0o600, flag: 'wx' });
    linkSync(fresh, file);
  } catch (err) {
    if (systemCode(err) !== 'EEXIST') throw storageError(err, 'writing the seal key');
  } finally {
    rmSync(fresh, { force: true });
  }
}

function readKey(file: string): Buffer {
  const key = Buffer.from(readFileSync(file, 'utf8').trim(), 'base64');
  if (key.length !== 32) throw new Error(`${file} holds no key of 32 bytes`);
  return key;
}
