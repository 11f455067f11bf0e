// Below the door of the slice: what is measured is what lies behind it.
import { lensOf, lensOfProvider } from '../src/gateway/lens/lenses.ts';
import type { Lens } from '../src/gateway/lens.ts';
import { type Bench, median } from './report.ts';

type Case = {
  readonly name: string;
  readonly lens: Lens;
  readonly path: string;
  readonly type: string;
  readonly pieces: readonly string[];
  readonly times: number;
};

const words = 500;
const vector = Array.from({ length: 1_536 }, (_, i) => Math.sin(i) / 7);
const chunk = {
  ...{ id: 'chatcmpl-xyz', object: 'chat.completion.chunk', created: 1, model: 'm' },
  choices: [{ index: 0, delta: { content: 'word ' }, finish_reason: null }],
};

/** Nanoseconds of CPU time per piece. */
async function timed(times: number, pieces: number, work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  for (let i = 0; i < times; i += 1) await work();
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1_000) / times / pieces;
}

export const lensReading: Bench = {
  name: 'lens-reading',
  async run(size) {
    const [rounds, scale] = size === 'full' ? [9, 1] : [1, 0.02];
    const provider = lensOfProvider({ id: 'x', api: 'openai' });
    const embeddings = { data: Array.from({ length: 32 }, () => ({ embedding: vector })), usage: { prompt_tokens: 1 } };
    const text = JSON.stringify(embeddings);
    const cases: Case[] = [
      {
        name: 'a piece of a stream of events, 160 bytes',
        ...{ lens: provider, path: '/v1/chat/completions', type: 'text/event-stream', times: 50 * scale },
        pieces: Array.from({ length: words }, () => `data: ${JSON.stringify(chunk)}\n\n`),
      },
      {
        name: 'a line of an answer, 21 bytes',
        ...{
          lens: lensOf({ lens: 'lightrag' }),
          path: '/query/stream',
          type: 'application/x-ndjson',
          times: 100 * scale,
        },
        pieces: Array.from({ length: words }, () => '{"response":"word "}\n'),
      },
      {
        name: '64 KiB of embeddings as numbers',
        ...{ lens: provider, path: '/v1/embeddings', type: 'application/json', times: 20 * scale },
        pieces: Array.from({ length: Math.ceil(text.length / 65_536) }, (_, i) =>
          text.slice(i * 65_536, (i + 1) * 65_536),
        ),
      },
    ];
    const measured = cases.map(() => ({ ours: [] as number[], parsed: [] as number[] }));
    let seen = 0;
    for (let round = -1; round < rounds; round += 1)
      for (const [at, { lens, path, type, pieces, times }] of cases.entries()) {
        const bytes = pieces.map((piece) => Buffer.from(piece));
        const read = async () => {
          const head = { method: 'POST', path, query: '', headers: {} };
          const reader = lens.open(head, lens.classify(head));
          reader.answer(200, { 'content-type': type });
          for (const one of bytes) reader.response(one, 1);
          seen += (await reader.end()).operation.length;
        };
        // What is written by hand: all of it kept, cut into lines, each parsed.
        const parse = () => {
          const all = Buffer.concat(bytes).toString('utf8');
          const lines = type === 'application/json' ? [all] : all.split('\n');
          for (const line of lines)
            if (line !== '') seen += Object.keys(JSON.parse(line.replace(/^data: /, ''))).length;
        };
        const repeats = Math.max(1, Math.round(times));
        const ours = await timed(repeats, pieces.length, read);
        const parsed = await timed(repeats, pieces.length, parse);
        // The first round warms up.
        if (round < 0) continue;
        measured[at]?.ours.push(ours);
        measured[at]?.parsed.push(parsed);
      }
    if (seen === 0) throw new Error('what was measured was not done');
    const of = (at: number, way: 'ours' | 'parsed'): number => median(measured[at]?.[way] ?? []);
    return {
      row: 'Gateway, reading what passes',
      target: 'what a lens adds per piece, against keeping and parsing all of it.',
      method: `Median of ${rounds} rounds in turn; CPU time per piece, each given by itself as it comes from a socket. A lens keeps nothing of what passes; the other way keeps all of it until the end.`,
      columns: ['what', 'lens, ns', 'kept and parsed, ns'],
      lines: cases.map(({ name }, at) => [name, of(at, 'ours'), of(at, 'parsed')]),
      figures: cases.map(({ name }, at) => ({ what: name, value: of(at, 'ours') / of(at, 'parsed'), unit: 'times' })),
    };
  },
};
