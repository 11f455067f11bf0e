import { AppError } from '../../platform/errors.ts';

/** One workspace of a target under the name that the per-graph routes have for it. */
export type Graph = {
  /** The target for its unnamed or only workspace, `target:workspace` for any other. */
  readonly id: string;
  readonly targetId: string;
  readonly workspace: string;
};

export const graphsOf = (targetId: string, workspaces: readonly string[]): Graph[] =>
  workspaces.map((workspace) => ({
    id: workspace === '' || workspaces.length === 1 ? targetId : `${targetId}:${workspace}`,
    targetId,
    workspace,
  }));

const graphShape = /^([a-z0-9][a-z0-9-]{0,62})(?::([A-Za-z0-9_]{0,64}))?$/;

/**
 * What an id means: `target` alone is the only workspace, or the unnamed one. It comes from outside; what has another shape
 * reaches neither a path nor a program.
 * @returns undefined where no graph can have this id; `workspace` undefined where none was named
 */
export function readGraphId(id: string): { targetId: string; workspace: string | undefined } | undefined {
  const [, targetId, workspace] = graphShape.exec(id) ?? [];
  return targetId === undefined ? undefined : { targetId, workspace };
}

/** @throws AppError `target/unknown` */
export function requireGraph(id: string, known: (targetId: string) => readonly string[] | undefined): Graph {
  const read = readGraphId(id);
  const workspaces = read && known(read.targetId);
  const found =
    read &&
    workspaces &&
    graphsOf(read.targetId, workspaces).find((graph) =>
      read.workspace === undefined ? graph.id === read.targetId : graph.workspace === read.workspace,
    );
  if (found) return found;
  const offered = read && workspaces ? graphsOf(read.targetId, workspaces).map((graph) => graph.id) : [];
  throw new AppError(
    'target/unknown',
    `There is no such graph. ${offered.length > 0 ? `Of ${read?.targetId} there ${offered.length === 1 ? 'is' : 'are'} ${offered.slice(0, 20).join(', ')}.` : 'A graph is called TARGET, or TARGET:WORKSPACE.'}`,
  );
}
