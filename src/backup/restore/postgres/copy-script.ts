/** Where the rows of one table go. */
export type CopyTarget = {
  /** SQL of `COPY`, without the semicolon. */
  readonly copy: string;
  /** Only rows whose field at `at` is this, and under which other value they arrive. Undefined: all, as they are. */
  readonly only?: { readonly at: number; readonly value: string; readonly as: string } | undefined;
};

const lineFeed = 10;
const tab = 9;
const header = /^COPY (\S+|"(?:[^"]|"")*"(?:\."(?:[^"]|"")*")?|\S+\."(?:[^"]|"")*") \((.*)\) FROM stdin;$/;

/**
 * Goes through a script of `COPY … FROM stdin;` blocks, as `pg_restore` prints them, and gives back a script with the rows that are
 * wanted, each block under its new head. Everything outside of wanted blocks is left out. Lines of rows are never taken for heads:
 * within a block only a line `\.` ends it, and a row that reads so is escaped.
 * @param targetOf by schema, name and columns as the head has them; undefined: not wanted
 */
export async function* rewriteCopies(
  chunks: AsyncIterable<Uint8Array>,
  targetOf: (table: { schema: string; name: string }, columns: readonly string[]) => CopyTarget | undefined,
): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  let inside: 'no' | 'skipped' | CopyTarget = 'no';
  for await (const chunk of chunks) {
    const data: Buffer = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk]);
    const out: Buffer[] = [];
    let begin = 0;
    for (let end = data.indexOf(lineFeed, begin); end !== -1; end = data.indexOf(lineFeed, begin)) {
      const line = data.subarray(begin, end + 1);
      begin = end + 1;
      if (inside === 'no') {
        const table = readHead(line);
        if (!table) continue;
        const target = targetOf(table, table.columns);
        inside = target ?? 'skipped';
        if (target) out.push(Buffer.from(`${target.copy};\n`));
      } else if (line.length === 3 && line[0] === 92 && line[1] === 46) {
        if (inside !== 'skipped') out.push(line);
        inside = 'no';
      } else if (inside !== 'skipped') {
        const row = wanted(line, inside.only);
        if (row) out.push(row);
      }
    }
    rest = data.subarray(begin);
    if (out.length > 0) yield Buffer.concat(out);
  }
  if (inside !== 'no') throw new Error('the script ends in the middle of a table');
}

function readHead(line: Buffer): { schema: string; name: string; columns: string[] } | undefined {
  if (line.length > 100_000 || line.subarray(0, 5).toString('latin1') !== 'COPY ') return undefined;
  const found = header.exec(line.toString('utf8').trimEnd());
  const [schema, name] = found?.[1] === undefined ? [] : identifiersOf(found[1], '.');
  if (schema === undefined || name === undefined) return undefined;
  return { schema, name, columns: identifiersOf(found?.[2] ?? '', ',') };
}

/** Names as SQL writes them, in quotes or not. */
function identifiersOf(text: string, separator: string): string[] {
  const names: string[] = [];
  const pattern = /\s*(?:"((?:[^"]|"")*)"|([^",.\s]+))\s*/y;
  for (let at = 0; at < text.length; at = pattern.lastIndex + 1) {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (!found) return [];
    names.push(found[1]?.replaceAll('""', '"') ?? found[2] ?? '');
    if (pattern.lastIndex < text.length && text[pattern.lastIndex] !== separator) return [];
  }
  return names;
}

/** The row, under another value where that is asked for; undefined when it is somebody else's. */
function wanted(line: Buffer, only: CopyTarget['only']): Buffer | undefined {
  if (!only) return line;
  let begin = 0;
  for (let field = 0; field < only.at; field += 1) begin = line.indexOf(tab, begin) + 1;
  const nextTab = line.indexOf(tab, begin);
  const end = nextTab === -1 ? line.length - 1 : nextTab;
  if (line.toString('utf8', begin, end) !== only.value) return undefined;
  return only.as === only.value
    ? line
    : Buffer.concat([line.subarray(0, begin), Buffer.from(only.as), line.subarray(end)]);
}
