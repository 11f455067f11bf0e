import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { damage, type WorkspaceFault, workspaceFaults } from './generate-faults.ts';
import { writeWorkspaceFiles } from './generate-files.ts';
import { planWorkspace, type WorkspaceSize, workspaceSizes } from './generate-plan.ts';
import type { Shape } from './store/rows.ts';
import { workspaceFolder } from './store/workspace.ts';

export { type WorkspaceFault, type WorkspaceSize, workspaceFaults, workspaceSizes };

export type GenerateOptions = {
  /** The working folder (LightRAG's `WORKING_DIR`), made when missing. */
  readonly dir: string;
  /** The input folder (`INPUT_DIR`), made when missing. */
  readonly inputDir: string;
  /** `tiny`: below 50 KB; `small`: about 5 MB; `medium`: about 150 MB; `large`: about 400 MB. */
  readonly size: WorkspaceSize;
  /** The same seed gives the same bytes, instants included. */
  readonly seed: number;
  readonly shape: Shape;
  /** Sub-folder of both folders; empty or unset: the files lie in the folders themselves. */
  readonly workspace?: string;
  readonly faults?: readonly WorkspaceFault[];
};

export type GeneratedWorkspace = {
  /** Where the store files are. */
  readonly folder: string;
  readonly inputFolder: string;
  readonly documents: number;
  readonly chunks: number;
  readonly entities: number;
  readonly relations: number;
  readonly dimension: number;
};

/** Writes the files of a workspace as a real server would have left them. Memory stays bounded at every size. */
export async function generateWorkspace(options: GenerateOptions): Promise<GeneratedWorkspace> {
  const folder = workspaceFolder(options.dir, options.workspace ?? '');
  const inputFolder = workspaceFolder(options.inputDir, options.workspace ?? '');
  const archive = join(inputFolder, options.shape === '1.5' ? '__parsed__' : '__enqueued__');
  mkdirSync(folder, { recursive: true });
  mkdirSync(archive, { recursive: true });
  const faults = new Set(options.faults ?? []);
  const plan = planWorkspace(options.size, options.seed, options.shape, faults);
  await writeWorkspaceFiles(plan, folder, archive, inputFolder, faults);
  await damage(folder, faults, plan.endSeconds);
  return {
    folder,
    inputFolder,
    documents: plan.documents.length,
    chunks: plan.documents.reduce((sum, { chunkIds }) => sum + chunkIds.length, 0),
    entities: plan.nodes.size,
    relations: plan.edges.size,
    dimension: plan.dimension,
  };
}
