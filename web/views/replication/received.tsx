import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Adopted, ReceivedPoint } from '../../api/replication-wire.ts';
import type { Operation, Page } from '../../api/wire.ts';
import { formatBytes, formatExact, plural } from '../../format.ts';
import { Loaded, Refusal } from '../../parts/loaded.tsx';
import { SecretField, SecretForm } from '../../parts/secret-form.tsx';
import { Table } from '../../parts/table.tsx';
import { Action, Age, Sentence } from '../../parts/text.tsx';
import { useActing } from '../../state/acting.ts';
import { adoptReceived } from '../../state/actions.ts';
import { useFollowed } from '../../state/asked.ts';
import { operations } from '../../state/page-state.ts';
import { passwordOfKit } from '../../state/recovery-kit.ts';
import { api } from '../../state/session.ts';

const path = 'api/v1/backup-replication/backup/snapshots/received';
const keyOf = (one: ReceivedPoint): string => `${one.sender} ${one.graph_id} ${one.backup_id}`;

/** What other ragwardens sent here, and how one of it becomes a point of this installation when its sender is lost. */
export function ReceivedPanel({ changed, onChanged }: { changed: string; onChanged(): Promise<unknown> }) {
  const asked = useFollowed<Page<ReceivedPoint> & { keep: number }>(
    'received',
    { load: (on) => api.get(path, on), everyMs: (value) => (value === undefined ? 60_000 : 15_000) },
    changed,
  );
  const all = operations.value.value?.items ?? [];
  const [last] = all.filter(({ kind }) => kind === 'replication.adopt');
  return (
    <section class="panel" aria-labelledby="received-title">
      <h2 id="received-title">Received from others</h2>
      <Loaded asked={asked}>
        {({ items, keep }) => (
          <>
            <Rows items={items} isBusy={last?.state === 'running'} onChanged={onChanged} />
            {items.length > 0 && (
              <p class="faint">
                Of each graph and sender the newest {plural(keep, 'point')} {keep === 1 ? 'is' : 'are'} kept, as sealed
                as
                {keep === 1 ? ' it' : ' they'} came.
              </p>
            )}
          </>
        )}
      </Loaded>
      {last !== undefined && <Outcome of={last} />}
    </section>
  );
}

function Rows(props: { items: readonly ReceivedPoint[]; isBusy: boolean; onChanged(): Promise<unknown> }) {
  const { items } = props;
  const [open, setOpen] = useState<string>();
  const room = useRef<HTMLDivElement>(null);
  const wasOpen = useRef<string | undefined>(undefined);
  const { act, refusal, busy } = useActing(props.onChanged);
  // The form is gone, and the keyboard goes on at the button that opened it.
  useLayoutEffect(() => {
    const at = items.findIndex((one) => keyOf(one) === wasOpen.current);
    if (open === undefined && at >= 0) room.current?.querySelectorAll<HTMLElement>('tbody button')[at]?.focus();
    wasOpen.current = open;
  }, [open]);
  const why = busy || props.isBusy ? 'One is being adopted.' : undefined;
  const adopt = (one: ReceivedPoint, typed: FormData): void => {
    setOpen(undefined);
    void act(async () => {
      const kit = typed.get('kit');
      const text = kit instanceof File && kit.size > 0 ? await kit.text() : undefined;
      const password = text === undefined ? `${typed.get('password') ?? ''}` : passwordOfKit(text);
      if (password === undefined) throw new Error('That file is no recovery kit. `ragwarden backup kit` prints one.');
      if (password === '')
        throw new Error('Choose the recovery kit of the sender, or type the password that stands in it.');
      await adoptReceived(one, password);
    });
  };
  return (
    <div ref={room}>
      <Refusal text={refusal} />
      <Table
        name="Points that others sent here, the newest first"
        rows={items}
        keyOf={keyOf}
        needs={32}
        atOnce={10}
        empty="Nobody sent a point here."
        columns={[
          {
            title: 'Point',
            cell: (one) => (
              <>
                {one.backup_id}
                <span class="rule-says faint">
                  {one.graph_id} from {one.sender}
                </span>
              </>
            ),
          },
          {
            title: 'Taken',
            cell: (one) => <Age at={one.taken_at} />,
            hint: (one) => (one.taken_at === null ? undefined : formatExact(Date.parse(one.taken_at))),
          },
          { title: 'Received', cell: (one) => <Age at={one.received_at} /> },
          {
            title: 'Size',
            kind: 'figure',
            cell: (one) => formatBytes(one.size_bytes),
            hint: (one) => `SHA-256 ${one.data_hash}`,
          },
          {
            title: 'Adopt',
            kind: 'actions',
            cell: (one) => (
              <Action
                label={open === keyOf(one) ? 'Leave it' : 'Adopt…'}
                about={`${open === keyOf(one) ? 'Leave it' : 'Adopt…'} ${one.backup_id} of ${one.sender}`}
                why={open === keyOf(one) ? undefined : why}
                onPress={() => setOpen(open === keyOf(one) ? undefined : keyOf(one))}
              />
            ),
          },
        ]}
        detail={(one) =>
          open === keyOf(one) ? (
            <AdoptForm of={one} why={why} onSend={(typed) => adopt(one, typed)} onLeave={() => setOpen(undefined)} />
          ) : null
        }
      />
    </div>
  );
}

function AdoptForm(props: {
  of: ReceivedPoint;
  why: string | undefined;
  onSend(typed: FormData): void;
  onLeave(): void;
}) {
  const { backup_id: id, sender } = props.of;
  return (
    <div class="point-detail">
      <p>
        For when {sender} is lost. {id} is opened with the password of the repository it came from, and copied into the
        repository here; it is then a recovery point like any other, and pinned. {sender} is not asked, and what was
        received stays.
      </p>
      <SecretForm name={`Adopt ${id}`} why={props.why} onSend={props.onSend} onLeave={props.onLeave}>
        <label>
          Recovery kit of the sender
          <input type="file" name="kit" accept=".txt,text/plain" />
        </label>
        <SecretField name="password" label="or the password in it" />
        <Action label="Adopt it" kind="danger" why={props.why} tellWhy />
      </SecretForm>
      <p class="faint">The kit is read in the browser. The password is used for this once, and kept nowhere.</p>
    </div>
  );
}

/** How the last one ended, and what to do with it. */
function Outcome({ of }: { of: Operation }) {
  if (of.state !== 'succeeded') return null;
  const adopted = of.result as Adopted; // of this kind, as the API's description has it
  return (
    <p role="status">
      {adopted.backup_id}, which {adopted.sender} sent, is a recovery point of this installation
      {adopted.already_there ? ', and was one before' : ' now'}. Next: <Sentence text={withMarks(adopted)} />
    </p>
  );
}

/** Where it is a bare command, it is shown as one. */
const withMarks = ({ next, restorable }: Adopted): string => (restorable ? `\`${next}\`` : next);
