import type { ModelProvider } from '../../config/index.ts';
import type { EventRecorder } from '../../events/index.ts';
import type { Idempotency, Operation, OperationContext, Operations, SettledOutcome } from '../../operations/index.ts';
import type { Database } from '../../platform/database/index.ts';
import { AppError, describeError } from '../../platform/errors.ts';
import type { Observation } from '../../targets/index.ts';
import type { Apply, ApplyTarget } from '../apply/apply.ts';
import type { Consequence } from '../consequence.ts';
import type { Tuning } from '../tuning.ts';
import type { ChangeWatch } from '../watch/change-watch.ts';
import { findProvider, type Looked, parametersOf, type SwitchOutcome } from './provider.ts';

const everybody = { kind: 'default' } as const;
const reasonOf = (provider: string): string => `switch to provider ${provider}`;
/** What was newest before it: its own revision comes later. */
type Input = { readonly provider: string; readonly revision: number };

export type SwitchTarget = ApplyTarget & {
  /** Who is asked now, as the settings or the backend call it; null: nobody can tell. */
  currentProvider(): Promise<string | null>;
};

export type SwitchAsking = {
  readonly provider: string;
  readonly requestedBy: string;
  readonly confirm: boolean;
  readonly idempotency?: Idempotency | undefined;
};

export type ProviderSwitch = {
  /**
   * Looks at the new provider, has the backend restarted with it, looks again, and puts everything back when that fails.
   * @throws AppError `request/invalid` for a name that the settings do not have; `conflict/confirmation-required`, `conflict/state`
   */
  begin(target: SwitchTarget, asking: SwitchAsking): Promise<Operation>;
  /** What a killed one had set is no wish any more, unless the backend was restarted with it. */
  settle(operation: Pick<Operation, 'targetId' | 'input'>): Promise<SettledOutcome>;
};

export function createProviderSwitch(options: {
  providers(): readonly ModelProvider[];
  readonly tuning: Pick<Tuning, 'check' | 'set' | 'rollback' | 'revisions'>;
  readonly apply: Pick<Apply, 'plan' | 'begin'>;
  readonly operations: Pick<Operations, 'start' | 'wait' | 'cancel'>;
  readonly watch: Pick<ChangeWatch, 'of'>;
  readonly db: Pick<Database, 'unit'>;
  readonly events: EventRecorder;
  look(provider: ModelProvider, indexDimension: number | undefined, signal: AbortSignal): Promise<readonly Looked[]>;
  keys(provider: ModelProvider): Promise<Readonly<Record<string, string | null>>>;
}): ProviderSwitch {
  const { tuning, apply, operations, db, events } = options;

  /** Everything that can be known to be wrong before anything is asked or touched. */
  const requireProvider = async (target: SwitchTarget, asking: SwitchAsking): Promise<ModelProvider> => {
    const provider = findProvider(options.providers(), asking.provider);
    if (!provider) {
      const known = options.providers().map(({ id }) => id);
      const message =
        known.length === 0
          ? 'the settings name no providers: describe it in tuning.providers of ragwarden.yaml'
          : `is none of ${known.join(', ')}`;
      throw new AppError('request/invalid', `There is no provider "${asking.provider}": ${message}.`, {
        violations: [{ at: '/provider', message }],
      });
    }
    const { violations, contradictions, consequences } = await tuning.check(everybody, parametersOf(provider));
    const wrong = [
      ...violations.map(({ parameter, message }) => `${parameter} ${message}`),
      ...contradictions.filter(({ severity }) => severity === 'error').map(({ message }) => message),
    ];
    if (wrong.length > 0)
      throw new AppError('request/invalid', `Provider ${provider.id} cannot be set: ${wrong.join('; ')}.`, {
        violations: wrong.map((message) => ({ at: '/provider', message })),
      });
    const { file, blockers } = await apply.plan(target);
    if (file === undefined || blockers.length > 0) throw new AppError('conflict/state', blockers.join(' '));
    if (!asking.confirm) requireNoHarm(consequences);
    return provider;
  };

  const requireRunning = (seen: Observation | undefined, { llm, embedding }: ModelProvider): void => {
    const wanted = { llm_binding: llm?.binding, llm_model: llm?.model, embedding_model: embedding?.model };
    for (const [name, value] of Object.entries(wanted)) {
      const found = seen?.configuration?.[name];
      if (value !== undefined && found !== undefined && found !== value)
        throw new AppError(
          'conflict/state',
          `The backend was restarted and still has ${name} ${found}, not ${value}: its own environment counts more than its file.`,
        );
    }
  };

  const run = async (
    target: SwitchTarget,
    provider: ModelProvider,
    asking: SwitchAsking,
    context: OperationContext,
  ): Promise<SwitchOutcome> => {
    const previousProvider = await target.currentProvider();
    const { dimension } = target.index();
    await context.phase('check');
    const looked: Looked[] = [...(await options.look(provider, dimension, context.signal))];
    context.signal.throwIfAborted();
    const outcome = (success: boolean, message: string, revision: number | null): SwitchOutcome => ({
      ...{ success, previousProvider, message, looked, revision },
      currentProvider: success ? provider.id : previousProvider,
    });
    const bad = looked.filter(({ status }) => status === 'failed');
    if (bad.length > 0) return outcome(false, `Nothing was changed: ${sentences(bad)}`, null);

    await context.phase('set');
    const by = { actor: asking.requestedBy, reason: reasonOf(provider.id), confirm: true };
    const [newest] = await tuning.revisions({ limit: 1 });
    const { revision } = await tuning.set(everybody, parametersOf(provider), by);
    try {
      await context.phase('apply');
      const begun = await apply.begin(target, {
        ...{ requestedBy: asking.requestedBy, confirm: true, secrets: await options.keys(provider) },
        // Whatever else was set waits for whoever applies all of it.
        only: (parameter) => parameter in parametersOf(provider),
        async verify(signal) {
          requireRunning(await target.probe(), provider);
          const again = await options.look(provider, dimension, signal);
          looked.push(...again);
          const failed = again.filter(({ status }) => status === 'failed');
          if (failed.length > 0) throw new AppError('conflict/state', sentences(failed));
        },
      });
      let ended = await operations.wait(begun.id, { signal: context.signal });
      if (context.signal.aborted) {
        await operations.cancel(begun.id).catch(() => undefined);
        ended = await operations.wait(begun.id);
      }
      // What was done before it heard of it stays done, and is told so.
      if (ended.state !== 'succeeded') {
        context.signal.throwIfAborted();
        throw new AppError('conflict/state', ended.error?.detail ?? `Operation ${begun.id} ended as ${ended.state}.`);
      }
      return outcome(true, `The backend asks ${provider.id} now.`, revision?.number ?? null);
    } catch (err) {
      // What was set is no wish any more: nobody runs with it.
      await tuning.rollback(
        newest?.number ?? 0,
        { actor: 'ragwarden', reason: `provider ${provider.id} was not switched to`, confirm: true },
        ({ scope, parameter }) => scope === 'default' && parameter in parametersOf(provider),
      );
      context.signal.throwIfAborted();
      if (!(err instanceof AppError) || err.code === 'operation/busy') throw err;
      return outcome(false, `The provider was not switched: ${describeError(err)}`, null);
    }
  };

  const tell = (target: SwitchTarget, asking: SwitchAsking, operationId: string, outcome: SwitchOutcome) =>
    db.unit(async (tx) => {
      const { success, message, previousProvider, currentProvider } = outcome;
      const data = { previous_provider: previousProvider, current_provider: currentProvider };
      await events.record(tx, {
        type: success ? 'tuning.provider-switched' : 'tuning.provider-not-switched',
        severity: success ? 'info' : 'error',
        targetId: target.id,
        operationId,
        message: success ? `${target.id} asks ${currentProvider} now.` : `${target.id} was not switched: ${message}`,
        data,
      });
      await events.audit(tx, {
        actor: asking.requestedBy,
        action: 'tuning.provider-switch',
        object: asking.provider,
        outcome: success ? 'done' : 'failed',
        data,
      });
    });

  return {
    async begin(target, asking) {
      const provider = await requireProvider(target, asking);
      const [newest] = await tuning.revisions({ limit: 1 });
      return operations.start<Input, SwitchOutcome>({
        kind: 'tuning.provider-switch',
        targetId: target.id,
        // What is exclusive in it are the point and the apply, each by itself.
        exclusive: false,
        input: { provider: provider.id, revision: newest?.number ?? 0 },
        requestedBy: asking.requestedBy,
        idempotency: asking.idempotency,
        async run(context) {
          const outcome = await run(target, provider, asking, context);
          await tell(target, asking, context.id, outcome);
          return outcome;
        },
      });
    },

    async settle({ targetId, input }) {
      const { provider, revision: base } = input as Input; // written by `begin`
      const later = (await tuning.revisions({ limit: 50 })).filter(({ number }) => number > base);
      const made = later.find(({ what, reason }) => what === 'set' && reason === reasonOf(provider));
      const again = 'Run it again, or see what the backend runs with: `ragwarden tune drift`.';
      if (made === undefined) return { message: `Provider ${provider} was not switched to. ${again}` };
      if ((await options.watch.of([made.number])).has(made.number))
        return {
          message: `${targetId} was restarted with provider ${provider}; whether it passes was not looked at to the end. ${again}`,
          severity: 'warning',
        };
      const parameters = new Set(made.changes.map(({ parameter }) => parameter));
      await tuning.rollback(
        made.number - 1,
        { actor: 'ragwarden', reason: `the switch to provider ${provider} was interrupted`, confirm: true },
        ({ scope, parameter }) => scope === 'default' && parameters.has(parameter),
      );
      return {
        message: `The switch of ${targetId} to provider ${provider} was interrupted; what it had set was taken back. ${again}`,
        severity: 'warning',
      };
    },
  };
}

const sentences = (of: readonly Looked[]): string => of.map(({ of: what, message }) => `${what}: ${message}`).join(' ');

function requireNoHarm(consequences: readonly Consequence[]): void {
  const harm = consequences.filter(({ destructive }) => destructive);
  if (harm.length === 0) return;
  throw new AppError(
    'conflict/confirmation-required',
    `${harm.map(({ parameter, message }) => `${parameter}: ${message}`).join(' ')} Nothing was changed. Repeat it with \`confirm\` if that is meant.`,
  );
}
