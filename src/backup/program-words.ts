const ofPostgres = /^(pg_dump|pg_dumpall|pg_restore|psql)$/;
/** Below an error these quote rows and statements. */
const quoting = /^\s*(CONTEXT|DETAIL|HINT|STATEMENT|QUERY|LINE \d+|COPY)\b/i;

/**
 * The end of a sentence about a program that failed, after what it ended with. Programs that an operator wrote may print passwords
 * and rows: what they said is for the log alone. Those of PostgreSQL tell the reason in one line that holds neither.
 */
export function wordsOf(program: string, stderr: string): string {
  const said = ofPostgres.test(program.split('/').at(-1) ?? '')
    ? stderr.split('\n').find((line) => /\b(error|fatal):/i.test(line) && !quoting.test(line))
    : undefined;
  return said === undefined ? '; the log has what it said' : `: ${said.trim()}`;
}
