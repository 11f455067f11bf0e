import type { Authentication } from './auth.ts';
import type { Faults } from './faults.ts';
import type { Pipeline } from './pipeline.ts';
import type { Shape } from './store/rows.ts';
import type { Workspace } from './store/workspace.ts';

/** What every group of routes is built from. */
export type Backend = {
  readonly version: string;
  readonly apiVersion: string;
  readonly shape: Shape;
  readonly workspaceName: string;
  readonly workingDir: string;
  readonly inputDir: string;
  readonly inputFolder: string;
  readonly workspace: Workspace;
  readonly pipeline: Pipeline;
  readonly authentication: Authentication;
  readonly faults: Faults;
};
