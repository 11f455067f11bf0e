import type { DocumentsBody, ListedDocument } from '../../api/traffic-wire.ts';
import type { Page } from '../../api/wire.ts';
import { formatAge, formatCount, formatDuration, plural } from '../../format.ts';
import { Work } from '../../panels/work.tsx';
import { Confirm } from '../../parts/confirm.tsx';
import { Refusal } from '../../parts/loaded.tsx';
import { Word } from '../../parts/mark.tsx';
import { Age, Fact, Trouble, Unknown } from '../../parts/text.tsx';
import { useActing } from '../../state/acting.ts';
import { useFollowed } from '../../state/asked.ts';
import { operations, targets } from '../../state/page-state.ts';
import { api } from '../../state/session.ts';
import { timeOf, workspaceName } from './figures.ts';

/** Documents that do not go on by themselves, and the button for them. */
export function DocumentsPanel() {
  const all = targets.value.value?.items ?? [];
  return (
    <section class="panel" aria-labelledby="stuck-title">
      <div class="panel-head">
        <h2 id="stuck-title">Documents</h2>
      </div>
      {all.length === 0 && (
        <p>
          <Unknown text={targets.value.value === undefined ? 'not known yet' : 'no target is configured'} />
        </p>
      )}
      {all.map((target) => {
        const none = target.not_applicable.find(({ what }) => what === 'documents');
        return none === undefined ? (
          <OfTarget key={target.id} targetId={target.id} />
        ) : (
          <p key={target.id} class="empty">
            Not applicable to {target.id} ({target.configured_kind}): {none.reason}.
          </p>
        );
      })}
      <Work kinds={['documents.reprocess', 'canary.plant']} />
    </section>
  );
}

function OfTarget({ targetId }: { targetId: string }) {
  const path = `api/v1/targets/${encodeURIComponent(targetId)}/documents`;
  const { value, problem, refresh } = useFollowed<Page<DocumentsBody>>(path, {
    load: (on) => api.get(path, on),
    everyMs: (page) => (page?.items.some((one) => (one.in_flight ?? 0) > 0) ? 1_000 : 3_000),
  });
  if (value === undefined) return <p class={problem === undefined ? '' : 'empty'}>{problem ?? <Unknown />}</p>;
  return (
    <>
      <Trouble text={problem} />
      {value.items.length === 0 && <p class="empty">The documents of {targetId} are not watched.</p>}
      {value.items.map((one) => (
        <Workspace key={one.workspace} body={one} path={path} refresh={refresh} />
      ))}
    </>
  );
}

/** Why they cannot be taken up again now; undefined when they can. */
export function whyNoReprocessing(body: Pick<DocumentsBody, 'stuck' | 'counts'>, isBusy: boolean): string | undefined {
  if (isBusy) return 'It is under way.';
  if (body.stuck?.cause === 'no-progress') return 'The pipeline is busy: cancel it or restart the backend first.';
  if (body.stuck === null && (body.counts?.failed ?? 0) === 0) return 'Nothing is stuck or failed.';
  return undefined;
}

/** LightRAG has one call for both: beside stuck documents it tries failed ones too. */
export function whichOf({ stuck, counts }: Pick<DocumentsBody, 'stuck' | 'counts'>): string {
  const failed = counts?.failed ?? 0;
  if (stuck === null) return plural(failed, 'failed document');
  return failed === 0
    ? plural(stuck.documents, 'stuck document')
    : `${formatCount(stuck.documents)} stuck and ${plural(failed, 'failed document')}`;
}

function Workspace(props: { body: DocumentsBody; path: string; refresh(): Promise<void> }) {
  const { body } = props;
  const { act, refusal, busy } = useActing(() => Promise.all([props.refresh(), operations.refresh()]));
  const isRunning = operations.value.value?.items.some(
    (one) => one.kind === 'documents.reprocess' && one.state === 'running' && one.target_id === body.target_id,
  );
  const listed = [...(body.stuck?.listed ?? []), ...body.failed];
  return (
    <article class="documents-of" aria-label={`Documents of ${body.target_id} ${workspaceName(body.workspace)}`}>
      <header class="target-head">
        <h3>
          {body.target_id} <span class="faint">{workspaceName(body.workspace)}</span>
        </h3>
        {body.stuck === null ? (
          <Word
            word={body.looked_at === null ? 'unknown' : 'healthy'}
            text={body.looked_at === null ? 'not looked at yet' : 'nothing is stuck'}
          />
        ) : (
          <Word
            word="warning"
            text={`${plural(body.stuck.documents, 'document')} stuck, since ${formatAge(Date.parse(body.stuck.since), Date.now())}`}
          />
        )}
        <Confirm
          label="Take up again"
          about={`Take up again: stuck and failed documents of ${body.target_id} ${workspaceName(body.workspace)}`}
          question={`The backend takes up ${whichOf(body)} again, which costs calls of its model.`}
          why={whyNoReprocessing(body, busy || isRunning === true)}
          onConfirm={() =>
            void act(() =>
              api.post(`${props.path}/reprocess`, { workspace: body.workspace, failed: body.stuck === null }),
            )
          }
        />
      </header>
      <Refusal text={refusal} />
      <dl class="facts">
        <Fact name="In flight">
          {body.in_flight === null ? <Unknown /> : formatCount(body.in_flight)}
          <span class="faint"> · {plural(body.inserts_followed, 'insert')} followed</span>
        </Fact>
        <Fact name="To its end, p50 · p95 · p99">
          {body.latency === null
            ? '–'
            : [body.latency.p50_ms, body.latency.p95_ms, body.latency.p99_ms].map(timeOf).join(' · ')}
        </Fact>
        <Fact name="Ended">
          {body.ended.length === 0
            ? 'none'
            : body.ended
                .map(
                  ({ outcome, cause, documents }) =>
                    `${formatCount(documents)} ${outcome}${cause === null ? '' : ` (${cause})`}`,
                )
                .join(', ')}
          {body.counted_since !== null && (
            <span class="faint">
              {' '}
              · counted since <Age at={body.counted_since} />
            </span>
          )}
        </Fact>
        <Fact name="By itself">
          {body.reprocessing.automatic
            ? `up to ${body.reprocessing.most_per_day} a day, ${body.reprocessing.today} today`
            : 'off: documents.reprocess_stuck'}
        </Fact>
      </dl>
      {listed.length > 0 && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached with the keyboard
        <section class="stuck-room" tabIndex={0} aria-label="Stuck and failed documents">
          <ul class="stuck-list">
            {listed.map((one) => (
              <Listed key={one.id} document={one} />
            ))}
          </ul>
        </section>
      )}
    </article>
  );
}

function Listed({ document }: { document: ListedDocument }) {
  return (
    <li>
      <Word word={document.status === 'failed' ? 'failed' : 'warning'} text={document.status} />
      <span class="stuck-file" title={document.id}>
        {document.file_path}
      </span>
      <span class="faint">for {formatDuration(document.age_seconds)}</span>
      {document.cause !== null && (
        <span class="stuck-why faint">
          {document.cause}
          {document.error !== null && `: ${document.error}`}
        </span>
      )}
    </li>
  );
}
