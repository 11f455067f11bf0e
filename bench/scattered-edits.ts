import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bareRepository, bytesBelow, type Step, takePoint } from './backup-steps.ts';
import { type Product, startProduct, startSample } from './product.ts';
import { type Bench, median } from './report.ts';

/** Every hundredth record is another one. */
const every = 100;

type Rows = Record<string, Record<string, unknown>>;
type Vectors = { readonly data: Record<string, unknown>[]; readonly embedding_dim: number; matrix: string };

/** As Python writes it: a space behind colons and commas, everything on one line. */
const oneLine = (value: unknown): string =>
  JSON.stringify(value, null, 1)
    .replaceAll(/\n */g, ' ')
    .replaceAll('{ ', '{')
    .replaceAll('[ ', '[')
    .replaceAll(' }', '}')
    .replaceAll(' ]', ']');

/** Changes every hundredth record of every file, each file written anew and renamed, as the backend does it. */
function editWorkspace(folder: string, round: number): void {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const text = readFileSync(path, 'utf8');
    let edited: string | undefined;
    if (name.startsWith('kv_store_')) edited = editRows(JSON.parse(text) as Rows, round);
    else if (name.startsWith('vdb_')) edited = editVectors(JSON.parse(text) as Vectors, round);
    else if (name.endsWith('.graphml')) edited = editGraph(text, round);
    if (edited === undefined) continue;
    writeFileSync(`${path}.bench`, edited);
    renameSync(`${path}.bench`, path);
  }
}

function editRows(rows: Rows, round: number): string {
  for (const [at, row] of Object.values(rows).entries()) if (at % every === round) row.update_time = 1_800_000_000 + at;
  return JSON.stringify(rows, null, 2);
}

function editVectors(vectors: Vectors, round: number): string {
  const matrix = Buffer.from(vectors.matrix, 'base64');
  for (const [at, row] of vectors.data.entries()) {
    if (at % every !== round) continue;
    row.__created_at__ = 1_800_000_000 + at;
    for (let place = 0; place < vectors.embedding_dim; place += 1)
      matrix.writeFloatLE(Math.sin(at + place * round), 4 * (at * vectors.embedding_dim + place));
  }
  return oneLine({ ...vectors, matrix: matrix.toString('base64') });
}

function editGraph(text: string, round: number): string {
  let at = 0;
  return text.replaceAll(/<data key="d(?:5|12)">\d+</g, (found) => {
    at += 1;
    return at % every === round ? found.replace(/\d+<$/, String(1_800_000_000 + at)).concat('<') : found;
  });
}

export const scatteredEdits: Bench = {
  name: 'scattered-edits',
  async run(size) {
    const [rounds, workspace] = size === 'full' ? ([3, 'medium'] as const) : ([1, 'tiny'] as const);
    const sample = await startSample(workspace);
    const mebibytes = bytesBelow(sample.workingDir) / 2 ** 20;
    // Without the first rewriting the form of the generator and of the edits would be part of the difference.
    editWorkspace(sample.workingDir, 0);
    const bare = bareRepository();
    const begin = await bare.restic(['init']);
    const first = await bare.restic(['backup', sample.workingDir, sample.inputDir]);
    const bareFirst = { wall: begin.wall + first.wall, cpu: begin.cpu + first.cpu };
    const unfolding = await startProduct(sample);
    const whole = await startProduct(sample, { RAGWARDEN_BACKUP_UNFOLD: 'false' });
    const firsts = { unfolding: await takePoint(unfolding), whole: await takePoint(whole) };
    const stored = { bare: [] as number[], unfolding: [] as number[], whole: [] as number[] };
    const steps = { bare: [] as Step[], unfolding: [] as Step[], whole: [] as Step[] };
    const folderOf = (product: Product): string => join(product.dataDir, 'repository');
    const grown = async (folder: string, run: () => Promise<Step>): Promise<{ bytes: number; step: Step }> => {
      const before = bytesBelow(folder);
      const step = await run();
      return { bytes: bytesBelow(folder) - before, step };
    };
    for (let round = 1; round <= rounds; round += 1) {
      editWorkspace(sample.workingDir, round);
      for (const [name, folder, run] of [
        ['bare', bare.folder, () => bare.restic(['backup', sample.workingDir, sample.inputDir])],
        ['unfolding', folderOf(unfolding), () => takePoint(unfolding)],
        ['whole', folderOf(whole), () => takePoint(whole)],
      ] as const) {
        const { bytes, step } = await grown(folder, run);
        stored[name].push(bytes);
        steps[name].push(step);
      }
    }
    for (const running of [unfolding, whole, sample]) await running.stop();
    const kib = (values: readonly number[]): number => median(values) / 1024;
    const cpu = (taken: readonly Step[]): number => median(taken.map((step) => step.cpu));
    const line = (name: string, one: Step, bytes: readonly number[], taken: readonly Step[]) => [
      name,
      one.cpu / 1_000,
      kib(bytes),
      cpu(taken) / 1_000,
    ];
    return {
      row: 'P12, bytes after scattered edits',
      target:
        "at most 1/5 of what bare restic stores (aim: 1/15); of P13: the first point at most 1.3 times bare restic's CPU.",
      method: `A generated workspace of ${mebibytes.toFixed(0)} MiB; ${rounds} times every hundredth record of every file is changed, each file written anew and renamed. Bytes by which the repository's folder grows; CPU with all child processes. "Whole files" is ragwarden with backup.unfold off, which shows what unfolding costs.`,
      columns: ['what', 'first, CPU s', 'stored after 1 % edits, KiB', 'CPU s for that'],
      lines: [
        line('bare restic', bareFirst, stored.bare, steps.bare),
        line('ragwarden, by record', firsts.unfolding, stored.unfolding, steps.unfolding),
        line('ragwarden, whole files', firsts.whole, stored.whole, steps.whole),
      ],
      figures: [
        { what: 'bytes stored', value: kib(stored.unfolding) / kib(stored.bare), limit: 0.2, unit: 'times' },
        { what: 'CPU after edits', value: cpu(steps.unfolding) / cpu(steps.bare), unit: 'times' },
        { what: 'first, CPU', value: firsts.unfolding.cpu / bareFirst.cpu, limit: 1.3, unit: 'times' },
        {
          what: "unfolding's own share of that",
          value: Math.max(0, firsts.unfolding.cpu - firsts.whole.cpu) / bareFirst.cpu,
          unit: 'times',
        },
      ],
    };
  },
};
