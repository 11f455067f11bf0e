import { parseArgs } from 'node:util';
import type { WriterMode } from './store/file-writer.ts';

export type ServerOptions = {
  /** 0: any free one. Always on 127.0.0.1. */
  readonly port: number;
  readonly workingDir: string;
  readonly inputDir: string;
  /** Empty: the files lie in the working folder itself. */
  readonly workspace: string;
  readonly apiKey: string | undefined;
  readonly accounts: readonly (readonly [string, string])[];
  readonly version: string;
  readonly writerMode: WriterMode;
  readonly documentDelayMs: number;
  readonly embeddingDimension: number | undefined;
  readonly chunkTokens: number;
  readonly overlapTokens: number;
  /** Offers `/__faults`. */
  readonly faults: boolean;
};

export const usage = `node examples/sample-backend/main.ts --working-dir DIR --input-dir DIR
  [--port 0] [--workspace NAME] [--api-key KEY] [--accounts user:password,...]
  [--lightrag-version 1.5.7|1.4.16] [--writer atomic|in-place] [--document-delay-ms N]
  [--embedding-dim N] [--chunk-size TOKENS] [--chunk-overlap TOKENS] [--faults]`;

/** @throws Error with a sentence for whoever typed it */
export function readOptions(argv: readonly string[]): ServerOptions {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...argv],
    options: {
      port: { ...text, default: '0' },
      'working-dir': text,
      'input-dir': text,
      workspace: { ...text, default: '' },
      'api-key': text,
      accounts: { ...text, default: '' },
      'lightrag-version': { ...text, default: '1.5.7' },
      writer: text,
      'document-delay-ms': { ...text, default: '0' },
      'embedding-dim': text,
      'chunk-size': { ...text, default: '1200' },
      'chunk-overlap': { ...text, default: '100' },
      faults: { type: 'boolean', default: false },
    },
  });
  const number = (name: string, value: string, max: number): number => {
    const parsed = Number(value);
    if (!Number.isInteger(parsed) || parsed < 0 || parsed > max)
      throw new Error(`--${name} is a whole number up to ${max}, not ${value}`);
    return parsed;
  };
  const workingDir = values['working-dir'];
  const inputDir = values['input-dir'];
  if (workingDir === undefined || inputDir === undefined) throw new Error('--working-dir and --input-dir are needed');
  const version = values['lightrag-version'];
  if (!/^1\.[45]\.\d+$/.test(version)) throw new Error(`--lightrag-version is 1.4.x or 1.5.x, not ${version}`);
  if (!/^[A-Za-z0-9_]*$/.test(values.workspace)) throw new Error('--workspace has letters, digits and _ only');
  const writer = values.writer ?? (version.startsWith('1.4') ? 'in-place' : 'atomic');
  if (writer !== 'atomic' && writer !== 'in-place') throw new Error(`--writer is atomic or in-place, not ${writer}`);
  const chunkTokens = number('chunk-size', values['chunk-size'], 100_000);
  const overlapTokens = number('chunk-overlap', values['chunk-overlap'], 100_000);
  if (overlapTokens >= chunkTokens) throw new Error('--chunk-overlap is smaller than --chunk-size');
  const dimension = values['embedding-dim'];
  return {
    port: number('port', values.port, 65_535),
    workingDir,
    inputDir,
    workspace: values.workspace,
    apiKey: values['api-key'],
    accounts: values.accounts
      .split(',')
      .filter((pair) => pair.includes(':'))
      .map((pair): [string, string] => [pair.slice(0, pair.indexOf(':')), pair.slice(pair.indexOf(':') + 1)]),
    version,
    writerMode: writer,
    documentDelayMs: number('document-delay-ms', values['document-delay-ms'], 3_600_000),
    embeddingDimension: dimension === undefined ? undefined : number('embedding-dim', dimension, 65_536),
    chunkTokens,
    overlapTokens,
    faults: values.faults,
  };
}
