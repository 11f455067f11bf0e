import { readConfig } from '../../config/index.ts';
import { createHttpClient } from '../../platform/http-client.ts';
import type { ApiClient } from '../api-client.ts';
import { type CommandContext, openApi, printJson, type RemoteFlags, settingFlags } from '../cli.ts';
import { exitCodes } from '../exit-code.ts';
import { plural, withoutControls } from '../format.ts';
import { coloured } from '../words.ts';
import {
  targetAnswersCheck,
  targetClockCheck,
  targetExposureCheck,
  targetKindCheck,
  whitelistCheck,
} from './backend.ts';
import { type Check, type Finding, fail, makeChecks, ok, type Subject, worstVerdict } from './check.ts';
import { dataFolderCheck, freeSpaceCheck, orphansCheck, separateDisksCheck, targetFoldersCheck } from './folders.ts';
import { hideSecrets } from './hide-secrets.ts';
import { clockCheck, memoryCheck, openFilesCheck } from './machine.ts';
import { nodeCheck, resticCheck, setprivCheck } from './programs.ts';
import {
  backupsCheck,
  exposureCheck,
  ownGrowthCheck,
  portsCheck,
  recoveryKitCheck,
  repositoryCheck,
  serverCheck,
  serverClockCheck,
  viewServer,
} from './running-server.ts';
import { targetPostgresCheck, targetQdrantCheck, targetRedisCheck } from './stores.ts';
import { storesElsewhereCheck } from './stores-elsewhere.ts';

const settingsCheck: Check = {
  id: 'settings',
  what: 'settings',
  look: async ({ reading: { problems, file } }) =>
    problems.length === 0
      ? ok(file === undefined ? 'no problem; there is no settings file' : `no problem in ${file}`)
      : problems.map((one) => fail(`${one.place}: ${one.message}`, one.mend)),
};

/** Everything that is looked at, in the order in which it is told. */
export const checks: readonly Check[] = [
  settingsCheck,
  nodeCheck,
  resticCheck,
  setprivCheck,
  memoryCheck,
  openFilesCheck,
  clockCheck,
  dataFolderCheck,
  freeSpaceCheck,
  separateDisksCheck,
  serverCheck,
  serverClockCheck,
  exposureCheck,
  portsCheck,
  targetKindCheck,
  targetAnswersCheck,
  targetClockCheck,
  targetExposureCheck,
  whitelistCheck,
  targetFoldersCheck,
  orphansCheck,
  targetRedisCheck,
  targetQdrantCheck,
  targetPostgresCheck,
  ownGrowthCheck,
  backupsCheck,
  repositoryCheck,
  recoveryKitCheck,
  storesElsewhereCheck,
];

/** For one check; together they take hardly longer, since all are made at once. */
const limitMs = 12_000;

const pluginCodes = { ok: 0, warn: 1, fail: 2 } as const;

/**
 * Looks at this machine, at the backend, and at the running server when there is one.
 * @returns 4 when something fails; with `--nagios` 0, 1 or 2 by the worst verdict
 */
export async function runDoctor(
  context: CommandContext,
  flags: RemoteFlags & { readonly nagios?: boolean },
): Promise<number> {
  const { terminal } = context;
  const { verdict, checks: findings } = await findFindings(context, flags);
  if (flags.json) printJson(terminal, { verdict, checks: findings });
  else {
    if (flags.nagios) terminal.out(summaryLine(verdict, findings));
    printFindings(context, findings, flags.quiet === true);
  }
  if (flags.nagios) return pluginCodes[verdict];
  return verdict === 'fail' ? exitCodes.checkFailed : exitCodes.ok;
}

/** All of it, without secrets. */
export async function findFindings(
  context: CommandContext,
  flags: RemoteFlags,
): Promise<{ verdict: 'ok' | 'warn' | 'fail'; checks: readonly Finding[] }> {
  const { env, cwd, signal } = context;
  const reading = readConfig({ env, cwd, flags: settingFlags({ dataDir: flags.dataDir, config: flags.config }) });
  const http = createHttpClient();
  let api: ApiClient | undefined;
  const server = viewServer(async () => {
    api = await openApi(context, flags);
    return api;
  });
  const { lookAtStores } = context.offline;
  const subject: Subject = { config: reading.config, reading, http, server, lookAtStores, nowMs: Date.now() };
  let findings: readonly Finding[];
  try {
    findings = hideSecrets(await makeChecks(checks, subject, { limitMs, signal }), reading.values);
  } finally {
    await Promise.all([http.close(), api?.close()]);
  }
  return { verdict: worstVerdict(findings), checks: findings };
}

function printFindings({ terminal }: CommandContext, findings: readonly Finding[], quiet: boolean): void {
  for (const { what, verdict, detail, mend } of withoutControls(findings)) {
    if (quiet && (verdict === 'ok' || verdict === 'skipped')) continue;
    const word = verdict === 'skipped' ? terminal.colours.dim(verdict) : coloured(terminal.colours, verdict);
    terminal.out(`${word}${' '.repeat(9 - verdict.length)}${what}: ${detail}`);
    if (mend !== null) terminal.out(`         ${terminal.colours.dim('→')} ${mend}`);
  }
}

/** The first line is what a monitoring system shows. */
function summaryLine(verdict: 'ok' | 'warn' | 'fail', findings: readonly Finding[]): string {
  const worst = findings.filter((one) => one.verdict === verdict);
  const word = { ok: 'OK', warn: 'WARNING', fail: 'CRITICAL' }[verdict];
  return verdict === 'ok'
    ? `RAGWARDEN ${word} - ${plural(findings.length, 'check')}`
    : `RAGWARDEN ${word} - ${worst.map((one) => one.what).join(', ')}`;
}
