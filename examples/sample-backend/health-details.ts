// The part of `/health` that tells configuration and counters: public up to 1.5.4, for authenticated callers since.
import type { Backend } from './backend.ts';

function configuration(backend: Backend): Record<string, unknown> {
  return {
    llm_binding: 'sample',
    llm_binding_host: 'in-process',
    llm_model: 'rules',
    embedding_binding: 'sample',
    embedding_binding_host: 'in-process',
    embedding_model: 'bag-of-words',
    summary_max_tokens: 1200,
    summary_context_size: 12_000,
    kv_storage: 'JsonKVStorage',
    doc_status_storage: 'JsonDocStatusStorage',
    graph_storage: 'NetworkXStorage',
    vector_storage: 'NanoVectorDBStorage',
    enable_llm_cache_for_extract: true,
    enable_llm_cache: true,
    workspace: backend.workspaceName,
    max_graph_nodes: 1000,
    enable_rerank: false,
    rerank_binding: 'null',
    rerank_model: null,
    rerank_binding_host: null,
    summary_language: 'English',
    force_llm_summary_on_merge: 8,
    max_parallel_insert: 1,
    cosine_threshold: 0.2,
    min_rerank_score: 0,
    related_chunk_number: 5,
    max_async: 4,
    embedding_func_max_async: 8,
    embedding_batch_num: 10,
  };
}

function keyedLocks(): Record<string, unknown> {
  const none = { mp_cleaned: 0, async_cleaned: 0 };
  return {
    process_id: process.pid,
    cleanup_performed: none,
    current_status: { total_mp_locks: 0, pending_mp_cleanup: 0, total_async_locks: 0, pending_async_cleanup: 0 },
  };
}

export function healthDetails14(backend: Backend): Record<string, unknown> {
  return { configuration: configuration(backend), keyed_locks: keyedLocks() };
}

export function healthDetails15(backend: Backend, busy: boolean): Record<string, unknown> {
  const { calls } = backend.pipeline;
  const workspaces = {
    kv_storage: backend.workspaceName,
    doc_status_storage: backend.workspaceName,
    graph_storage: backend.workspaceName,
    vector_storage: backend.workspaceName,
  };
  const role = (): Record<string, unknown> => {
    const bound = { binding: 'sample', model: 'rules', host: 'in-process', is_cross_provider: false };
    const metadata = { base_binding: 'sample', ...bound, provider_options: {}, bedrock_aws_options: {} };
    return { ...bound, max_async: 4, timeout: 240, has_model_kwargs: true, metadata };
  };
  return {
    configuration: {
      ...configuration(backend),
      vlm_process_enable: false,
      rerank_max_async: 4,
      rerank_timeout: 30,
      storage_workspaces: workspaces,
      llm_timeout: 240,
      embedding_timeout: 30,
      role_llm_config: { extract: role(), keyword: role(), query: role(), vlm: role() },
      parser_routing: '',
      mineru: { endpoint: '', api_mode: null, options: {} },
      docling: { endpoint: '', options: {} },
    },
    server_mode: 'uvicorn',
    workers: 1,
    pipeline_scanning: false,
    pipeline_destructive_busy: backend.pipeline.isExclusive(),
    pipeline_pending_enqueues: 0,
    scheduling: {
      manual_phase: 'idle',
      manual_freeze_requested: false,
      manual_resetting: false,
      manual_freeze_seconds: null,
      manual_owner_request_id: null,
      manual_owner_pid: null,
      drain_pending_enqueues: 0,
      drain_waiting_on_workers: busy,
      manual_retries_queued: 0,
      manual_retries_capacity: 64,
      document_notifications_queued: 0,
      document_notification_overflows: 0,
      auto_rescan_pending: false,
    },
    capabilities: {
      scheduling_pages: true,
      typed_source_resolution: true,
      strict_active_count: true,
      source_conflict_listing: false,
      source_conflict_repair: false,
      strict_point_reads: true,
    },
    scheduling_metrics: {
      counters: { freeze_rejects: 0, auto_rescan_rearms: 0, manual_reset_docs: 0, manual_reset_pages: 0 },
      durations: {
        scheduling_page_seconds: noDuration(),
        active_count_seconds: noDuration(),
        manual_drain_seconds: noDuration(),
        manual_reset_seconds: noDuration(),
      },
    },
    keyed_locks: keyedLocks(),
    llm_queue_status: {
      extract: queue('extract LLM func', 4, calls.extract, calls.failed, busy),
      keyword: queue('keyword LLM func', 4, calls.query, 0, false),
      query: queue('query LLM func', 4, calls.query, 0, false),
      vlm: queue('vlm LLM func', 4, 0, 0, false),
    },
    embedding_queue_status: queue('Embedding func', 8, calls.embedding, 0, false),
    rerank_queue_status: { available: false },
  };
}

function noDuration(): Record<string, number> {
  return { count: 0, total_seconds: 0, max_seconds: 0, last_seconds: 0, mean_seconds: 0 };
}

function queue(
  name: string,
  maxAsync: number,
  total: number,
  failed: number,
  running: boolean,
): Record<string, unknown> {
  const counts = {
    queue_name: name,
    max_async: maxAsync,
    max_queue_size: 1000,
    queued: 0,
    running: running ? 1 : 0,
    in_flight: running ? 1 : 0,
    worker_count: maxAsync,
    initialized: total > 0,
    submitted_total: total + (running ? 1 : 0),
    completed_total: total,
    failed_total: failed,
    cancelled_total: 0,
    rejected_total: 0,
    global_slot_waits: 0,
    physical_queued: 0,
  };
  return {
    ...counts,
    reporting_workers: 1,
    per_worker: { [process.pid]: { ...counts, pid: process.pid, updated_at: Date.now() / 1000 } },
    available: true,
  };
}
