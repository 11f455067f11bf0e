import { readProjectLayout, type WatchedTarget } from '../targets/index.ts';

/** The settings of a GraphRAG project; undefined for other kinds, and where none can be read. */
export function settingsFileOf({ target }: Pick<WatchedTarget, 'target'>): string | undefined {
  const project = target.stores.find(({ kind }) => kind === 'project-folder');
  return project && readProjectLayout(project.path).settingsFile;
}
