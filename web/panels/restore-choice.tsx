import type { PointContents } from '../api/recovery-wire.ts';
import { Trouble } from '../parts/text.tsx';
import type { Asked } from '../state/asked.ts';
import {
  componentsOf,
  type Place,
  placeOf,
  type RestoreChoice,
  toggleComponent,
  withPlace,
  withWorkspace,
} from '../state/restore-choice.ts';

type Props = {
  readonly contents: Asked<PointContents>;
  readonly choice: RestoreChoice;
  onChange(choice: RestoreChoice): void;
};

/** What goes back, and where to. */
export function Choice({ contents, choice, onChange }: Props) {
  const components = contents.value?.components ?? [];
  const workspaces = contents.value?.workspaces ?? [];
  const chosen = componentsOf(choice);
  const place = placeOf(choice);
  const onPlace = (to: Place) => () => onChange(withPlace(choice, to));
  const noName = choice.workspace === undefined ? 'Choose one workspace first.' : undefined;
  return (
    <div class="choice">
      {contents.problem !== undefined && <Trouble text={contents.problem} />}
      <fieldset>
        <legend>What goes back</legend>
        <Radio
          name="restore-what"
          label="All of the point"
          checked={chosen === undefined}
          onChoose={() => onChange({ ...choice, only: undefined })}
        />
        <Radio
          name="restore-what"
          label="Some components"
          checked={chosen !== undefined}
          onChoose={() => onChange({ ...choice, only: '' })}
        />
        {chosen !== undefined && (
          <div class="choice-more">
            {components.map((one) => (
              <label key={one.name} class="tick-box">
                <input
                  type="checkbox"
                  checked={chosen.includes(one.name)}
                  onChange={() => onChange(toggleComponent(choice, one.name))}
                />
                <span>
                  {one.name} <span class="faint">{one.kind}</span>
                  {one.by_hand !== null && place !== 'beside' && (
                    <span class="why">not in place: {one.by_hand}; only beside the live data</span>
                  )}
                </span>
              </label>
            ))}
          </div>
        )}
        <label class="choice-line">
          of
          <select
            aria-label="Workspace"
            value={choice.workspace === undefined ? 'all' : `=${choice.workspace}`}
            onChange={(event) => {
              const { value } = event.currentTarget;
              onChange(withWorkspace(choice, value === 'all' ? undefined : value.slice(1)));
            }}
          >
            <option value="all">all workspaces</option>
            {workspaces.map((name) => (
              <option key={name} value={`=${name}`}>
                {name === '' ? 'the unnamed workspace only' : `workspace ${name} only`}
              </option>
            ))}
          </select>
        </label>
      </fieldset>
      <fieldset>
        <legend>Where to</legend>
        <Radio
          name="restore-place"
          label="In place of the live data"
          checked={place === 'live'}
          onChoose={onPlace('live')}
        />
        <Radio
          name="restore-place"
          label="Under another name, next to the live workspace"
          checked={place === 'as'}
          why={noName}
          onChoose={onPlace('as')}
        />
        {place === 'as' && (
          <Line label="Name of the new workspace" value={choice.as} onSay={(as) => onChange({ ...choice, as })} />
        )}
        <Radio
          name="restore-place"
          label="Beside the live data, which stays as it is"
          checked={place === 'beside'}
          onChoose={onPlace('beside')}
        />
        {place === 'beside' && (
          <>
            <Line
              label="Folder for files, new or empty, below backup.allowed_roots"
              value={choice.folder}
              onSay={(folder) => onChange({ ...choice, folder })}
            />
            {components.some((one) => ['postgres', 'redis', 'qdrant', 'sqlite'].includes(one.kind)) && (
              <Line
                label="Name of a new place for databases"
                value={choice.name}
                onSay={(name) => onChange({ ...choice, name })}
              />
            )}
          </>
        )}
      </fieldset>
    </div>
  );
}

function Radio(props: { name: string; label: string; checked: boolean; why?: string | undefined; onChoose(): void }) {
  return (
    <label class="tick-box">
      <input
        type="radio"
        name={props.name}
        checked={props.checked}
        disabled={props.why !== undefined}
        title={props.why}
        onChange={props.onChoose}
      />
      <span>
        {props.label}
        {props.why !== undefined && <span class="why">{props.why}</span>}
      </span>
    </label>
  );
}

/** Said when it is left or Enter is pressed: a plan for each letter would be asked for in vain. */
function Line(props: { label: string; value: string | undefined; onSay(value: string): void }) {
  return (
    <label class="choice-line is-text">
      {props.label}
      <input
        value={props.value ?? ''}
        autocomplete="off"
        autocapitalize="none"
        spellcheck={false}
        onChange={(event) => props.onSay(event.currentTarget.value.trim())}
      />
    </label>
  );
}
