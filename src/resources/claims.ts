import type { NewResource, Resource, ResourceChange, ResourceType } from './resource.ts';
import type { ResourceRegistry } from './resource-registry.ts';

/** What quotas say to whoever registers a resource; wired in app/. */
export type ResourceQuota = {
  /**
   * Takes the amount in all quotas that apply or in none. Undefined: nothing of it is given back later.
   * @throws AppError `quota/exceeded`, `quota/unavailable`: nothing was taken
   */
  claim(use: {
    readonly type: ResourceType;
    readonly owner: string | null;
    readonly workspaceId: string | null;
    readonly amount: number;
  }): Promise<Claim | undefined>;
  /** Of quotas of the ten types: exceeded now, and found so since the start. */
  violations(): Promise<{ readonly open: number; readonly total: number }>;
};
export type Claim = {
  readonly amount: number;
  /** It became so much less. */
  shrink(by: number): void;
  release(): void;
};

export type Claims = {
  /** As the registry does, when quotas have room for it. @throws AppError as `claim`, and as the registry */
  register(given: NewResource, by: string): Promise<{ readonly resource: Resource; readonly created: boolean }>;
  /** The same; what grew beyond a quota stays as large as it was. */
  touch(id: string, change: ResourceChange): Promise<Resource>;
  /** It is registered no more. */
  gone(id: string): void;
};

/** Of memory its bytes, of everything else one. */
const amountOf = ({ type, sizeBytes }: Pick<NewResource, 'type' | 'sizeBytes'>): number =>
  type === 'memory' ? (sizeBytes ?? 0) : 1;

/** What registered resources hold of quotas; given back when they are gone, however that came about. */
export function createClaims({
  resources,
  quota,
}: {
  resources: Pick<ResourceRegistry, 'find' | 'register' | 'touch' | 'require'>;
  quota: Pick<ResourceQuota, 'claim'>;
}): Claims {
  const held = new Map<string, Claim[]>();
  const turns = new Map<string, Promise<unknown>>();

  /** One after the other for each resource: two signs of life at once would both claim the same growth. */
  const inTurn = <T>(id: string, work: () => Promise<T>): Promise<T> => {
    const before = turns.get(id);
    const mine = before === undefined ? work() : before.then(work, work);
    turns.set(id, mine);
    const over = (): void => {
      if (turns.get(id) === mine) turns.delete(id);
    };
    mine.then(over, over);
    return mine;
  };

  const resize = async (one: Resource, amount: number): Promise<void> => {
    const more = amount - amountOf(one);
    if (more > 0) {
      const { type, owner, workspaceId } = one;
      const claim = await quota.claim({ type, owner, workspaceId, amount: more });
      if (claim === undefined) return;
      // It may have gone meanwhile.
      if (resources.find(one.id) === undefined) claim.release();
      else held.set(one.id, [...(held.get(one.id) ?? []), claim]);
      return;
    }
    let less = -more;
    for (const claim of held.get(one.id) ?? []) {
      const by = Math.min(less, claim.amount);
      if (by > 0) claim.shrink(by);
      less -= by;
    }
  };

  const register = async (given: NewResource, by: string): ReturnType<Claims['register']> => {
    const known = resources.find(given.id);
    // Of somebody else's nothing is claimed: the registry says so.
    const isSame = known !== undefined && known.type === given.type && known.owner === given.owner;
    if (isSame) await resize(known, amountOf(given));
    if (known !== undefined) return resources.register(given, by);
    const { type, owner, workspaceId } = given;
    const claim = await quota.claim({ type, owner, workspaceId, amount: amountOf(given) });
    try {
      const made = resources.register(given, by);
      if (claim && made.created) held.set(given.id, [claim]);
      else claim?.release();
      return made;
    } catch (err) {
      claim?.release();
      throw err;
    }
  };

  return {
    register: (given, by) => inTurn(given.id, () => register(given, by)),
    async touch(id, change) {
      const { sizeBytes } = change;
      if (sizeBytes === undefined) return resources.touch(id, change);
      return inTurn(id, async () => {
        const one = resources.find(id);
        if (one) await resize(one, amountOf({ ...one, sizeBytes }));
        return resources.touch(id, change);
      });
    },
    gone(id) {
      for (const claim of held.get(id) ?? []) claim.release();
      held.delete(id);
    },
  };
}
