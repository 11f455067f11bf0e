import type { RelationName } from '../audit/audit-relations.ts';
import type { AuditReport } from '../audit/audit-report.ts';
import type { InspectedFile, InspectionFault, InspectionFaultCode, InspectionReport } from './report.ts';
import { type KnownFile, knownFiles, type StoreFamily, storeFiles } from './workspace-files.ts';

type Facts = Omit<InspectionReport, 'faults' | 'durationMs'>;

export type FaultContext = {
  readonly idle: boolean | undefined;
  readonly elsewhere: readonly StoreFamily[];
};

/** The server removes temporary siblings itself at its next start when they are older than this. */
const orphanAfterMs = 3_600_000;

const severities = ['critical', 'warning', 'info'] as const;

/**
 * What is wrong with a workspace, worst first, in words for operators. Differences between stores are `info` while documents
 * are being worked on, or while files were replaced under the reading: they are expected then.
 */
export function decideFaults(facts: Facts, context: FaultContext): InspectionFault[] {
  const inMotion =
    context.idle === false ||
    (context.idle === undefined && facts.stuck.total > 0) ||
    facts.changedMeanwhile.length > 0;
  const faults = [
    ...facts.files.flatMap((file) => fileFaults(file, facts, context.elsewhere)),
    ...vectorFaults(facts),
    ...driftFaults(facts.audit, inMotion),
    ...leftoverFaults(facts, context.idle),
  ];
  return faults.sort((a, b) => severities.indexOf(a.severity) - severities.indexOf(b.severity));
}

const fault = (code: InspectionFaultCode, severity: InspectionFault['severity'], message: string): InspectionFault => ({
  code,
  severity,
  message,
});

function fileFaults(file: InspectedFile, facts: Facts, elsewhere: readonly StoreFamily[]): InspectionFault[] {
  const { name, kind, state, bytes, detail = '', offset = 0 } = file;
  const known: KnownFile | undefined = Object.values<KnownFile>(knownFiles).find((one) => one.name === name);
  const severity = known ? 'critical' : 'warning';
  const consequence = known
    ? ' LightRAG will not start with it. Restore it from a recovery point that has it whole.'
    : '';
  switch (state) {
    case 'ok':
      return [];
    case 'torn':
      return [fault('file-torn', severity, `${name} is cut off after ${bytes} bytes: ${detail}.${consequence}`)];
    case 'invalid':
      return [fault('file-invalid', severity, `${name} is damaged at byte ${offset}: ${detail}.${consequence}`)];
    case 'empty':
      return [emptyFault(name, kind, facts, severity, consequence)];
    case 'changing':
      return [
        fault(
          'file-changing',
          'info',
          `${name} was being rewritten in place during every reading, so it was not checked.`,
        ),
      ];
    case 'unreadable':
      return [fault('file-unreadable', severity, `${name} cannot be read: ${detail}. Check its owner and mode.`)];
    case 'missing':
      return known && !known.isOptional && !elsewhere.includes(known.family) && isMissed(known, facts)
        ? [fault('file-missing', 'critical', missingMessage(known))]
        : [];
  }
}

/** A file is missed when others say that something was stored; before the first document there are no files. */
function isMissed({ name, family }: KnownFile, facts: Facts): boolean {
  if (facts.extracted.some((store) => storeFiles[store] === name)) return false;
  if (family === 'docStatus') return facts.files.some(({ state, kind }) => state !== 'missing' && kind !== 'other');
  const { counts, documents } = facts.audit;
  // Documents of a database say nothing of which other stores are files.
  if (counts.doc_status === undefined || facts.extracted.includes('doc_status'))
    return facts.files.filter(({ state }) => state === 'ok').length > 1;
  return (documents.processed ?? 0) > 0;
}

function missingMessage({ name, kind }: KnownFile): string {
  const what = 'although documents were stored: it was removed, or this is not the whole folder.';
  if (kind === 'graphml') return `${name} is missing ${what} LightRAG starts with an empty graph.`;
  return `${name} is missing ${what} LightRAG starts without a word, and its rows are gone.`;
}

function emptyFault(
  name: string,
  kind: InspectedFile['kind'],
  facts: Facts,
  severity: InspectionFault['severity'],
  consequence: string,
): InspectionFault {
  if (kind !== 'kv') return fault('file-empty', severity, `${name} has zero bytes.${consequence}`);
  const hasOthers = facts.files.some((other) => other.name !== name && other.state === 'ok');
  return hasOthers
    ? fault(
        'file-empty',
        'critical',
        `${name} has zero bytes while other files hold data. LightRAG takes it for a new one and starts: what it held is lost without an error. Restore it before the next document is added.`,
      )
    : fault('file-empty', 'warning', `${name} has zero bytes.`);
}

function vectorFaults({ dimension }: Facts): InspectionFault[] {
  const faults: InspectionFault[] = [];
  if (!dimension.agree) {
    const words = dimension.files.filter(({ rows }) => rows > 0).map((one) => `${one.file}: ${one.dimension}`);
    faults.push(
      fault(
        'dimension-mismatch',
        'critical',
        `The vector files have different dimensions (${words.join(', ')}): they come from different embedding models, and LightRAG will not start with them.`,
      ),
    );
  }
  for (const { file, rows, dimension: size, matrixLength, expectedMatrixLength, duplicateRows } of dimension.files) {
    if (matrixLength !== expectedMatrixLength)
      faults.push(
        fault(
          'matrix-length',
          'critical',
          `The matrix of ${file} has ${matrixLength} characters; ${rows} rows of dimension ${size} take ${expectedMatrixLength}. Rows and vectors do not belong together.`,
        ),
      );
    if (duplicateRows > 0)
      faults.push(
        fault(
          'duplicate-vectors',
          'warning',
          `${file} holds ${count(duplicateRows, 'row')} whose id stood there before.`,
        ),
      );
  }
  return faults;
}

function driftFaults({ dangling, counts, documents }: AuditReport, inMotion: boolean): InspectionFault[] {
  const faults: InspectionFault[] = [];
  const say = (
    code: InspectionFaultCode,
    severity: InspectionFault['severity'],
    relation: RelationName,
    sentence: (found: number) => string,
  ): void => {
    const found = dangling[relation]?.count ?? 0;
    if (found === 0) return;
    const expected = ' Documents are being worked on, which may explain it.';
    const names = (dangling[relation]?.examples ?? []).slice(0, 3);
    const named = names.length > 0 ? ` For example: ${names.join(', ')}.` : '';
    faults.push(fault(code, inMotion ? 'info' : severity, `${sentence(found)}${named}${inMotion ? expected : ''}`));
  };
  say(
    'texts-missing',
    'critical',
    'documents_without_text',
    (n) => `${count(n, 'document')} of doc_status without a text in full_docs: they cannot be processed again.`,
  );
  say(
    'chunks-missing',
    'critical',
    'processed_without_chunks',
    (n) => `${count(n, 'processed document')} with chunks missing in text_chunks: queries do not find their text.`,
  );
  say(
    'chunk-vectors-missing',
    'critical',
    'processed_without_chunk_vectors',
    (n) => `${count(n, 'processed document')} with chunks missing in vdb_chunks: searches do not find them.`,
  );
  say(
    'entity-vectors-missing',
    'warning',
    'nodes_without_vector',
    (n) => `${n} of ${counts.graph_nodes} entities of the graph have no vector: searches do not find them.`,
  );
  say(
    'relation-vectors-missing',
    'warning',
    'edges_without_vector',
    (n) => `${n} of ${counts.graph_edges} relations of the graph have no vector: searches do not find them.`,
  );
  say(
    'orphan-entity-vectors',
    'warning',
    'entity_vectors_without_node',
    (n) => `${n} of ${counts.vdb_entities} entity vectors have no node in the graph.`,
  );
  say(
    'orphan-relation-vectors',
    'warning',
    'relation_vectors_without_edge',
    (n) => `${n} of ${counts.vdb_relationships} relation vectors have no edge in the graph.`,
  );
  say(
    'orphan-chunk-vectors',
    // A failed document leaves the vectors of its chunks behind, and their texts only in the server's memory.
    counts.doc_status === undefined || (documents.failed ?? 0) > 0 ? 'info' : 'warning',
    'chunk_vectors_without_chunk',
    (n) => `${n} of ${counts.vdb_chunks} chunk vectors have no text in text_chunks.`,
  );
  say(
    'orphan-chunks',
    'info',
    'chunks_without_document',
    (n) => `${n} of ${counts.text_chunks} chunks belong to no document of doc_status.`,
  );
  say(
    'orphan-texts',
    'info',
    'texts_without_document',
    (n) => `${n} of ${counts.full_docs} texts of full_docs belong to no document of doc_status.`,
  );
  say(
    'edge-ends-missing',
    'warning',
    'edge_ends_without_node',
    (n) => `${count(n, 'name')} at the ends of relations of the graph are no entities of it.`,
  );
  return faults;
}

function leftoverFaults({ stuck, orphans }: Facts, idle: boolean | undefined): InspectionFault[] {
  const faults: InspectionFault[] = [];
  if (stuck.total > 0 && idle !== false) {
    const isKnown = idle === true;
    const what = `${count(stuck.total, 'document')} between accepted and finished`;
    faults.push(
      isKnown
        ? fault(
            'stuck-documents',
            'warning',
            `${what} while the pipeline is idle: LightRAG goes on with them only when a retry is asked for.`,
          )
        : fault('stuck-documents', 'info', `${what}. If the pipeline is idle, they are stuck.`),
    );
  }
  const old = orphans.files.filter(({ ageMs }) => ageMs > orphanAfterMs).length;
  if (old > 0)
    faults.push(
      fault(
        'orphan-temporary-files',
        'info',
        `${count(old, 'temporary file')} of broken-off writes, ${orphans.bytes} bytes with younger ones: LightRAG removes them at its next start.`,
      ),
    );
  return faults;
}

const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`;
