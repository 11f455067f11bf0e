/**
 * Record-aware snapshots: LightRAG rewrites whole files, so a file is cut at its records into shards that stay what they are, and a
 * small frame that says their order. Owns the folder `unfolded/` of a staging tree. Invariants: a file counts as unfolded only after
 * its fold gave the digest it was captured with; a shard is never changed; the frame is replaced last.
 * The format is docs/formats/unfold.md; what reads it is `fold.mjs`, which every point carries.
 */
export { formOf } from './cutter.ts';
export { foldProgram, foldProgramName } from './fold-program.ts';
export { type FoldedTree, foldRestored } from './fold-restored.ts';
export type { UnfoldedEntry } from './unfold-tree.ts';
export { createUnfolder, type Unfolder } from './unfolder.ts';
