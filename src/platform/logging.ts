import { type DestinationStream, type Logger as PinoLogger, pino } from 'pino';

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

export function createLogger(options: { level: LogLevel; destination?: DestinationStream; json?: boolean }): Logger {
  return pino(
    {
      level: options.level,
      base: undefined,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: redactPaths, censor: '[redacted]' },
      serializers: {
        url: (value: unknown) => (typeof value === 'string' ? withoutQuery(value) : value),
        err: pino.stdSerializers.err,
      },
    },
    options.destination ?? pino.destination({ dest: 2, sync: true }),
  );
}

export const silentLogger: Logger = pino({ level: 'silent' });
