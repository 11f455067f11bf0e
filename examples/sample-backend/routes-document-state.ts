import type { Backend } from './backend.ts';
import { readJsonBody } from './body.ts';
import { type Exchange, HttpError, type Route, sendJson } from './http.ts';
import type { DocStatusRow, DocumentStatus } from './store/rows.ts';
import { comparePoints } from './text.ts';

const statuses15 = ['pending', 'parsing', 'analyzing', 'processing', 'preprocessed', 'processed', 'failed'] as const;
const statuses14 = ['pending', 'processing', 'preprocessed', 'processed', 'failed'] as const;
const sortFields = ['created_at', 'updated_at', 'id', 'file_path'] as const;

/** What is told about documents and the pipeline. */
export function documentStateRoutes(backend: Backend): Route[] {
  const { workspace, pipeline, faults, shape } = backend;
  const rows = workspace.docStatus.rows;
  const statuses: readonly DocumentStatus[] = shape === '1.5' ? statuses15 : statuses14;

  function countByStatus(): Record<string, number> {
    const counts: Record<string, number> = Object.fromEntries(statuses.map((status) => [status, 0]));
    for (const row of rows.values()) counts[row.status] = (counts[row.status] ?? 0) + 1;
    return { ...counts, all: rows.size };
  }

  function trackStatus({ response, params }: Exchange): void {
    const track = (params.track_id ?? '').trim();
    if (track === '') throw new HttpError(400, 'Track ID cannot be empty');
    const found = [...rows].filter(([, row]) => row.track_id === track);
    const summary: Record<string, number> = {};
    for (const [, row] of found) {
      const name = `DocStatus.${row.status.toUpperCase()}`;
      summary[name] = (summary[name] ?? 0) + 1;
    }
    const documents = found.map(([id, row]) => describe(id, row));
    sendJson(response, 200, { track_id: track, documents, total_count: found.length, status_summary: summary });
  }

  async function paginated({ request, response }: Exchange): Promise<void> {
    const body = await readJsonBody(request);
    const nullable = body.body.status_filter === null;
    const filter = nullable ? undefined : body.choice('status_filter', statuses, undefined, 'enum');
    const filters = body.strings('status_filters', { optional: true });
    const page = body.integer('page', { min: 1, max: Number.MAX_SAFE_INTEGER, otherwise: 1 });
    const pageSize = body.integer('page_size', { min: 10, max: 200, otherwise: 50 });
    const field = body.choice('sort_field', sortFields, 'updated_at');
    const direction = body.choice('sort_direction', ['asc', 'desc'] as const, 'desc');
    body.done();
    const wanted = new Set([...(filter === undefined ? [] : [filter]), ...filters]);
    const found = [...rows].filter(([, row]) => wanted.size === 0 || wanted.has(row.status));
    const sortValue = ([id, row]: readonly [string, DocStatusRow]): string => (field === 'id' ? id : row[field]);
    found.sort((a, b) => comparePoints(sortValue(a), sortValue(b)) * (direction === 'asc' ? 1 : -1));
    const pages = Math.ceil(found.length / pageSize);
    sendJson(response, 200, {
      documents: found.slice((page - 1) * pageSize, page * pageSize).map(([id, row]) => describe(id, row)),
      pagination: {
        page,
        page_size: pageSize,
        total_count: found.length,
        total_pages: pages,
        has_next: page < pages,
        has_prev: page > 1,
      },
      status_counts: countByStatus(),
    });
  }

  function list({ response }: Exchange): void {
    const byStatus: Record<string, unknown[]> = {};
    for (const [id, row] of [...rows].slice(0, 1000)) {
      const group = byStatus[row.status] ?? [];
      group.push(describe(id, row));
      byStatus[row.status] = group;
    }
    sendJson(response, 200, { statuses: byStatus });
  }

  function pipelineStatus({ response }: Exchange): void {
    const { state } = pipeline;
    const busy = state.busy || faults.hold_busy;
    const name = (namespace: string): string =>
      backend.workspaceName === '' ? namespace : `${backend.workspaceName}:${namespace}`;
    const kept = [
      workspace.fullDocs,
      workspace.textChunks,
      workspace.fullEntities,
      workspace.fullRelations,
      workspace.entityChunks,
      workspace.relationChunks,
      workspace.cache,
      workspace.docStatus,
    ];
    const updates: Record<string, boolean[]> = Object.fromEntries(
      kept.map((store) => [name(store.namespace), [store.isDirty()]]),
    );
    for (const namespace of ['entities', 'relationships', 'chunks', 'chunk_entity_relation'])
      updates[name(namespace)] = [false];
    const recent = {
      busy,
      job_name: state.job_name,
      job_start: state.job_start,
      docs: state.docs,
      batchs: state.batchs,
      cur_batch: state.cur_batch,
      latest_message: state.latest_message,
      history_messages: state.history_messages,
      update_status: updates,
    };
    if (shape === '1.4') {
      sendJson(response, 200, { autoscanned: false, request_pending: state.request_pending, ...recent });
      return;
    }
    const isExclusive = pipeline.isExclusive();
    // These three appear with the first job.
    const cancelling =
      state.job_start === null
        ? {}
        : {
            cancellation_requested: state.cancellation_requested,
            cancellation_reason: state.cancellation_requested ? 'user_cancelled' : null,
            cancellation_detail: null,
          };
    sendJson(response, 200, {
      ...recent,
      recovery_required: faults.refuse_documents,
      recovery_kind: null,
      recovery_message: null,
      destructive_busy: isExclusive,
      scanning: false,
      scanning_exclusive: false,
      pending_enqueues: 0,
      ...cancelling,
    });
  }

  return [
    { method: 'GET', path: '/documents/track_status/{track_id}', handle: trackStatus },
    { method: 'POST', path: '/documents/paginated', handle: paginated },
    {
      method: 'GET',
      path: '/documents/status_counts',
      handle: ({ response }) => sendJson(response, 200, { status_counts: countByStatus() }),
    },
    // Taken away in the course of 1.5.
    ...(shape === '1.4' ? [{ method: 'GET', path: '/documents', handle: list } as const] : []),
    { method: 'GET', path: '/documents/pipeline_status', handle: pipelineStatus },
  ];
}

function describe(id: string, row: DocStatusRow): Record<string, unknown> {
  return {
    id,
    content_summary: row.content_summary,
    content_length: row.content_length,
    status: row.status,
    created_at: row.created_at,
    updated_at: row.updated_at,
    track_id: row.track_id,
    chunks_count: row.chunks_count ?? null,
    error_msg: row.error_msg ?? null,
    metadata: row.metadata,
    file_path: row.file_path,
  };
}
