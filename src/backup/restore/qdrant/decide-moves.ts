import { inPayload } from '../../sources/qdrant/lightrag-collections.ts';
import type { CapturedCollection, QdrantDetails } from '../../sources/qdrant/qdrant-details.ts';
import type { RestoreScope } from '../restorer.ts';

/**
 * How one collection goes back.
 * - `new`: there is none; the snapshot makes it, and what in it belongs to other workspaces is taken out again
 * - `whole`: it and the snapshot hold nothing but what goes back; the snapshot replaces it
 * - `points`: it is shared with others; the points of the workspaces that go back are exchanged, and no other is touched
 * - `beside`: it becomes a collection of another name
 */
export type CollectionMethod = 'new' | 'whole' | 'points' | 'beside';

export type CollectionMove = {
  readonly captured: CapturedCollection;
  /** The collection that it becomes. */
  readonly collection: string;
  readonly method: CollectionMethod;
  /** Workspaces that go back and what they are called then, as the payload names them; undefined: all points. */
  readonly workspaces: ReadonlyMap<string, string> | undefined;
};

/** Points of a living collection: in all, and of the workspaces that are replaced. */
export type Living = { readonly points: number; readonly replaced: number };

/** Which workspaces go back, by the name in the point. */
export function decideWorkspaces(
  { store, workspaces }: CapturedCollection,
  scope: RestoreScope,
  named: (workspace: string) => string,
): ReadonlyMap<string, string> | undefined {
  // What the settings name is not told apart.
  if (store === null) return undefined;
  if (scope.workspace === undefined) return new Map(Object.keys(workspaces).map((workspace) => [workspace, workspace]));
  const from = inPayload(named(scope.workspace));
  return new Map([[from, scope.asWorkspace === undefined ? from : inPayload(named(scope.asWorkspace))]]);
}

/** @param living undefined: there is no such collection now */
export function decideMove(
  captured: CapturedCollection,
  scope: RestoreScope,
  workspaces: ReadonlyMap<string, string> | undefined,
  living: Living | undefined,
): CollectionMove {
  if (scope.aside !== undefined)
    return { captured, collection: asideName(captured.name, scope.aside), method: 'beside', workspaces };
  const renames = [...(workspaces ?? [])].some(([from, to]) => from !== to);
  const others =
    workspaces === undefined
      ? 0
      : captured.points - [...workspaces.keys()].reduce((sum, name) => sum + (captured.workspaces[name] ?? 0), 0);
  const method =
    living === undefined
      ? renames
        ? 'points'
        : 'new'
      : workspaces === undefined || (!renames && others === 0 && living.points === living.replaced)
        ? 'whole'
        : 'points';
  return { captured, collection: captured.name, method, workspaces };
}

export const asideName = (collection: string, aside: string): string => `${collection}_${aside}`;

export const asideProblem = (aside: string | undefined): string | undefined =>
  aside === undefined || /^[A-Za-z0-9_]{1,60}$/.test(aside)
    ? undefined
    : 'a place beside the living collections is an ending of their names: letters, digits and underscores';

/** Why a workspace cannot go back so; undefined: it can. */
export function scopeProblem(details: QdrantDetails, scope: RestoreScope): string | undefined {
  const whole = details.collections.filter(({ store }) => store === null).map(({ name }) => name);
  return scope.workspace !== undefined && whole.length > 0
    ? `${whole.join(', ')} ${whole.length === 1 ? 'is' : 'are'} not told apart by workspace`
    : undefined;
}

/** As the settings' own documentation has it: a snapshot is taken in by its own minor version and the next one. */
export function judgeVersions(server: string, point: string): { readonly blocker?: string; readonly warning?: string } {
  const [there, then] = [server, point].map((version) => version.split('.').map(Number));
  const [major = 0, minor = 0] = there ?? [];
  const [pointMajor = 0, pointMinor = 0] = then ?? [];
  if (major < pointMajor || (major === pointMajor && minor < pointMinor))
    return {
      blocker: `it is a Qdrant ${server}, and the snapshots are of ${point}: an older server does not read them`,
    };
  if (major > pointMajor || minor > pointMinor + 1)
    return {
      warning: `it is a Qdrant ${server}, and the snapshots are of ${point}: only the same and the next minor version are said to read them; one that refuses does so before anything living is touched`,
    };
  return {};
}
