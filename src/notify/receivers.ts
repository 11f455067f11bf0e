import { z } from 'zod';
import type { NotifyConfig, ReceiverConfig } from '../config/index.ts';
import type { EventRecorder } from '../events/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import { AppError, describeError } from '../platform/errors.ts';
import type { Seal } from '../platform/seal.ts';
import { freshState, type Receiver, type ReceiverState } from './receiver.ts';
import {
  deleteReceiver,
  type ReceiverTables,
  type StoredReceiver,
  selectReceivers,
  selectStates,
  writeReceiver,
  writeState,
} from './receiver-store.ts';

/** A receiver as it stands: with what became of it, and why it cannot be used. */
export type KnownReceiver = {
  readonly receiver: Receiver;
  /** As of the last look; whoever sends keeps it up to date. */
  state: ReceiverState;
  /** Its secrets cannot be opened; null: it is as it should be. */
  readonly broken: string | null;
  readonly createdBy: string | null;
};

/** What somebody sets over the API; secrets that are left out stay as they are. */
export type NewReceiver = {
  readonly id: string;
  readonly settings: ReceiverSettings;
  readonly secrets: Readonly<Record<string, string>>;
};

export type Receivers = {
  /** Those of the file first, then by id. One that was made over the API under an id of the file stays aside. */
  list(): Promise<readonly KnownReceiver[]>;
  find(id: string): Promise<KnownReceiver | undefined>;
  /** @throws AppError `conflict/state` when there is one of this id */
  create(actor: string, wanted: NewReceiver): Promise<void>;
  /** @throws AppError `request/not-found`, `conflict/state` for one of the file */
  change(actor: string, wanted: NewReceiver): Promise<void>;
  /** @throws AppError `request/not-found`, `conflict/state` for one of the file */
  remove(actor: string, id: string): Promise<void>;
  /** Takes one into use again that was switched off. @throws AppError `request/not-found` */
  enable(actor: string, id: string): Promise<void>;
};

const every = { send_resolved: z.boolean(), timeout_seconds: z.number().min(1).max(60) };

/** What may be shown of a receiver that was made over the API, and is kept so. */
export const receiverSettings = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('webhook'), ...every }),
  z.strictObject({ kind: z.literal('slack'), ...every, channel: z.string().nullable() }),
  z.strictObject({
    kind: z.literal('email'),
    ...every,
    host: z.string(),
    port: z.number(),
    tls: z.enum(['starttls', 'implicit', 'none']),
    username: z.string().nullable(),
    from: z.string(),
    to: z.array(z.string()),
  }),
  z.strictObject({ kind: z.literal('alertmanager'), ...every, url: z.string(), username: z.string().nullable() }),
]);
export type ReceiverSettings = z.infer<typeof receiverSettings>;

const purposeOf = (id: string, name: string): string => `receiver:${id}:${name}`;

export function createReceivers(options: {
  config(): NotifyConfig;
  db: Database;
  seal: Seal;
  events: EventRecorder;
  clock: Clock;
  /** After a commit that changed who can be told. */
  onChange(): void;
}): Receivers {
  const { config, db, seal, events, clock, onChange } = options;
  const reader = () => db.reader<ReceiverTables>();

  const open = (stored: StoredReceiver): { receiver: Receiver; broken: string | null } => {
    const settings = receiverSettings.parse(stored.settings);
    let broken: string | null = null;
    const secretOf = (name: string): { value: string } | undefined => {
      const sealed = stored.secrets[name];
      if (sealed === undefined) return undefined;
      try {
        return { value: seal.open(sealed, purposeOf(stored.id, name)) };
      } catch (err) {
        broken = describeError(err);
        return { value: '' };
      }
    };
    const receiver: Receiver = { ...configOf(stored.id, settings, secretOf), origin: 'api' };
    return { receiver, broken };
  };

  const list = async (): Promise<KnownReceiver[]> => {
    const [stored, states] = await Promise.all([selectReceivers(reader()), selectStates(reader())]);
    const byId = new Map(states.map((state) => [state.receiverId, state]));
    const stateOf = (id: string): ReceiverState => byId.get(id) ?? freshState(id);
    const ofFile = config().receivers.map(
      (one): KnownReceiver => ({
        receiver: { ...one, origin: 'file' },
        state: stateOf(one.id),
        broken: null,
        createdBy: null,
      }),
    );
    const taken = new Set(ofFile.map(({ receiver }) => receiver.id));
    const ofApi = stored
      .filter(({ id }) => !taken.has(id))
      .map((one): KnownReceiver => ({ ...open(one), state: stateOf(one.id), createdBy: one.createdBy }));
    return [...ofFile, ...ofApi];
  };

  const requireOwn = async (id: string): Promise<StoredReceiver> => {
    if (config().receivers.some((one) => one.id === id))
      throw new AppError('conflict/state', `The receiver ${id} stands in ragwarden.yaml; change it there.`);
    const stored = (await selectReceivers(reader())).find((one) => one.id === id);
    if (!stored) throw new AppError('request/not-found', `There is no receiver ${id}.`);
    return stored;
  };

  const sealed = (id: string, secrets: Readonly<Record<string, string>>): Record<string, string> =>
    Object.fromEntries(Object.entries(secrets).map(([name, value]) => [name, seal.close(value, purposeOf(id, name))]));

  return {
    list,
    find: async (id) => (await list()).find(({ receiver }) => receiver.id === id),
    async create(actor, { id, settings, secrets }) {
      if ((await list()).some(({ receiver }) => receiver.id === id))
        throw new AppError(
          'conflict/state',
          `There is a receiver ${id} already. Choose another id, or change that one.`,
        );
      const nowMs = clock.now();
      const kept = { id, kind: settings.kind, settings, secrets: sealed(id, secrets) };
      await db.unit(async (tx) => {
        await writeReceiver(tx, { ...kept, createdBy: actor, createdMs: nowMs, changedMs: nowMs });
        const data = { kind: settings.kind };
        await events.audit(tx, { actor, action: 'notify.create-receiver', object: id, outcome: 'done', data });
        tx.afterCommit(onChange);
      });
    },
    async change(actor, { id, settings, secrets }) {
      const before = await requireOwn(id);
      const kind = receiverSettings.parse(before.settings).kind;
      const kept = { ...(kind === settings.kind ? before.secrets : {}), ...sealed(id, secrets) };
      await db.unit(async (tx) => {
        const { createdBy, createdMs } = before;
        await writeReceiver(tx, {
          ...{ id, kind: settings.kind, settings, secrets: kept, createdBy, createdMs },
          changedMs: clock.now(),
        });
        // Whoever changes it means it to be used.
        await writeState(tx, freshState(id));
        const data = { kind: settings.kind, secrets: Object.keys(secrets) };
        await events.audit(tx, { actor, action: 'notify.change-receiver', object: id, outcome: 'done', data });
        tx.afterCommit(onChange);
      });
    },
    async remove(actor, id) {
      await requireOwn(id);
      await db.unit(async (tx) => {
        await deleteReceiver(tx, id);
        await events.audit(tx, { actor, action: 'notify.remove-receiver', object: id, outcome: 'done' });
        tx.afterCommit(onChange);
      });
    },
    async enable(actor, id) {
      const known = (await list()).find(({ receiver }) => receiver.id === id);
      if (!known) throw new AppError('request/not-found', `There is no receiver ${id}.`);
      await db.unit(async (tx) => {
        await writeState(tx, { ...known.state, disabledMs: null, disabledReason: null, failures: 0 });
        await events.audit(tx, { actor, action: 'notify.enable-receiver', object: id, outcome: 'done' });
        tx.afterCommit(onChange);
      });
    },
  };
}

function configOf(
  id: string,
  settings: ReceiverSettings,
  secretOf: (name: string) => { value: string } | undefined,
): ReceiverConfig {
  const common = { id, sendResolved: settings.send_resolved, timeoutMs: settings.timeout_seconds * 1_000 };
  const url = () => secretOf('url') ?? { value: '' };
  const login = (username: string | null) => {
    const password = secretOf('password');
    return username !== null && password ? { username, password } : undefined;
  };
  switch (settings.kind) {
    case 'webhook':
      return { ...common, kind: 'webhook', url: url(), signingKey: secretOf('signing_key') };
    case 'slack':
      return { ...common, kind: 'slack', url: url(), channel: settings.channel ?? undefined };
    case 'email': {
      const { host, port, tls, from, to, username } = settings;
      return { ...common, kind: 'email', host, port, tls, caFile: undefined, login: login(username), from, to };
    }
    case 'alertmanager': {
      const token = secretOf('bearer_token');
      const named = login(settings.username);
      const auth: Extract<ReceiverConfig, { kind: 'alertmanager' }>['auth'] = token
        ? { kind: 'bearer', token }
        : named
          ? { kind: 'basic', ...named }
          : { kind: 'none' };
      return { ...common, kind: 'alertmanager', url: settings.url, auth };
    }
  }
}
