import { withoutControls } from './format.ts';
import type { Colours } from './terminal.ts';

const hidden = new Set(['level', 'time', 'msg', 'err']);

/** A JSON log line as one line for people: `warn  what happened  (port=9090)`. */
export function readableLog(line: string, colours: Colours): string {
  let entry: unknown;
  try {
    entry = JSON.parse(line);
  } catch {
    return line;
  }
  if (typeof entry !== 'object' || entry === null) return line;
  const fields = new Map<string, unknown>(Object.entries(withoutControls(entry)));
  const level = String(fields.get('level') ?? 'info');
  const facts = [...fields]
    .filter(([name, value]) => !hidden.has(name) && value !== undefined)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const err = fields.get('err');
  const cause = typeof err === 'object' && err !== null && 'message' in err ? `: ${String(err.message)}` : '';
  const word =
    level === 'error'
      ? colours.red('error')
      : level === 'warn'
        ? colours.yellow('warn ')
        : colours.dim(level.padEnd(5));
  return `${word}  ${String(fields.get('msg') ?? '')}${cause}${facts.length > 0 ? colours.dim(`  (${facts.join(' ')})`) : ''}\n`;
}
