import { join } from 'node:path';
import type { RecoveryPoint } from '../backup/index.ts';
import { rehearsedFolder } from '../backup/index.ts';
import type { DrillDeps } from './drill-deps.ts';

export type CheckCommandResult = {
  readonly exitCode: number | null;
  readonly ms: number;
  /** One sentence; null: it was satisfied. */
  readonly problem: string | null;
};

/** What a person can read of a long output. */
const toldCharacters = 300;

/**
 * Lets the operator's own program look at the restored copy: any exit code but 0 fails the drill. It gets the folder of the restored
 * components as its last argument and in RAGWARDEN_DRILL_FOLDER, the restored workspace in RAGWARDEN_DRILL_WORKSPACE, the point in
 * RAGWARDEN_DRILL_POINT, and works in the scratch folder, which is removed afterwards.
 * @throws the signal's reason; AppError `child/missing-program`, `child/failed`
 */
export async function runCheckCommand(
  deps: Pick<DrillDeps, 'children' | 'clock' | 'requireTarget'>,
  request: {
    command: readonly [string, ...string[]];
    scratchDir: string;
    point: Pick<RecoveryPoint, 'id' | 'targetId'>;
    drillId: string;
    signal: AbortSignal;
  },
): Promise<CheckCommandResult> {
  const { command, scratchDir, point } = request;
  const [program, ...args] = command;
  const folder = join(scratchDir, 'point', 'components');
  const beganMs = deps.clock.monotonic();
  const result = await deps.children.run({
    program,
    args: [...args, folder],
    cwd: scratchDir,
    env: {
      ...deps.requireTarget(point.targetId).checkEnvironment,
      RAGWARDEN_DRILL_FOLDER: folder,
      RAGWARDEN_DRILL_WORKSPACE: rehearsedFolder(scratchDir, 'workspace'),
      RAGWARDEN_DRILL_POINT: point.id,
    },
    purpose: 'check of a restored copy',
    operationId: request.drillId,
    signal: request.signal,
    maxOutputBytes: 65_536,
  });
  const said = lastLineOf(result.stderr) ?? lastLineOf(result.stdout);
  return {
    exitCode: result.exitCode,
    ms: deps.clock.monotonic() - beganMs,
    problem:
      result.exitCode === 0
        ? null
        : `the check command ended with ${result.exitCode ?? result.signal}${said === undefined ? '' : `: ${said}`}`,
  };
}

const lastLineOf = (text: string): string | undefined =>
  text
    .split('\n')
    .map((line) => line.trim())
    .findLast((line) => line !== '')
    ?.slice(0, toldCharacters);
