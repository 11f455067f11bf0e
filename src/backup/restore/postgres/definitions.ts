/** Each entry of a plain script of pg_restore begins with a comment of three lines. */
const entryHead = /^--\n-- Name: (.*?); Type: (.*?); Schema: (.*?); Owner: .*\n--\n/gm;

/** What makes a table: itself, its sequences and defaults, its keys and indexes. */
const kinds = new Set([
  'TABLE',
  'SEQUENCE',
  'SEQUENCE OWNED BY',
  'DEFAULT',
  'CONSTRAINT',
  'INDEX',
  'FK CONSTRAINT',
  'COMMENT',
]);

/**
 * The statements of a plain schema script that make one table, in their order.
 * @param script of `pg_restore --schema-only --file`
 */
export function definitionsOf(script: string, table: { readonly schema: string; readonly name: string }): string[] {
  const heads = [...script.matchAll(entryHead)];
  const written = `${asWritten(table.schema)}.${asWritten(table.name)}`;
  const mentions = new RegExp(`${escaped(written)}(?![\\w$"])`);
  return heads.flatMap((head, index) => {
    const [, name = '', kind = ''] = head;
    if (!kinds.has(kind)) return [];
    const text = script
      .slice(head.index + head[0].length, heads[index + 1]?.index)
      .split('\n')
      // What speaks to psql alone.
      .filter((line) => !line.startsWith('\\') && !line.startsWith('--'))
      .join('\n')
      .trim();
    const ofTable =
      kind === 'TABLE'
        ? name === table.name
        : kind === 'SEQUENCE'
          ? name.startsWith(`${table.name}_`)
          : mentions.test(text);
    return ofTable ? [text] : [];
  });
}

/** In quotes only where it must be, as pg_dump writes it for the names that LightRAG gives. */
const asWritten = (name: string): string =>
  /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
