import { expect, test } from 'vitest';
import { runInPipe } from './test-terminal.ts';

const unused = async (): Promise<never> => {
  throw new Error('not asked for here');
};
const offline = (faults: readonly string[], asked: string[] = []) => ({
  createWarden: unused,
  createGatewayAlone: unused,
  keepAdminToken: unused,
  localTokenFile: unused,
  recoveryKit: unused,
  rebuildCatalogue: unused,
  lookAtStores: unused,
  recover: async () => {
    throw new Error('nothing is recovered here');
  },
  async foldRestored(folder: string) {
    asked.push(folder);
    return { folded: 1, checked: 2, faults };
  },
});

test('folds the folder it is told, and says how much', async () => {
  const asked: string[] = [];
  const told = await runInPipe(['fold', 'restored'], { cwd: '/srv', offline: offline([], asked) });
  expect(told).toEqual({ code: 0, stdout: '1 file folded, 2 others as captured, 0 failed.\n', stderr: '' });
  expect(asked).toEqual(['/srv/restored']);
});

test('names what is not as it was captured, and ends with 4', async () => {
  const faults = ['workspace: a.json: it is not what was captured'];
  expect(await runInPipe(['fold', '/x', '--quiet'], { offline: offline(faults) })).toEqual({
    code: 4,
    stdout: '',
    stderr: `${faults[0]}\n`,
  });
  const { code, stdout } = await runInPipe(['fold', '/x', '--json'], { offline: offline(faults) });
  expect([code, JSON.parse(stdout)]).toEqual([4, { folded: 1, checked: 2, faults }]);
});
