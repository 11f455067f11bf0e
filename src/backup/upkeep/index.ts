/**
 * What a repository needs beside new points: forgetting, pruning, checking, unlocking. Each is an operation of its own with its own
 * last success and failure (settings `upkeep.<kind>`), and each rings by itself when its last success is too old: a repository
 * whose retention stands still looks as healthy as any other.
 * Invariants: the manifest goes first; what is pinned stays, and so does the newest good point; what does not carry the tags of a
 * target is not touched; a lock goes only when its holder is proved to be dead.
 */
export type { ForgetResult } from './forget.ts';
export { createUpkeep, lockBody, type Upkeep } from './upkeep.ts';
export { type UpkeepKind, type UpkeepPolicy, type UpkeepState, upkeepKinds, upkeepWarnings } from './upkeep-record.ts';
