/**
 * Brings staged folders into the place of live ones: planned, checked, moved under one journal, undone or kept.
 *
 * `openStage` → fill → `requirePlain` → `dressStaged` → `checkStaged` → `swapIn` → `verifyRestored` → `finishSwap` or `undoSwap`; at every
 * start `settleJournals` over all folders of a target; later `listUndo` and `discardUndo`.
 * Invariants: a root is never renamed itself; nothing of the old state is deleted before `discardUndo`; after any kill
 * all roots of a restore hold the old state or all hold the new one (the states stand in `journal.ts`).
 */
export { type CheckOptions, checkStaged, requirePlain, requireSafeEntries, verifyRestored } from './check.ts';
export { flush, flushTree } from './durable.ts';
export type { Journal, JournalState } from './journal.ts';
export type { Step } from './layout.ts';
export type { Guard } from './moves.ts';
export { removeOutside } from './outside.ts';
export { type FolderSurvey, incomingOf, type KeptName, type PlanItem, planSwap, type SwapPlan } from './plan.ts';
export { type SettledSwap, type Settlement, type SettleOptions, settleJournals } from './settle.ts';
export { dressStaged, givePermissions, type Owner, openStage, ownerOf } from './stage.ts';
export { surveyFolder } from './survey.ts';
export { finishSwap, isSwapDone, type SwapOptions, type SwapRoot, swapIn, undoSwap } from './swap.ts';
export { discardUndo, listUndo, type UndoFolder } from './undo.ts';
