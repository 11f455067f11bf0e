import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { adminTokenFile, localTokenFile, writeSecretFile } from '../access/index.ts';
import { createWarden } from '../app/index.ts';
import { ownStrategy } from '../cleanup/index.ts';
import { removeEndpoint, writeEndpoint } from '../cli/index.ts';
import { type Problem, readConfig } from '../config/index.ts';
import { AppError } from '../platform/errors.ts';
import { createLogger, type Logger, type LogLevel, silentLogger } from '../platform/logging.ts';
import { productVersion } from '../platform/product-version.ts';
import type { RunningWarden } from './embedded-warden.ts';
import type { LogLine, SettingsTree, SettingsValue, WardenOptions } from './options.ts';

/**
 * The half of the door that needs Node.js 24: options become settings, and the product runs with them.
 * @param findFreeing how the program frees what it registered; undefined: it does not say
 * @throws AppError `config/invalid`
 */
export async function prepareWarden(
  options: WardenOptions,
  findFreeing: (resourceId: string) => (() => Promise<void>) | undefined,
): Promise<{ start(): Promise<RunningWarden>; stop(): Promise<void> }> {
  const dataDir = resolve(options.dataDir);
  const reading = readConfig({
    env: options.env ?? {},
    flags: {
      'data-dir': dataDir,
      ...(options.port === undefined ? {} : { port: String(options.port) }),
      ...(options.metricsPort === undefined ? {} : { 'metrics-port': String(options.metricsPort) }),
    },
    cwd: process.cwd(),
    given: { name: 'settings', content: JSON.stringify(withAnyPorts(options.settings ?? {})) },
  });
  if (reading.problems.length > 0) throw invalid(reading.problems);
  const warden = createWarden({
    reading,
    log: loggerOf(options.log, reading.config.logLevel),
    command: options.sample === true ? 'up' : 'serve',
    findFreeing,
    onAdminToken: (token) => writeSecretFile(adminTokenFile(dataDir), token),
  });
  return {
    async start() {
      const { api, metrics, sample, targetIds, cleanup } = await warden.start();
      try {
        // So that the command line finds it by its data folder, as it finds a server.
        writeEndpoint(dataDir, { api, pid: process.pid });
        const token = (await readFile(localTokenFile(dataDir), 'utf8')).trim();
        return {
          api,
          metrics,
          dataDir,
          version: productVersion(),
          sample,
          targetIds,
          token,
          addCleanupStrategy: (own) => cleanup.strategies.add(ownStrategy(own)),
        };
      } catch (err) {
        await warden.stop('its start could not be completed');
        throw err;
      }
    },
    async stop() {
      removeEndpoint(dataDir, process.pid);
      await warden.stop('its program asked for it');
    },
  };
}

/** A program shows one sentence of an error, so all problems stand in it; a line of `settings` means nothing to it. */
function invalid(problems: readonly Problem[]): AppError {
  const violations = problems.map(({ place, message, mend }) => ({
    at: place.replace(/^settings:\d+$/, 'settings'),
    message: `${message}. ${mend}`,
  }));
  return new AppError('config/invalid', violations.map(({ at, message }) => `${at}: ${message}`).join(' '), {
    violations,
  });
}

/** A program that brings ragwarden along rarely cares about its ports, and a fixed one would stand in the way of a second. */
function withAnyPorts(tree: SettingsTree): SettingsTree {
  const withPort = (section: SettingsValue | undefined): SettingsValue =>
    section === undefined || section === null ? { port: 0 } : isTree(section) ? { port: 0, ...section } : section;
  return {
    ...tree,
    server: withPort(tree.server),
    metrics: withPort(tree.metrics),
    gateway: withPort(tree.gateway),
  };
}

const isTree = (value: SettingsValue): value is SettingsTree =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The product writes lines of JSON; the program is told what they say. */
function loggerOf(log: WardenOptions['log'], level: LogLevel): Logger {
  if (!log) return silentLogger;
  return createLogger({
    level,
    destination: { write: (line) => log(JSON.parse(line) as LogLine) }, // as createLogger forms them
  });
}
