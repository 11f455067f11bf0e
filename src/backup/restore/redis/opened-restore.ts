import type { Redis } from 'ioredis';
import type { RedisDetails } from '../../sources/redis/redis-details.ts';
import type { RedisPlace } from '../../sources/redis/redis-place.ts';
import type { KeyScope } from './restore-scope.ts';

/** A restore with the living server at hand, in the database it goes into. */
export type OpenedRestore = {
  readonly redis: Redis;
  readonly place: RedisPlace;
  readonly details: RedisDetails;
  readonly scope: KeyScope;
};
