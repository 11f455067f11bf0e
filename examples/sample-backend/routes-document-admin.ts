import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Backend } from './backend.ts';
import { readJsonBody } from './body.ts';
import { type Exchange, HttpError, type Route, sendJson } from './http.ts';
import { removeDocument } from './removal.ts';

/** What takes documents away, starts them again or stops them. */
export function documentAdminRoutes(backend: Backend): Route[] {
  const { workspace, pipeline, faults, inputFolder } = backend;

  function reprocess({ response }: Exchange): void {
    if (faults.refuse_documents)
      throw new HttpError(503, 'Pipeline recovery is required before documents are retried.');
    pipeline.kick(true);
    sendJson(response, 200, {
      status: 'reprocessing_started',
      message:
        'Reprocessing of failed documents has been initiated in background (one retry attempt per failed document). If the pipeline is busy the request executes at its next quiescence point. Documents retain their original track_id.',
      track_id: '',
    });
  }

  function cancel({ response }: Exchange): void {
    const [status, message] = pipeline.cancel()
      ? ['cancellation_requested', 'Pipeline cancellation has been requested. Documents will be marked as FAILED.']
      : ['not_busy', 'Pipeline is not currently running. No cancellation needed.'];
    sendJson(response, 200, { status, message });
  }

  async function clearCache({ response }: Exchange): Promise<void> {
    await workspace.cache.drop();
    sendJson(response, 200, { status: 'success', message: 'Successfully cleared all cache' });
  }

  async function deleteDocuments({ request, response }: Exchange): Promise<void> {
    const body = await readJsonBody(request);
    const ids = body.strings('doc_ids', { itemMin: 1 });
    if (body.faults.length === 0 && ids.length === 0)
      body.fault('value_error', ['doc_ids'], 'Value error, Document IDs list cannot be empty', [], { error: {} });
    const alsoFile = body.boolean('delete_file', false);
    const alsoCache = body.boolean('delete_llm_cache', false);
    body.done();
    const started = pipeline.exclusive(`Deleting ${ids.length} Documents`, async () => {
      for (const id of ids) {
        const row = workspace.docStatus.rows.get(id);
        if (row === undefined) continue;
        removeDocument(workspace, id, alsoCache);
        if (alsoFile) removeSource(row.file_path);
      }
      await workspace.flushData();
      await workspace.docStatus.flush();
    });
    const message = started
      ? `Document deletion for ${ids.length} documents has been initiated. Processing will continue in background.`
      : 'Pipeline is busy with another operation.';
    sendJson(response, 200, { status: started ? 'deletion_started' : 'busy', message, doc_id: ids.join(', ') });
  }

  function removeSource(fileName: string): void {
    // The name was made by `basename` when it came in, but a foreign workspace may hold anything.
    if (fileName.includes('/') || fileName === '..' || fileName === '.') return;
    for (const folder of ['.', '__parsed__', '__enqueued__'])
      rmSync(join(inputFolder, folder, fileName), { force: true });
  }

  async function clearAll({ response }: Exchange): Promise<void> {
    let deleted = 0;
    const started = pipeline.exclusive('Clearing Documents', async () => {
      const stores = [
        workspace.fullDocs,
        workspace.textChunks,
        workspace.fullEntities,
        workspace.fullRelations,
        workspace.entityChunks,
        workspace.relationChunks,
        workspace.cache,
        workspace.entities,
        workspace.relationships,
        workspace.chunks,
        workspace.docStatus,
      ];
      for (const store of stores) await store.drop();
      workspace.graph.drop();
      if (!existsSync(inputFolder)) return;
      for (const entry of readdirSync(inputFolder, { withFileTypes: true }))
        if (entry.isFile()) {
          rmSync(join(inputFolder, entry.name));
          deleted += 1;
        }
    });
    if (!started) {
      const message = 'Pipeline is busy with another operation.';
      sendJson(response, 200, { status: 'busy', message });
      return;
    }
    await pipeline.idle();
    sendJson(response, 200, {
      status: 'success',
      message: `All documents cleared successfully. Deleted ${deleted} files.`,
    });
  }

  return [
    { method: 'POST', path: '/documents/reprocess_failed', handle: reprocess },
    { method: 'POST', path: '/documents/cancel_pipeline', handle: cancel },
    { method: 'POST', path: '/documents/clear_cache', handle: clearCache },
    { method: 'DELETE', path: '/documents/delete_document', handle: deleteDocuments },
    { method: 'DELETE', path: '/documents', handle: clearAll },
  ];
}
