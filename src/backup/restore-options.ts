import { AppError } from '../platform/errors.ts';
import { requireWorkspaceName } from '../targets/index.ts';
import type { Manifest } from './manifest.ts';

/** What of a point goes back, and where to. Nothing said: all of it, in place. */
export type RestoreOptions = {
  /** Only these components. */
  readonly components?: readonly string[] | undefined;
  /** Only what belongs to this workspace; the unnamed one is ''. */
  readonly workspace?: string | undefined;
  /** Under this name instead, beside the one it has. */
  readonly asWorkspace?: string | undefined;
  /** Beside the live data: a folder for files, a name for what is no folder. Nothing live is touched, nothing is stopped. */
  readonly to?: { readonly folder?: string | undefined; readonly name?: string | undefined } | undefined;
};

export const isAside = (options: RestoreOptions): boolean => options.to !== undefined;

/**
 * The options as they are meant for this point. @throws AppError `restore/invalid-options`, `target/unknown`
 */
export function settleOptions(options: RestoreOptions, manifest: Manifest): RestoreOptions {
  const names = manifest.components.map((one) => one.name);
  for (const name of options.components ?? [])
    if (!names.includes(name)) throw invalid(`The point holds no component "${name}". It holds: ${names.join(', ')}.`);
  if (options.components?.length === 0) throw invalid('Name at least one component, or none to restore all of them.');
  // A point of one workspace never turns back another.
  const workspace = options.workspace ?? manifest.workspace;
  if (workspace !== undefined) requireWorkspaceName(workspace);
  if (manifest.workspace !== undefined && workspace !== manifest.workspace)
    throw invalid(`The point holds the workspace "${manifest.workspace}" alone.`);
  if (options.asWorkspace !== undefined) {
    if (workspace === undefined)
      throw invalid('A workspace can be restored under another name only when it is said which one (workspace).');
    if (requireWorkspaceName(options.asWorkspace) === '')
      throw invalid('The other name of a workspace (as_workspace) cannot be empty.');
  }
  if (options.to && options.to.folder === undefined && options.to.name === undefined)
    throw invalid('A restore beside the live data needs a place: to.folder for files, to.name for databases.');
  return { ...options, workspace, asWorkspace: options.asWorkspace === workspace ? undefined : options.asWorkspace };
}

const invalid = (detail: string): AppError => new AppError('restore/invalid-options', detail);
