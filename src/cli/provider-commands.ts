import { z } from 'zod';
import { operationAnswer, pageOf, read } from './answers.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { isConfirmed, requireSomebodyOrYes, type YesFlag } from './confirm.ts';
import { exitCodes } from './exit-code.ts';
import { formatTable } from './format.ts';

const half = z.object({ binding: z.string(), model: z.string(), host: z.string(), has_key: z.boolean() }).nullable();
const providerAnswer = z.object({ provider: z.string(), current: z.boolean().nullable(), llm: half, embedding: half });
const switchedAnswer = z.object({
  success: z.boolean(),
  message: z.string(),
  validation_result: z.object({
    checks: z.array(z.object({ of: z.string(), status: z.string(), message: z.string() })),
  }),
});
/** The server answers when it is over, or after ten minutes with what goes on. */
const longestMs = 630_000;

export type SwitchFlags = RemoteFlags & YesFlag & { readonly target?: string; readonly confirm?: boolean };

const described = (of: z.infer<typeof half>): string => (of === null ? '' : `${of.binding} ${of.model}`);

export async function listProviders(context: CommandContext, flags: RemoteFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call('/api/v1/tuning/providers');
    const { items } = read(pageOf(providerAnswer), document);
    if (flags.json) printJson(terminal, document);
    else if (items.length === 0)
      terminal.note('The settings name no providers: describe them in tuning.providers of ragwarden.yaml.');
    else
      terminal.out(
        formatTable(
          ['provider', 'asked now', 'answers', 'embeds'].map((title) => ({ title })),
          items.map((one) => [
            one.provider,
            one.current === null ? 'unknown' : one.current ? 'yes' : 'no',
            described(one.llm),
            described(one.embedding),
          ]),
        ),
      );
    return exitCodes.ok;
  });
}

/** @returns 4 when everything is as it was, since the new provider did not pass */
export async function switchProvider(context: CommandContext, provider: string, flags: SwitchFlags): Promise<number> {
  const { terminal } = context;
  requireSomebodyOrYes(context, flags, 'This restarts the backend with another provider');
  return withApi(context, flags, async (api) => {
    const question = `The backend is restarted with ${provider}.`;
    if (!(await isConfirmed(context, flags, question))) return exitCodes.failure;
    if (!flags.quiet && !flags.json)
      terminal.note('The provider is asked and the backend restarted; it takes as long as that.');
    const document = await api.call('/api/system/provider/switch', {
      method: 'POST',
      body: {
        provider,
        ...(flags.target === undefined ? {} : { target_id: flags.target }),
        confirm: flags.confirm === true,
      },
      timeoutMs: longestMs,
    });
    if (flags.json) printJson(terminal, document);
    const going = operationAnswer.safeParse(document);
    if (going.success) {
      terminal.note(`It goes on: \`ragwarden operations show ${going.data.id}\`.`);
      return exitCodes.failure;
    }
    const { success, message, validation_result: validation } = read(switchedAnswer, document);
    if (!flags.json) {
      for (const one of validation.checks) terminal.note(`${one.of} ${one.status}: ${one.message}`);
      if (!success || !flags.quiet) terminal.out(message);
    }
    return success ? exitCodes.ok : exitCodes.checkFailed;
  });
}
