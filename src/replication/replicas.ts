import type { LocationOrigin, RepositoryLocation } from '../backup/index.ts';
import type { ReplicaConfig, StoreSecret } from '../config/index.ts';
import type { EventRecorder } from '../events/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import { AppError, isAppError } from '../platform/errors.ts';
import type { Leases } from '../platform/leases.ts';
import type { Seal } from '../platform/seal.ts';
import { type Credentials, requireKnownCredentials } from './credentials.ts';
import { leaseOf } from './held-work.ts';
import type { Replica, ReplicaKind } from './replica.ts';
import type { ReplicationStore } from './replication-store.ts';

export type NewReplica = {
  readonly id: string | undefined;
  readonly name: string;
  readonly location: string | undefined;
  readonly baseUrl: string | undefined;
  readonly credentials: Credentials;
  readonly zone: string | null;
  readonly offline: boolean;
  readonly enabled: boolean;
  readonly limitKiB: number | null;
  readonly maxConcurrent: number | null;
  readonly metadata: Replica['metadata'];
};
export type ReplicaChange = Partial<
  Pick<Replica, 'name' | 'zone' | 'offline' | 'enabled' | 'limitKiB' | 'maxConcurrent' | 'metadata'>
> & {
  readonly credentials?: Credentials | undefined;
};

export type Replicas = {
  /** Those of the file, then those of the API, by id. */
  list(): Promise<readonly Replica[]>;
  /** @throws AppError `replication/unknown-target` */
  require(id: string): Promise<Replica>;
  /** Opened just before they are used. @throws AppError `access/seal-broken`, `outgoing/failed` */
  credentials(replica: Replica): Promise<Credentials>;
  /** @throws AppError `repository/invalid-location`, `request/invalid`, `conflict/state`, `outgoing/refused-address` */
  register(wanted: NewReplica, actor: string): Promise<Replica>;
  change(id: string, change: ReplicaChange, actor: string): Promise<Replica>;
  /** @throws AppError `operation/busy` while somebody works there */
  remove(id: string, actor: string): Promise<void>;
};

/** Purpose of the seal: what was sealed for one target opens for no other. */
const purposeOf = (id: string): string => `replication target ${id}`;
const idShape = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** The registry of places that points are copied to. Those of the file cannot be changed over the API. */
export function createReplicas(deps: {
  readonly store: ReplicationStore;
  readonly db: Database;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly seal: Seal;
  readonly configured: readonly ReplicaConfig[];
  readonly maxTargets: number;
  /** Folders in which nothing of ours may be put: what is protected, our own state, the repository. */
  readonly living: () => readonly string[];
  parseLocation(text: string, origin: LocationOrigin): RepositoryLocation;
  /** @param name that the store's tools know it by */
  readSecret(secret: StoreSecret, name: string): Promise<string>;
  readonly leases: Leases;
  /** What waits on this disk to be sent there. */
  forgetSpool(replica: Replica): Promise<void>;
  /** @throws AppError `outgoing/refused-address` for an address that nobody may have us call */
  admit(host: string, port: number): Promise<unknown>;
}): Replicas {
  const { store, db, events, clock, seal } = deps;
  const fromFile = deps.configured.map((one) => replicaOfFile(one, deps.parseLocation));

  const list = async (): Promise<readonly Replica[]> => {
    const stored = await store.replicas();
    return [
      ...fromFile,
      ...stored.map(({ replica }) => replica).filter(({ id }) => !fromFile.some((one) => one.id === id)),
    ];
  };

  const require = async (id: string): Promise<Replica> => {
    const found = (await list()).find((one) => one.id === id);
    if (!found)
      throw new AppError(
        'replication/unknown-target',
        `There is no replication target ${JSON.stringify(id.slice(0, 100))}. \`ragwarden replicate targets\` shows them.`,
      );
    return found;
  };

  const requireOwn = async (id: string): Promise<Replica> => {
    const found = await require(id);
    if (found.origin === 'file')
      throw new AppError('conflict/state', `${id} stands in the settings file. Change it there and restart.`);
    return found;
  };

  const readOfFile = async (id: string): Promise<Credentials> => {
    const config = deps.configured.find((one) => one.id === id);
    const pairs = Object.entries({
      ...config?.credentials,
      ...(config?.apiKey ? { API_KEY: config.apiKey } : {}),
    });
    return Object.fromEntries(
      await Promise.all(pairs.map(async ([name, one]) => [name, await deps.readSecret(one, name)])),
    );
  };

  return {
    list,
    require,
    async credentials(replica) {
      if (replica.origin === 'file') {
        const credentials = await readOfFile(replica.id);
        requireKnownCredentials(replica.kind, credentials, 'file');
        return credentials;
      }
      const stored = (await store.replicas()).find((one) => one.replica.id === replica.id);
      // JSON that only this file writes.
      return stored?.sealed ? JSON.parse(seal.open(stored.sealed, purposeOf(replica.id))) : {};
    },

    async register(wanted, actor) {
      const present = await list();
      if (present.length >= deps.maxTargets)
        throw new AppError(
          'conflict/state',
          `There are ${present.length} replication targets already, as many as replication.max_targets allows.`,
        );
      const { kind, place } = await admittedPlace(wanted, deps);
      requireKnownCredentials(kind, wanted.credentials, 'api');
      const id = wanted.id ?? freeId(wanted.name, present);
      if (!idShape.test(id))
        throw new AppError('request/invalid', 'An id has lower-case letters, digits and dashes.', {
          violations: [{ at: 'target_id', message: 'has other characters than lower-case letters, digits and dashes' }],
        });
      if (present.some((one) => one.id === id))
        throw new AppError('conflict/state', `There is a replication target ${id} already.`);
      const same = present.find((one) => one.place === place);
      if (same) throw new AppError('conflict/state', `${same.id} copies to ${place} already.`);
      const { name, zone, offline, enabled, limitKiB, maxConcurrent, metadata } = wanted;
      const replica: Replica = {
        ...{ id, name, kind, place, zone, offline, enabled, limitKiB, maxConcurrent, metadata },
        ...{ passwordFile: null, caFile: null, origin: 'api', createdMs: clock.now() },
      };
      const sealed =
        Object.keys(wanted.credentials).length === 0
          ? null
          : seal.close(JSON.stringify(wanted.credentials), purposeOf(id));
      await db.unit(async (tx) => {
        await store.writeReplica(tx, { replica, sealed }, actor);
        await tell(tx, actor, 'registered', replica);
      });
      return replica;
    },

    async change(id, { credentials, ...change }, actor) {
      const replica = { ...(await requireOwn(id)), ...withoutUndefined(change) };
      if (credentials) requireKnownCredentials(replica.kind, credentials, 'api');
      const stored = (await store.replicas()).find((one) => one.replica.id === id);
      const sealed = credentials ? seal.close(JSON.stringify(credentials), purposeOf(id)) : (stored?.sealed ?? null);
      await db.unit(async (tx) => {
        await store.writeReplica(tx, { replica, sealed }, actor);
        await tell(tx, actor, 'changed', replica);
      });
      return replica;
    },

    async remove(id, actor) {
      const replica = await requireOwn(id);
      // Whoever works there would write down anew what is forgotten here.
      const lease = await deps.leases.acquire(leaseOf(id));
      if (!lease)
        throw new AppError(
          'operation/busy',
          `Somebody works on the replication target ${id}. Wait for it, or cancel it.`,
        );
      try {
        await db.unit(async (tx) => {
          await store.deleteReplica(tx, id);
          await tell(tx, actor, 'removed', replica);
        });
        await deps.forgetSpool(replica);
      } finally {
        await deps.leases.release(lease);
      }
    },
  };

  async function tell(
    tx: Parameters<EventRecorder['record']>[0],
    actor: string,
    what: 'registered' | 'changed' | 'removed',
    replica: Replica,
  ): Promise<void> {
    await events.record(tx, {
      type: `replication.target-${what}`,
      severity: 'info',
      message: `The replication target ${replica.id} (${replica.place}) was ${what} by ${actor}.`,
      data: { replica: replica.id, kind: replica.kind, zone: replica.zone, enabled: replica.enabled },
    });
    await events.audit(tx, { actor, action: `replication.target-${what}`, object: replica.id, outcome: 'done' });
  }
}

const withoutUndefined = <T extends object>(change: T): T =>
  // The keys stay those of the type; only what nobody said is left out.
  Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)) as T;

function replicaOfFile(
  config: ReplicaConfig,
  parseLocation: (text: string, origin: LocationOrigin) => RepositoryLocation,
): Replica {
  const { id, name, zone, offline, enabled, limitKiB, passwordFile, caFile } = config;
  const location = 'location' in config.place ? config.place.location : '';
  const { kind, place } =
    'baseUrl' in config.place
      ? { kind: 'ragwarden' as const, place: plainUrl(config.place.baseUrl) }
      : ofTarget(id, () => placeOf(parseLocation(location, 'file')));
  return {
    ...{ id, name, kind, place, zone, offline, enabled, limitKiB: limitKiB ?? null },
    ...{ passwordFile: passwordFile ?? null, caFile: caFile ?? null, maxConcurrent: config.maxConcurrent ?? null },
    ...{ metadata: {}, origin: 'file', createdMs: null },
  };
}

/** Names the one of several in the file that is meant. */
function ofTarget<Result>(id: string, read: () => Result): Result {
  try {
    return read();
  } catch (err) {
    if (!isAppError(err)) throw err;
    throw new AppError(err.code, `replication.targets ${id}: ${err.detail}`, { cause: err });
  }
}

function placeOf(location: RepositoryLocation): { kind: ReplicaKind; place: string } {
  // Compared as text a URL without one would differ too: what is shown has a slash at its end, and small letters.
  if (location.kind === 'rest' && new URL(location.resticArgument.slice('rest:'.length)).password !== '')
    throw new AppError(
      'repository/invalid-location',
      'A password has no place in the location of a replication target. Hand it in as RESTIC_REST_PASSWORD.',
    );
  return { kind: location.kind, place: location.resticArgument };
}

async function admittedPlace(
  { location, baseUrl }: Pick<NewReplica, 'location' | 'baseUrl'>,
  deps: Parameters<typeof createReplicas>[0],
): Promise<{ kind: ReplicaKind; place: string }> {
  if (baseUrl !== undefined) {
    const place = plainUrl(baseUrl);
    await admitUrl(new URL(place), deps);
    return { kind: 'ragwarden', place };
  }
  const parsed = deps.parseLocation(location ?? '', 'api');
  const found = placeOf(parsed);
  if (found.kind === 'folder') {
    const overlap = deps.living().find((one) => overlaps(found.place, one));
    if (overlap !== undefined)
      throw new AppError(
        'target/foreign-path',
        `${found.place} overlaps ${overlap}, which is in use. Name another folder.`,
      );
  }
  const url = urlOf(found.kind, found.place);
  if (url) await admitUrl(url, deps);
  return found;
}

/** Of those kinds of store that name a host. */
export function urlOf(kind: ReplicaKind, place: string): URL | undefined {
  if (kind === 'rest') return new URL(place.slice('rest:'.length));
  if (kind === 'sftp') return new URL(place);
  if (kind === 'ragwarden') return new URL(place);
  if (kind !== 's3') return undefined;
  const rest = place.slice('s3:'.length);
  return new URL(/^https?:\/\//.test(rest) ? rest : `https://${rest.replace(/^\/\//, '')}`);
}

async function admitUrl(url: URL, { admit }: { admit(host: string, port: number): Promise<unknown> }): Promise<void> {
  const standard: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443, 'sftp:': 22 };
  await admit(url.hostname, url.port === '' ? (standard[url.protocol] ?? 443) : Number(url.port));
}

function plainUrl(text: string): string {
  const url = URL.parse(text);
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:')) throw invalidUrl('is no http or https URL');
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    throw invalidUrl('carries credentials, a query or a fragment');
  return url.href.replace(/\/+$/, '');
}

const invalidUrl = (message: string): AppError =>
  new AppError('request/invalid', `base_url ${message}.`, { violations: [{ at: 'base_url', message }] });

const overlaps = (one: string, other: string): boolean =>
  one === other || one.startsWith(`${other}/`) || other.startsWith(`${one}/`);

function freeId(name: string, present: readonly Replica[]): string {
  const base =
    name
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-+|-+$/g, '')
      .slice(0, 55) || 'target';
  for (let count = 1; ; count += 1) {
    const id = count === 1 ? base : `${base}-${count}`;
    if (!present.some((one) => one.id === id)) return id;
  }
}
