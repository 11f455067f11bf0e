import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';

export type ContentDigest = {
  /** Takes in what lies under each key, as if it were called by the other name. */
  add(redis: Redis, keys: readonly { readonly at: Buffer; readonly name: Buffer }[]): Promise<void>;
  readonly keys: () => number;
  readonly hex: () => string;
};

/**
 * A digest over keys and what they hold, whatever their order and however a server packs them: what DUMP gives differs
 * between two servers with the same content. Keys that end by themselves are left out, since they may be gone the next time.
 */
export function createContentDigest(): ContentDigest {
  const sum = Buffer.alloc(32);
  let keys = 0;
  return {
    async add(redis, batch) {
      if (batch.length === 0) return;
      const kinds = redis.pipeline();
      for (const { at } of batch) {
        kinds.type(at);
        kinds.pttl(at);
      }
      const told = (await kinds.exec()) ?? [];
      const kept = batch.flatMap((one, index) => {
        const type = told[2 * index]?.[1];
        const lasting = told[2 * index + 1]?.[1] === -1;
        return lasting && typeof type === 'string' && type !== 'none' ? [{ ...one, type }] : [];
      });
      const contents = redis.pipeline();
      for (const { at, type } of kept) ask(contents, at, type);
      const answers = (await contents.exec()) ?? [];
      for (const [index, { name, type }] of kept.entries()) {
        const [failure, content] = answers[index] ?? [];
        if (failure) throw failure;
        const hash = createHash('sha256');
        hash.update(`${type} ${name.length} `).update(name);
        for (const part of canonical(content, type)) hash.update(`${part.length} `).update(part);
        const one = hash.digest();
        for (let i = 0; i < sum.length; i += 1) sum[i] = (sum[i] ?? 0) ^ (one[i] ?? 0);
        keys += 1;
      }
    },
    keys: () => keys,
    hex: () => sum.toString('hex'),
  };
}

function ask(pipeline: ReturnType<Redis['pipeline']>, key: Buffer, type: string): void {
  switch (type) {
    case 'string':
      pipeline.getBuffer(key);
      break;
    case 'list':
      pipeline.lrangeBuffer(key, 0, -1);
      break;
    case 'set':
      pipeline.smembersBuffer(key);
      break;
    case 'zset':
      pipeline.zrangeBuffer(key, 0, '-1', 'WITHSCORES');
      break;
    case 'hash':
      pipeline.hgetallBuffer(key);
      break;
    default:
      // A stream, or a module's: that it is there has to do.
      pipeline.exists(key);
  }
}

/** The parts of a value in an order that does not depend on how the server keeps them. */
function canonical(content: unknown, type: string): Buffer[] {
  if (Buffer.isBuffer(content)) return [content];
  if (type === 'hash' && typeof content === 'object' && content !== null && !Array.isArray(content))
    return inOrder(Object.entries(content).map(([field, value]) => [Buffer.from(field), toBytes(value)]));
  if (!Array.isArray(content)) return [toBytes(content)];
  const parts = content.flat().map(toBytes);
  if (type === 'list') return parts;
  const width = type === 'zset' ? 2 : 1;
  const groups: Buffer[][] = [];
  for (let i = 0; i < parts.length; i += width) groups.push(parts.slice(i, i + width));
  return inOrder(groups);
}

const toBytes = (value: unknown): Buffer => (Buffer.isBuffer(value) ? value : Buffer.from(String(value)));

const inOrder = (groups: Buffer[][]): Buffer[] =>
  groups.sort((left, right) => Buffer.compare(left[0] ?? Buffer.alloc(0), right[0] ?? Buffer.alloc(0))).flat();
