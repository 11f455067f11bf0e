import { type DestinationStream, type Logger as PinoLogger, pino } from 'pino';
import { describeError, isAppError, systemCode } from './errors.ts';

/** One level for all, and others for single parts, by the `slice` of their child loggers. */
export type LogLevels = { readonly level: LogLevel; readonly levels: Readonly<Record<string, LogLevel>> };

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** Facts go in fields, one short sentence goes in the message. Logging never throws into the work. */
export type Logger = Pick<PinoLogger, 'trace' | 'debug' | 'info' | 'warn' | 'error'> & {
  child(fields: Record<string, unknown>): Logger;
};

/** Wherever one of these names appears in a logged object its value is replaced. */
const secretFields = [
  'password',
  'token',
  'secret',
  'authorization',
  'cookie',
  'apiKey',
  'api_key',
  'adminToken',
  'access_token',
  'x-api-key',
];

const redactPaths = secretFields.flatMap((name) => {
  const key = name.includes('-') ? `["${name}"]` : name;
  const join = name.includes('-') ? '' : '.';
  return [key, `*${join}${key}`, `*.*${join}${key}`];
});

/** Query strings may carry credentials of other systems; the path says enough. */
const withoutQuery = (url: string): string => url.split('?', 1)[0] ?? url;

/**
 * What is foreseen (an error of the family, or one of the system behind it) is told by its words and the one place that threw it;
 * of anything else, which is a fault of ours, by the whole stack.
 */
function errorFields(err: unknown): unknown {
  if (!(err instanceof Error)) return err;
  const chain: Error[] = [];
  for (let one: unknown = err; one instanceof Error && chain.length < 10; one = one.cause) chain.push(one);
  // Of a foreseen one that was caused by a fault of ours, that fault.
  const fault = isAppError(err) ? chain.find(isOurFault) : undefined;
  if (isOurFault(err) || (!isAppError(err) && !chain.some(isOfSystem))) return pino.stdSerializers.err(err);
  const at = err.stack?.split('\n').find((line) => line.startsWith('    at '));
  return {
    type: err.name,
    code: systemCode(err),
    message: chain.map((one) => (isAppError(one) ? one.message : describeError(one))).join(': '),
    ...(isAppError(err) && Object.keys(err.context).length > 0 ? { context: err.context } : {}),
    ...(fault ? { cause: pino.stdSerializers.err(fault) } : {}),
    ...(at === undefined ? {} : { at: at.slice('    at '.length) }),
  };
}

/** `ENOENT`, `ECONNREFUSED`: neither `ERR_INVALID_ARG_TYPE` nor what a database calls its errors. */
const isOfSystem = (err: Error): boolean => /^E[A-Z]+$/.test(systemCode(err) ?? '');

const isOurFault = (err: Error): boolean =>
  err instanceof TypeError || err instanceof RangeError || err instanceof ReferenceError;

/** A logger whose levels can be changed while it is in use, also those of its children. */
export type AdjustableLogger = Logger & { setLevels(levels: LogLevels): void };

const severities = { trace: 10, debug: 20, info: 30, warn: 40, error: 50, silent: 100 } as const;

export function createLogger(options: {
  level: LogLevel;
  levels?: LogLevels['levels'];
  destination?: DestinationStream;
}): AdjustableLogger {
  let current: LogLevels = { level: options.level, levels: options.levels ?? {} };
  // pino's own children keep the level that they were made with, so each line is judged here.
  const judge = (inner: PinoLogger, slice: string | undefined): Logger => {
    const at =
      (severity: 'trace' | 'debug' | 'info' | 'warn' | 'error'): Logger['info'] =>
      (...line: unknown[]) => {
        const least = (slice === undefined ? undefined : current.levels[slice]) ?? current.level;
        if (severities[severity] < severities[least]) return;
        // The arguments are those of the same method of pino, whose overloads cannot be spread.
        (inner[severity] as (...line: unknown[]) => void)(...line);
      };
    return {
      trace: at('trace'),
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      child: (fields) => judge(inner.child(fields), typeof fields.slice === 'string' ? fields.slice : slice),
    };
  };
  const root = judge(createPino(options.destination), undefined);
  return {
    ...root,
    setLevels(levels) {
      current = levels;
    },
  };
}

function createPino(destination: DestinationStream | undefined): PinoLogger {
  return pino(
    {
      level: 'trace',
      base: undefined,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: redactPaths, censor: '[redacted]' },
      serializers: {
        url: (value: unknown) => (typeof value === 'string' ? withoutQuery(value) : value),
        err: errorFields,
      },
    },
    destination ?? pino.destination({ dest: 2, sync: true }),
  );
}

export const silentLogger: Logger = pino({ level: 'silent' });
