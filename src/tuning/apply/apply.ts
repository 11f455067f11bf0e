import { realpath, rm } from 'node:fs/promises';
import type { EventRecorder } from '../../events/index.ts';
import type { Idempotency, OperationContext, Operations, SettledOutcome } from '../../operations/index.ts';
import type { Database, Tx } from '../../platform/database/index.ts';
import { AppError, describeError, type ErrorCode, errorCatalogue } from '../../platform/errors.ts';
import { type BackendLifecycle, type Observation, parseEnvFile } from '../../targets/index.ts';
import type { IndexFacts } from '../consequence.ts';
import { findDrift } from '../drift.ts';
import type { Tuning } from '../tuning.ts';
import type { ChangeWatch } from '../watch/change-watch.ts';
import { forgetWritten, selectWritten, type Written, writeWritten } from '../watch/watch-store.ts';
import { type ApplyPlan, type FileChange, planApply, type SettingsFormat } from './plan-apply.ts';
import { digestOf, keepCopy, readPlainFile, rewriteFile } from './rewrite-file.ts';

/** One backend whose environment file is known. */
export type ApplyTarget = {
  readonly id: string;
  /** The file that the backend reads; an environment file unless `format` says otherwise. */
  readonly environmentFile: string | undefined;
  readonly format?: SettingsFormat;
  /** Why nothing may be written just now. */
  hindrance?(): string | undefined;
  readonly lifecycle: BackendLifecycle;
  index(): IndexFacts;
  /** Before a plan is weighed. */
  lookBack?(): Promise<void>;
  /** Looks at it now. */
  probe(): Promise<Observation | undefined>;
  /** A recovery point, before what cannot be undone by a restart. Rejects when none was taken. */
  takePoint(requestedBy: string, signal: AbortSignal): Promise<void>;
};

export type FullPlan = ApplyPlan & {
  readonly file: string | undefined;
  readonly restart: { readonly automatic: boolean; readonly stop: string; readonly start: string };
};

/** As it stands in the operation, for whoever asks. */
export type ApplyOutcome = {
  /** `nothing`: the file says all of it already. */
  readonly outcome: 'applied' | 'nothing';
  readonly changes: readonly string[];
  /** What the backend runs with although it was told otherwise: something counts more than its file. */
  readonly not_taken: readonly string[];
  readonly revision: number | null;
};

type Begin = {
  readonly requestedBy: string;
  readonly confirm: boolean;
  readonly idempotency?: Idempotency | undefined;
  /** False: it is not watched afterwards. */
  readonly watched?: boolean;
  /** Variables that are no parameters, such as keys; nobody is told their values. */
  readonly secrets?: Readonly<Record<string, string | null>>;
  /** Of the parameters; what else somebody set waits for whoever applies all of it. */
  only?(parameter: string): boolean;
  /** Asked once the backend is healthy again; what it throws puts everything back. */
  verify?(signal: AbortSignal): Promise<void>;
};
type Input = { readonly file: string; readonly before: string; readonly after: string };

export type Apply = {
  /** @throws AppError `conflict/state` when the file cannot be read */
  plan(target: ApplyTarget): Promise<FullPlan>;
  /** The operation that carries it out. @throws AppError `conflict/state`, `conflict/confirmation-required` */
  begin(target: ApplyTarget, by: Begin): ReturnType<Operations['start']>;
  /** What a killed one left: the file is put back, unless somebody else has it in hand. */
  settle(operation: { readonly id: string; readonly input: unknown }): Promise<SettledOutcome>;
};

const environmentFormat: SettingsFormat = {
  backend: 'lightrag',
  name: 'The environment file',
  missing: 'The environment file of the backend is not known: set RAGWARDEN_TARGET_ENV_FILE (target.env_file).',
  parse: parseEnvFile,
};
const formatOf = ({ format }: ApplyTarget): SettingsFormat => format ?? environmentFormat;

const copyOf = (file: string, operationId: string): string => `${file}.before-${operationId}`;

/**
 * Writes what somebody set into the backend's environment file, restarts the backend, waits until it is healthy, and confirms that it
 * runs with it. When it does not become healthy the file is put back and the backend started with what it had.
 */
export function createApply(options: {
  readonly tuning: Tuning;
  readonly operations: Pick<Operations, 'start' | 'wait' | 'cancel'>;
  readonly db: Database;
  readonly events: EventRecorder;
  readonly watch: Pick<ChangeWatch, 'look' | 'begin'>;
}): Apply {
  const { tuning, operations, db, events, watch } = options;

  type Planned = FullPlan & { readonly text: string; readonly written: readonly Written[] };
  const plan = async (target: ApplyTarget, only: (parameter: string) => boolean = () => true): Promise<Planned> => {
    const { automatic, describe } = target.lifecycle;
    const rest = { restart: { automatic, ...describe } };
    if (target.environmentFile === undefined)
      return {
        ...rest,
        file: undefined,
        ...{ text: '', written: [], changes: [], consequences: [] },
        blockers: [formatOf(target).missing],
      };
    const file = await realpath(target.environmentFile).catch(() => target.environmentFile as string); // just asked
    const text = await readPlainFile(file);
    const wanted = (await tuning.effective({ graphId: target.id })).filter(({ parameter }) => only(parameter.name));
    const written = await selectWritten(db, target.id);
    await target.lookBack?.();
    const format = formatOf(target);
    const made = planApply(wanted, format.parse(text), target.index(), written, format);
    const hindrance = target.hindrance?.();
    const blockers = hindrance === undefined ? made.blockers : [...made.blockers, hindrance];
    return { ...rest, file, text, written, ...made, blockers };
  };

  const tell = (
    target: ApplyTarget,
    context: OperationContext,
    type: 'tuning.applied' | 'tuning.rolled-back',
    message: string,
    data: Record<string, unknown>,
    also: (tx: Tx) => Promise<void> = async () => undefined,
  ) =>
    db.unit(async (tx) => {
      await also(tx);
      await events.record(tx, {
        type,
        severity: type === 'tuning.applied' ? 'info' : 'error',
        targetId: target.id,
        operationId: context.id,
        message,
        data,
      });
    });

  const restart = async (target: ApplyTarget, context: OperationContext): Promise<void> => {
    const say = (message: string): void => context.log.info({ target: target.id }, message);
    await target.lifecycle.stop(context.signal, say);
    await target.lifecycle.start(context.signal, say);
  };

  return {
    async plan(target) {
      const { text: _, written: __, ...shown } = await plan(target);
      return shown;
    },

    async begin(target, by) {
      const made = await plan(target, by.only);
      const { file, text, changes, consequences, blockers, written } = made;
      if (file === undefined || blockers.length > 0) throw new AppError('conflict/state', blockers.join(' '));
      const destructive = consequences.filter((one) => one.destructive);
      if (destructive.length > 0 && !by.confirm)
        throw new AppError(
          'conflict/confirmation-required',
          `${destructive.map(({ parameter, message }) => `${parameter}: ${message}`).join(' ')} Nothing was changed. Repeat it with \`confirm\` if that is meant.`,
        );
      const secrets = by.secrets ?? {};
      const values = formatOf(target).parse(text).values();
      if (!by.confirm) requireOwnKey(values, changes, secrets);
      const next = withChanges(formatOf(target), text, {
        ...Object.fromEntries(changes.map(({ variable, after }) => [variable, after])),
        ...secrets,
      });
      const keysWritten = Object.entries(secrets).flatMap(([name, value]) =>
        (values.get(name) ?? null) === value ? [] : [name],
      );
      const names = [
        ...changes.map(({ variable }) => variable),
        ...Object.keys(secrets).filter((name) => next.includes(name)),
      ];
      const [newest] = await tuning.revisions({ limit: 1 });
      const revision = newest?.number ?? null;
      const start = (idempotency: Begin['idempotency']) =>
        operations.start<Input, ApplyOutcome>({
          kind: 'tuning.apply',
          targetId: target.id,
          input: { file, before: digestOf(text), after: digestOf(next) },
          requestedBy: by.requestedBy,
          idempotency,
          async run(context) {
            if (next === text) {
              await by.verify?.(context.signal);
              return { outcome: 'nothing', changes: [], not_taken: [], revision };
            }
            const { before, previousRevision } = await watch.look(target.id);
            await context.phase('write');
            const copy = copyOf(file, context.id);
            await keepCopy(file, copy);
            try {
              await rewriteFile(file, text, next, `new-${context.id}`);
            } catch (err) {
              await rm(copy, { force: true });
              throw err;
            }
            try {
              await context.phase('restart');
              await restart(target, context);
              await context.phase('confirm');
              await by.verify?.(context.signal);
            } catch (err) {
              await rollBack(target, context, { file, text, next, copy, names, revision }, err);
            }
            const seen = await target.probe();
            const effective = await tuning.effective({ graphId: target.id });
            const wanted = effective.filter(({ parameter: { name } }) => by.only?.(name) !== false);
            const running = { configuration: seen?.configuration, environment: undefined, index: undefined };
            const notTaken = findDrift(wanted, running).drift.map(({ message }) => message);
            await rm(copy, { force: true });
            await tell(
              target,
              context,
              'tuning.applied',
              `${target.format === undefined ? `${target.id} was restarted with` : `The next run of ${target.id} begins with`} ${names.join(', ')} of revision ${revision ?? 0}${notTaken.length === 0 ? '' : `; not taken: ${notTaken.join(' ')}`}.`,
              { revision, variables: names, not_taken: notTaken.length },
              async (tx) => {
                await rememberWritten(tx, target.id, changes, written);
                await watch.begin(tx, {
                  ...{
                    operationId: context.id,
                    targetId: target.id,
                    revision: revision ?? 0,
                    previousRevision,
                    before,
                  },
                  ...{ parameters: [...new Set(changes.map(({ parameter }) => parameter)), ...keysWritten] },
                  // A key alone has no way back, and no figure of it is worth a verdict.
                  watched: by.watched !== false && changes.length > 0,
                });
              },
            );
            return { outcome: 'applied', changes: names, not_taken: notTaken, revision };
          },
        });
      if (destructive.length === 0) return start(by.idempotency);
      // A point is exclusive work of its own, and so is what comes after it: one around both cannot be.
      return operations.start<Record<string, never>, unknown>({
        kind: 'tuning.guarded-apply',
        targetId: target.id,
        exclusive: false,
        input: {},
        requestedBy: by.requestedBy,
        idempotency: by.idempotency,
        async run(context) {
          await context.phase('point');
          await target.takePoint(by.requestedBy, context.signal);
          await context.phase('apply');
          const applied = await start(undefined);
          let ended = await operations.wait(applied.id, { signal: context.signal });
          if (context.signal.aborted) {
            await operations.cancel(applied.id, by).catch(() => undefined);
            ended = await operations.wait(applied.id);
          }
          if (ended.state !== 'succeeded') {
            context.signal.throwIfAborted();
            throw new AppError(
              // What failed there is what failed here.
              ended.error !== null && ended.error.code in errorCatalogue
                ? (ended.error.code as ErrorCode)
                : 'conflict/state',
              ended.error?.detail ?? `Operation ${applied.id} ended as ${ended.state}.`,
            );
          }
          return ended.result;
        },
      });
    },

    async settle({ id, input }) {
      const { file, before, after } = input as Input; // written by `begin`
      const copy = copyOf(file, id);
      const [now, kept] = await Promise.all([readOrNone(file), readOrNone(copy)]);
      await rm(`${file}.new-${id}`, { force: true });
      if (kept === undefined) return { message: 'The environment file was not touched, or everything was done.' };
      if (now !== undefined && digestOf(now) === before) {
        await rm(copy, { force: true });
        return { message: 'The environment file is as it was before.' };
      }
      if (now === undefined || digestOf(now) !== after || digestOf(kept) !== before)
        return {
          message: `Somebody else changed ${file} meanwhile: it was left alone. What it was before stands in ${copy}.`,
          severity: 'error',
        };
      await rewriteFile(file, now, kept, `new-${id}`);
      await rm(copy, { force: true });
      return {
        message:
          'The environment file was put back. The backend may run with the other values until it is started again.',
        severity: 'warning',
      };
    },
  };

  /** Always throws: what the new values did, and what stands now. */
  async function rollBack(
    target: ApplyTarget,
    context: OperationContext,
    done: { file: string; text: string; next: string; copy: string; names: readonly string[]; revision: number | null },
    cause: unknown,
  ): Promise<never> {
    const why = describeError(cause);
    // A cancelled operation still has to leave the backend running; its own signal would end that too.
    const undisturbed = new AbortController().signal;
    const { name } = formatOf(target);
    let file = `${name} was put back`;
    let back = 'the backend runs with what it had';
    try {
      await rewriteFile(done.file, done.next, done.text, `new-${context.id}`);
      await rm(done.copy, { force: true });
    } catch (err) {
      file = `${name} was not put back, and what it was stands in ${done.copy}: ${describeError(err)}`;
      back = 'the backend was started with what the file says now';
    }
    try {
      await target.lifecycle.stop(undisturbed);
      await target.lifecycle.start(undisturbed);
    } catch (err) {
      back = `the backend does not start with it either: ${describeError(err)}`;
    }
    const message = `not healthy with ${done.names.join(', ')}: ${why} ${file}; ${back}.`;
    const data = { revision: done.revision, variables: done.names };
    await tell(target, context, 'tuning.rolled-back', `${target.id} was ${message}`, data);
    throw new AppError('tuning/rolled-back', `The backend was ${message}`, { cause });
  }
}

/** A key goes to whom it belongs. @throws AppError `conflict/confirmation-required` where another host would be sent the one in the file */
function requireOwnKey(
  values: ReadonlyMap<string, string>,
  changes: readonly FileChange[],
  secrets: Readonly<Record<string, string | null>>,
): void {
  for (const half of ['LLM', 'EMBEDDING']) {
    const key = `${half}_BINDING_API_KEY`;
    const another = changes.some(({ variable }) => [`${half}_BINDING`, `${half}_BINDING_HOST`].includes(variable));
    if (another && !Object.hasOwn(secrets, key) && (values.get(key) ?? '') !== '')
      throw new AppError(
        'conflict/confirmation-required',
        `${key} in the file belongs to the provider before, and would be sent to the new one. Use \`tune provider switch\`, or repeat it with \`confirm\`.`,
      );
  }
}

/** @throws AppError `conflict/state` for a value that cannot be written so that the backend reads it; never with the value */
function withChanges(
  { name, parse }: SettingsFormat,
  text: string,
  changes: Readonly<Record<string, string | null>>,
): string {
  try {
    return parse(text).with(changes);
  } catch (err) {
    if (!(err instanceof RangeError)) throw err;
    throw new AppError('conflict/state', `${name} cannot hold it: ${err.message}`, { cause: err });
  }
}

/** What stands in the file because it was written here, so that it can be taken back when nobody wants it any more. */
async function rememberWritten(
  tx: Tx,
  targetId: string,
  changes: readonly FileChange[],
  known: readonly Written[],
): Promise<void> {
  for (const { variable, before, after } of changes) {
    const earlier = known.find((one) => one.variable === variable);
    // What somebody else wrote since then is what stood there before.
    const original = earlier !== undefined && earlier.written === before ? earlier.original : before;
    if (after === null || after === original) await forgetWritten(tx, targetId, variable);
    else await writeWritten(tx, targetId, { variable, original, written: after });
  }
}

const readOrNone = (file: string): Promise<string | undefined> =>
  readPlainFile(file).catch((err: unknown) => {
    if (err instanceof AppError) return undefined;
    throw err;
  });
