import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bareRepository, bytesBelow, type Step, takePoint } from './backup-steps.ts';
import { startProduct, startSample } from './product.ts';
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
export function editWorkspace(folder: string, round: number): void {
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
    const tree = [sample.workingDir, sample.inputDir];
    const bare = bareRepository(size);
    const products = [await startProduct(sample, size)];
    // What unfolding costs is of no interest where nothing is large enough for it.
    if (size === 'full') products.push(await startProduct(sample, size, { RAGWARDEN_BACKUP_UNFOLD: 'false' }));
    const begin = await bare.init();
    const contenders: Contender[] = [
      {
        name: 'bare restic',
        folder: bare.folder,
        run: () => bare.restic(['backup', ...tree]),
        makingCpu: begin.cpu,
      },
      ...products.map((product, at) => ({
        name: at === 0 ? 'ragwarden, by record' : 'ragwarden, whole files',
        folder: join(product.dataDir, 'repository'),
        run: () => takePoint(product),
        makingCpu: 0,
      })),
    ];
    const measured = contenders.map((one) => ({ ...one, first: 0, bytes: [] as number[], cpu: [] as number[] }));
    for (const one of measured) one.first = one.makingCpu + (await one.run()).cpu;
    for (let round = 1; round <= rounds; round += 1) {
      editWorkspace(sample.workingDir, round);
      for (const one of measured) {
        const before = bytesBelow(one.folder);
        one.cpu.push((await one.run()).cpu);
        one.bytes.push(bytesBelow(one.folder) - before);
      }
    }
    for (const running of [...products, sample]) await running.stop();
    const [reference, ours, whole] = measured.map((one) => ({
      first: one.first,
      bytes: median(one.bytes),
      cpu: median(one.cpu),
    }));
    if (!reference || !ours) throw new Error('nothing was measured');
    return {
      row: 'P12, bytes after scattered edits',
      target:
        "at most 1/5 of what bare restic stores (aim: 1/15); of P13: the first point at most 1.3 times bare restic's CPU.",
      method: `A generated workspace of ${mebibytes.toFixed(0)} MiB; ${rounds} times every hundredth record of every file is changed, each file written anew and renamed. Bytes by which the repository's folder grows, medians; CPU with all child processes. "Whole files" is ragwarden with backup.unfold off, which shows what unfolding costs.`,
      columns: ['what', 'first, CPU s', 'stored after 1 % edits, KiB', 'CPU s for that'],
      lines: measured.map((one) => [one.name, one.first / 1_000, median(one.bytes) / 1024, median(one.cpu) / 1_000]),
      figures: [
        { what: 'bytes stored', value: ours.bytes / reference.bytes, limit: 0.2, unit: 'times' },
        { what: 'CPU after edits', value: ours.cpu / reference.cpu, unit: 'times' },
        { what: 'first, CPU', value: ours.first / reference.first, limit: 1.3, unit: 'times' },
        ...(whole
          ? [
              {
                what: "unfolding's own share of that",
                value: Math.max(0, ours.first - whole.first) / reference.first,
                unit: 'times',
              },
            ]
          : []),
      ],
    };
  },
};

type Contender = {
  readonly name: string;
  /** Its repository. */
  readonly folder: string;
  run(): Promise<Step>;
  /** Milliseconds of making the repository, where `run` does not do it. */
  readonly makingCpu: number;
};
