import { existsSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { type Config, type ConfigReading, readConfig, requireConfig } from '../config/index.ts';
import { systemClock } from '../platform/clock.ts';
import { describeError } from '../platform/errors.ts';
import { type LogFile, openLogFile } from '../platform/log-file.ts';
import { type AdjustableLogger, createLogger, type Logger } from '../platform/logging.ts';
import { productRoot, productVersion } from '../platform/product-version.ts';
import { type CommandContext, type ServedWarden, settingFlags } from './cli.ts';
import { printProblems } from './config-commands.ts';
import { removeEndpoint, writeEndpoint } from './endpoint-file.ts';
import { exitCodes, Interrupted } from './exit-code.ts';
import { readableLog } from './readable-log.ts';

/** A stop is promised within ten seconds; what hangs longer is left to the kernel. */
const stopLimitMs = 9_500;

/**
 * Brings ragwarden up in this process and stays until it is told to stop.
 * @returns 0 after a requested stop, 130 for Ctrl-C before it was ready
 */
export async function serve(
  context: CommandContext,
  command: 'serve' | 'up',
  flags: Readonly<Record<string, unknown>>,
): Promise<number> {
  const { terminal, env, cwd, signal } = context;
  const reading = readConfig({ env, cwd, flags: settingFlags(flags) });
  if (reading.problems.length > 0) {
    printProblems(terminal, reading.problems);
    return exitCodes.usage;
  }
  const config = requireConfig(reading);
  if (flags.only === 'gateway') return serveGateway(context, reading);
  const friendly = command === 'up' && terminal.stdout.isTTY === true;
  const logFile = openOwnLog(context, config);
  const log = createServeLog(context, reading, friendly, logFile);
  const warden = await context.offline.createWarden({
    reading,
    log,
    setLogLevels: (levels) => log.setLevels(levels),
    ...(logFile ? { reopenLog: () => logFile.reopen() } : {}),
    command,
    onAdminToken: (token) => showAdminToken(context, config, token, log, friendly),
  });
  if (signal.aborted) return isInterrupt(signal) ? exitCodes.interrupted : exitCodes.ok;
  if (friendly) terminal.note(terminal.noteColours.dim('ragwarden is starting …'));

  const asked = aborted(signal);
  const starting = warden.start();
  const started = await Promise.race([starting, asked.then(() => undefined)]);
  if (!started) {
    const clean = await stopInTime(warden, signal, log);
    await Promise.race([starting.catch(() => undefined), systemClock.sleep(500)]);
    return clean && !isInterrupt(signal) ? exitCodes.ok : clean ? exitCodes.interrupted : exitCodes.failure;
  }

  writeEndpoint(config.dataDir, { api: started.api, pid: process.pid });
  try {
    if (friendly) terminal.out(await welcome(context, config, started));
    else {
      // A link in a log would be a key in a log; the command that makes one is not.
      log.info(
        { page: `${started.api}/health`, command: commandName(cwd, config.dataDir)('token login-link') },
        'the command prints a link that logs a browser in to the page, once',
      );
      terminal.out(
        JSON.stringify({
          event: 'ready',
          api: started.api,
          metrics: started.metrics ?? null,
          gateway: started.gateway ?? null,
          version: productVersion(),
        }),
      );
    }
    // What is wrong is in the log already, and the server goes on as it was.
    context.onReloadAsked?.(() => {
      // Whoever else rotates it says so by the same signal.
      logFile?.reopen();
      void started.reload().catch(() => undefined);
    });
    await asked;
  } finally {
    removeEndpoint(config.dataDir, process.pid);
    if (friendly) terminal.note(terminal.noteColours.dim('\nragwarden is stopping …'));
  }
  return (await stopInTime(warden, signal, log)) ? exitCodes.ok : exitCodes.failure;
}

/** The gateway as a process of its own: the same signals, the same line when it is ready. */
async function serveGateway(context: CommandContext, reading: ConfigReading): Promise<number> {
  const { terminal, signal } = context;
  const log = createServeLog(context, reading, false);
  const alone = await context.offline.createGatewayAlone({ reading, log });
  const { gateway } = await alone.start();
  terminal.out(JSON.stringify({ event: 'ready', api: null, metrics: null, gateway, version: productVersion() }));
  await aborted(signal);
  return (await stopInTime(alone, signal, log)) ? exitCodes.ok : exitCodes.failure;
}

const isInterrupt = (signal: AbortSignal): boolean =>
  signal.reason instanceof Interrupted && signal.reason.signal === 'SIGINT';

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((done) => {
    if (signal.aborted) done();
    else signal.addEventListener('abort', () => done(), { once: true });
  });

async function stopInTime(warden: Pick<ServedWarden, 'stop'>, signal: AbortSignal, log: Logger): Promise<boolean> {
  const late = new AbortController();
  try {
    return await Promise.race([
      warden.stop(describeError(signal.reason)).then(() => true),
      systemClock.sleep(stopLimitMs, late.signal).then(() => {
        log.error({ afterMs: stopLimitMs }, 'the stop took too long and was cut short');
        return false;
      }),
    ]);
  } finally {
    late.abort();
  }
}

/** @throws AppError `config/invalid` when it cannot be opened */
const openOwnLog = (context: CommandContext, { logs }: Config): LogFile | undefined =>
  logs.file === undefined ? undefined : openLogFile(logs.file, (line) => void context.terminal.stderr.write(line));

/** JSON lines; for people at a terminal only what needs them, in words, unless they asked for more. */
function createServeLog(
  context: CommandContext,
  reading: ConfigReading,
  friendly: boolean,
  file?: LogFile,
): AdjustableLogger {
  const { stderr, noteColours } = context.terminal;
  const { logLevel, logLevels } = reading.config;
  if (file) return createLogger({ level: logLevel, levels: logLevels, destination: file });
  if (!friendly)
    return createLogger({
      level: logLevel,
      levels: logLevels,
      destination: { write: (line) => void stderr.write(line) },
    });
  const chosen = !['default', 'profile'].includes(reading.origins.logLevel.kind);
  return createLogger({
    level: chosen ? logLevel : 'warn',
    levels: logLevels,
    destination: { write: (line) => void stderr.write(readableLog(line, noteColours)) },
  });
}

/** Said once: on a terminal to whoever sits there, elsewhere into a private file. */
async function showAdminToken(
  context: CommandContext,
  config: Config,
  token: string,
  log: Logger,
  friendly: boolean,
): Promise<void> {
  const { terminal, offline } = context;
  if (friendly || terminal.stderr.isTTY === true) {
    terminal.note(
      `\nThe admin token, shown this once (keep it, or make others with \`ragwarden token create\`):\n\n  ${token}\n`,
    );
    return;
  }
  const path = await offline.keepAdminToken(config.dataDir, token);
  log.info({ path }, 'the first admin token was written to a private file');
}

async function welcome(
  context: CommandContext,
  config: Config,
  started: Awaited<ReturnType<ServedWarden['start']>>,
): Promise<string> {
  const { bold, cyan, dim, yellow } = context.terminal.colours;
  const command = commandName(context.cwd, config.dataDir);
  const page = `${started.api}/health#login=${await started.createLoginCode()}`;
  const lines = [
    '',
    `${bold(`ragwarden ${productVersion()}`)} is ready.`,
    '',
    `  Page     ${cyan(page)}`,
    `           ${dim('logs one browser in, once, within ten minutes; `token login-link` makes another')}`,
    ...(started.gateway === undefined
      ? []
      : [`  Gateway  ${started.gateway} ${dim('before the backend: what passes is measured')}`]),
    ...(started.metrics === undefined ? [] : [`  Metrics  ${started.metrics}/metrics`]),
    `  Data     ${config.dataDir}`,
    '',
  ];
  if (started.sample)
    lines.push(
      `  ${yellow('This watches the bundled sample backend')}, a stand-in that speaks LightRAG's API over a small workspace.`,
      '  To watch yours: set RAGWARDEN_TARGET_URL, WORKING_DIR and INPUT_DIR, or write ragwarden.yaml.',
    );
  else if (started.targetIds.length > 0) lines.push(`  Watching ${started.targetIds.join(', ')}.`);
  else lines.push('  No target is configured: set RAGWARDEN_TARGET_URL and WORKING_DIR.');
  lines.push(
    '',
    '  In another terminal:',
    `    ${command('status')}`,
    `    ${command('backup list')}`,
    `    ${command('backup restore ID')}`,
    '',
    '  Ctrl-C stops it.',
    '',
  );
  return lines.join('\n');
}

/** How to type a command so that it finds this instance. */
function commandName(cwd: string, dataDir: string): (words: string) => string {
  const root = productRoot();
  // In a clone nothing is on the PATH.
  const program = existsSync(join(root, 'src')) ? relative(cwd, join(root, 'bin', 'ragwarden')) : 'ragwarden';
  const folder = dataDir === resolve(cwd, 'ragwarden-data') ? '' : ` --data-dir ${relative(cwd, dataDir) || '.'}`;
  return (words) => `${program} ${words}${folder}`;
}
