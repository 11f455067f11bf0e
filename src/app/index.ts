/** The composition root and the life of the whole. Reached by main and by the embedded library only. */
export { createWarden, type StartedWarden, type Warden, type WardenOptions } from './warden.ts';
