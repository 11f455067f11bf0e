/** The source of folders: capture by hard link or copy into a staging folder that persists, with a proof of what moved. */
export type { ValidateFile } from './capture-file.ts';
export {
  type Exclusion,
  lightragExclusions,
  otherWorkspaceExclusion,
} from './exclusions.ts';
export { createFilesSource, type FilesSourceOptions, lightragFirst } from './files-source.ts';
export type { Writer } from './proof.ts';
