/**
 * What of a point goes back and where to, as it stands in the address. What is there and empty was chosen and not yet said; only the
 * unnamed workspace is empty and said.
 */
export type RestoreChoice = {
  /** Names of components, separated by commas; absent: all. */
  readonly only?: string | undefined;
  /** Absent: all of them. */
  readonly workspace?: string | undefined;
  /** Another name for it. */
  readonly as?: string | undefined;
  /** Beside the live data: for files. */
  readonly folder?: string | undefined;
  /** Beside the live data: for databases. */
  readonly name?: string | undefined;
};

export const choiceNames = ['only', 'workspace', 'as', 'folder', 'name'] as const;

export type Place = 'live' | 'as' | 'beside';

export const placeOf = (choice: RestoreChoice): Place =>
  choice.folder !== undefined || choice.name !== undefined ? 'beside' : choice.as !== undefined ? 'as' : 'live';

/** The same choice for another place; what belongs to the place before is dropped. */
export function withPlace(choice: RestoreChoice, place: Place): RestoreChoice {
  const what = { only: choice.only, workspace: choice.workspace };
  return place === 'live' ? what : place === 'as' ? { ...what, as: '' } : { ...what, folder: '', name: '' };
}

/** Another name needs one workspace that gets it. */
export const withWorkspace = (choice: RestoreChoice, workspace: string | undefined): RestoreChoice => ({
  ...choice,
  workspace,
  as: workspace === undefined ? undefined : choice.as,
});

export const componentsOf = (choice: RestoreChoice): readonly string[] | undefined =>
  choice.only?.split(',').filter((name) => name !== '');

export function toggleComponent(choice: RestoreChoice, name: string): RestoreChoice {
  const chosen = componentsOf(choice) ?? [];
  const next = chosen.includes(name) ? chosen.filter((one) => one !== name) : [...chosen, name];
  return { ...choice, only: next.join(',') };
}

/** Why there is no plan to ask for yet; undefined when there is. */
export function whyNoPlan(choice: RestoreChoice): string | undefined {
  if (componentsOf(choice)?.length === 0) return 'Choose at least one component.';
  if (choice.as === '') return 'Say under which name the workspace goes back.';
  if (placeOf(choice) === 'beside' && !choice.folder && !choice.name) return 'Say where it goes.';
  return undefined;
}

/** The body of `POST /api/v1/backup/restore/{id}` for it; nothing is sent that was not chosen. */
export type RestoreRequest = {
  components?: readonly string[];
  workspace?: string;
  as_workspace?: string;
  to?: { folder?: string; name?: string };
};

export function requestOf(choice: RestoreChoice): RestoreRequest {
  const components = componentsOf(choice);
  return {
    ...(components === undefined ? {} : { components }),
    ...(choice.workspace === undefined ? {} : { workspace: choice.workspace }),
    ...(choice.as ? { as_workspace: choice.as } : {}),
    ...(placeOf(choice) === 'beside'
      ? { to: { ...(choice.folder ? { folder: choice.folder } : {}), ...(choice.name ? { name: choice.name } : {}) } }
      : {}),
  };
}
