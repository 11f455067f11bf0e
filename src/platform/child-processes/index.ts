/**
 * Child processes: started here and nowhere else, ended with us, known again by the next start when we were killed.
 */
export type { ChildResult, ChildSpec } from './child.ts';
export { type ChildProcesses, createChildProcesses, type PipeResult, type RunningChild } from './child-processes.ts';
export type { ChildRecord } from './child-record.ts';
export { findProgram, systemSearchPath } from './find-program.ts';
export { programOf, runningProcess, seenOrHidden } from './proc.ts';
