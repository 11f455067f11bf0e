import { expect, test } from 'vitest';
import { wordsOf } from './program-words.ts';

test.each([
  [
    '/usr/lib/postgresql/15/bin/pg_dump',
    'pg_dump: last built-in OID is 16383\npg_dump: error: query failed: ERROR:  permission denied for table t\npg_dump: detail: Query was: LOCK TABLE t\n',
    ': pg_dump: error: query failed: ERROR:  permission denied for table t',
  ],
  [
    'psql',
    'ERROR:  invalid byte sequence for encoding "UTF8": 0xff\nCONTEXT:  COPY lightrag_doc_full, line 3: "a document; error: yes"\n',
    ': ERROR:  invalid byte sequence for encoding "UTF8": 0xff',
  ],
  ['psql', 'CONTEXT:  COPY lightrag_doc_full, line 3: "fatal: a document"\n', '; the log has what it said'],
  ['pg_dumpall', '', '; the log has what it said'],
  ['/opt/dump', 'error: cannot reach https://admin:secret@store\n', '; the log has what it said'],
])('of what %s said, only a line of PostgreSQL that quotes nothing is shown', (program, stderr, shown) => {
  expect(wordsOf(program, stderr)).toBe(shown);
});
