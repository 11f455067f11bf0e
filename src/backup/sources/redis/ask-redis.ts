import { AppError } from '../../../platform/errors.ts';
import { openRedis } from './redis-connection.ts';
import { placeInWords, readRedisUrl } from './redis-place.ts';

/**
 * A connection for small questions to the server of a backend.
 * @throws AppError `target/unreachable`, without anything of the URL but its place
 */
export async function connectToAsk(url: string): Promise<{ info(): Promise<string>; close(): void }> {
  const place = readRedisUrl(url);
  const { redis, close } = await openRedis(
    place,
    new AbortController().signal,
    (cause, err) =>
      new AppError('target/unreachable', `${placeInWords(place)} does not let us in: ${cause}.`, { cause: err }),
  );
  return { info: () => redis.info(), close };
}
