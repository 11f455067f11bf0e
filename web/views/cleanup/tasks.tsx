import type { CleanupTask } from '../../api/cleanup-wire.ts';
import type { Page } from '../../api/wire.ts';
import { formatAhead, formatExact } from '../../format.ts';
import { Confirm } from '../../parts/confirm.tsx';
import { Refusal } from '../../parts/loaded.tsx';
import { Word } from '../../parts/mark.tsx';
import { Action, Age, Breakable, Fact, Trouble, Unknown } from '../../parts/text.tsx';
import { useActing } from '../../state/acting.ts';
import type { Followed } from '../../state/asked.ts';
import { nowMs } from '../../state/page-state.ts';
import { api, switches } from '../../state/session.ts';
import { findPartOff } from '../../state/switches.ts';
import { successOf, triggerOf } from './figures.ts';

/** What cleans up by itself, and the switch of each. */
export function TasksPanel(props: {
  asked: Followed<Page<CleanupTask> & { is_running: boolean }>;
  onChanged(): Promise<unknown>;
}) {
  const { value, problem } = props.asked;
  const { act, refusal, busy } = useActing(props.onChanged);
  const press = (task: CleanupTask, verb: string): void =>
    void act(() => api.post(`api/v1/metrics/cleanup/tasks/${encodeURIComponent(task.task_id)}/${verb}`));
  return (
    <section class="panel" aria-labelledby="tasks-title">
      <h2 id="tasks-title">Tasks</h2>
      <Refusal text={refusal} />
      <Trouble text={value === undefined ? undefined : problem} />
      {value?.is_running === false && (
        <p class="trouble">No task begins by itself now. {findPartOff('Cleanup', switches.value)}</p>
      )}
      {value === undefined ? (
        <p class={problem === undefined ? '' : 'empty'}>{problem ?? <Unknown />}</p>
      ) : value.items.length === 0 ? (
        <p class="empty">There is no task.</p>
      ) : (
        value.items.map((task) => <Task key={task.task_id} task={task} busy={busy} press={press} />)
      )}
    </section>
  );
}

function Task(props: { task: CleanupTask; busy: boolean; press(task: CleanupTask, verb: string): void }) {
  const { task, press } = props;
  const under = props.busy ? 'It is under way.' : undefined;
  return (
    <article class="cleanup-task" aria-label={task.name}>
      <header class="target-head">
        <h3 title={task.description}>{task.name}</h3>
        {task.is_running ? (
          <Word word="running" />
        ) : task.enabled ? (
          <Word word="passed" text="enabled" />
        ) : (
          <Word word="off" text="by hand only" />
        )}
        <Confirm
          label="Run now"
          about={`Run now: ${task.task_id}`}
          question={`What ${task.cleanup_type} finds goes at once, without a plan being shown.`}
          why={under ?? (task.allowed_actions.includes('run') ? undefined : 'It runs.')}
          onConfirm={() => press(task, 'run')}
        />
        {task.enabled ? (
          <Confirm
            label="Disable"
            about={`Disable ${task.task_id}`}
            question="It no longer begins by itself."
            why={under}
            onConfirm={() => press(task, 'disable')}
          />
        ) : (
          <Action label="Enable" about={`Enable ${task.task_id}`} why={under} onPress={() => press(task, 'enable')} />
        )}
      </header>
      <p class="faint">
        <code>{task.task_id}</code> · {task.cleanup_type} · priority {task.priority}
        {task.origin === 'file' && ' · from the settings file'}
      </p>
      <dl class="facts">
        <Fact name="Begins">
          <Breakable text={triggerOf(task)} />
        </Fact>
        <Fact name="Last run">
          <Age at={task.last_run} none="never" />
        </Fact>
        <Fact name="Next">
          {task.next_run === null ? (
            <span class="faint">{task.enabled && task.trigger_type !== 'manual' ? 'when it comes to it' : '–'}</span>
          ) : (
            <time dateTime={task.next_run} title={formatExact(Date.parse(task.next_run))}>
              {formatAhead(Date.parse(task.next_run), nowMs.value)}
            </time>
          )}
        </Fact>
        <Fact name="Success">{successOf(task)}</Fact>
      </dl>
    </article>
  );
}
