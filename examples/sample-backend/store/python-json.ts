// LightRAG's files are written by Python's json module (`ensure_ascii=False`). These renderers give the same bytes, so that
// a file which was loaded and not changed is written back as it was.

/** `bigint`: whole numbers beyond 2^53, such as nanoseconds since the epoch. */
export type Json = null | boolean | number | bigint | string | readonly Json[] | { readonly [key: string]: Json };

/** One line with `, ` and `: ` between the parts, as `json.dump(value)` writes it. */
export function renderOneLine(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(renderOneLine).join(', ')}]`;
  if (value !== null && typeof value === 'object') {
    const members = Object.entries(value).map(([key, member]) => `${JSON.stringify(key)}: ${renderOneLine(member)}`);
    return `{${members.join(', ')}}`;
  }
  return typeof value === 'bigint' ? String(value) : JSON.stringify(value);
}

/** A row of an indented object: `json.dump(rows, indent=2)`, without the comma that may follow. */
export function renderIndentedRow(key: string, row: Json): string {
  // A newline inside a string is escaped, so every newline here is layout.
  return `  ${JSON.stringify(key)}: ${JSON.stringify(row, null, 2).replaceAll('\n', '\n  ')}`;
}

/** The whole of an indented object, in pieces of about a megabyte. */
export function renderIndentedRows(rows: Iterable<readonly [string, Json]>): Buffer[] {
  const pieces: Buffer[] = [];
  let open = '{';
  let isFirst = true;
  for (const [key, row] of rows) {
    open += `${isFirst ? '\n' : ',\n'}${renderIndentedRow(key, row)}`;
    isFirst = false;
    if (open.length > 1_000_000) {
      pieces.push(Buffer.from(open));
      open = '';
    }
  }
  pieces.push(Buffer.from(`${open}${isFirst ? '}' : '\n}'}`));
  return pieces;
}

/** Parses a file, and fails with the sentence Python's decoder would use. */
export function parsePythonJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const { what, at } = findJsonFault(text);
    const before = text.slice(0, at);
    const line = before.split('\n').length;
    throw new Error(`${what}: line ${line} column ${at - before.lastIndexOf('\n')} (char ${at})`);
  }
}

/** Where a text that breaks off stops being JSON, in the words of Python's `json.JSONDecodeError`. */
export function findJsonFault(text: string): { what: string; at: number } {
  let stringStart = -1;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (stringStart >= 0 && code === 92) index += 1;
    else if (code === 34) stringStart = stringStart >= 0 ? -1 : index;
  }
  const what = stringStart >= 0 ? 'Unterminated string starting at' : 'Expecting value';
  return { what, at: stringStart >= 0 ? stringStart : text.length };
}
