import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { installMissing, installPlan, isAtLeast, missingParts, SYSTEM_PARTS, whyUnusable } from './system-packages.mjs';

let folder;
let env;
const program = (name, script = '') => {
  writeFileSync(path.join(folder, name), `#!/bin/sh\n${script}\n`);
  chmodSync(path.join(folder, name), 0o755);
};
const part = (name) => SYSTEM_PARTS.find((each) => each.name === name);

beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'ragwarden-path-'));
  env = { PATH: folder };
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test.each([
  ['0.16.4', '0.14', true],
  ['0.14', '0.14', true],
  ['0.14.0', '0.14', true],
  ['0.9.6', '0.14', false],
  ['1.0', '0.14', true],
])('%s against %s', (version, minimum, enough) => {
  expect(isAtLeast(version, minimum)).toBe(enough);
});

test('finds restic missing, too old, silent and good', () => {
  expect(whyUnusable(part('restic'), env)).toBe('restic is missing');
  program('restic', 'echo restic 0.9.6 compiled with go1.15');
  expect(whyUnusable(part('restic'), env)).toBe('restic 0.9.6 is older than 0.14');
  program('restic', 'exit 1');
  expect(whyUnusable(part('restic'), env)).toBe('restic does not tell its version');
  program('restic', 'echo restic 0.16.4 compiled with go1.22');
  expect(whyUnusable(part('restic'), env)).toBeUndefined();
});

test('asks for every program of a part and takes any of its names', () => {
  program('promtool');
  expect(whyUnusable(part('prometheus'), env)).toBe('prometheus is incomplete: prometheus missing');
  program('google-chrome');
  expect(whyUnusable(part('chromium'), env)).toBeUndefined();
});

test('the product asks for restic alone', () => {
  expect(SYSTEM_PARTS.filter(({ neededBy }) => neededBy.includes('product')).map(({ name }) => name)).toEqual([
    'restic',
  ]);
  expect(missingParts('product', env).map(({ part: { name } }) => name)).toEqual(['restic']);
});

test('plans with the package manager that is there, with sudo unless root', () => {
  expect(installPlan([part('restic')], env, true)).toBeUndefined();
  program('dnf');
  expect(installPlan([part('restic'), part('prometheus')], env, true)?.command).toEqual([
    'dnf',
    'install',
    '-y',
    'restic',
    'golang-github-prometheus',
  ]);
  program('apt-get');
  expect(installPlan([part('restic')], env, false)).toMatchObject({
    typed: 'sudo apt-get install restic',
    needsSudo: true,
  });
  expect(installPlan([part('redis')], env, true)).toMatchObject({
    typed: 'apt-get install redis-server',
    needsSudo: false,
  });
});

test('installs nothing when told so, and says what would bring it', async () => {
  program('apt-get', `touch ${folder}/was-called`);
  const said = [];
  const left = await installMissing('product', (line) => said.push(line), { ...env, RAGWARDEN_NO_INSTALL: '1' });
  expect(left).toEqual([
    {
      name: 'restic',
      reason: expect.stringMatching(
        /^restic is missing \(not installed: RAGWARDEN_NO_INSTALL=1\); `.*apt-get install restic` brings it$/,
      ),
    },
  ]);
  expect(said).toEqual([]);
  expect(existsSync(path.join(folder, 'was-called'))).toBe(false);
});

test.runIf(process.getuid?.() === 0)('says what it does before, installs, and reports nothing left', async () => {
  const restic = path.join(folder, 'restic');
  program(
    'dnf',
    `echo '#!/bin/sh' > '${restic}'; echo 'echo restic 0.16.4' >> '${restic}'; /bin/chmod 755 '${restic}'`,
  );
  const said = [];
  expect(await installMissing('product', (line) => said.push(line), env)).toEqual([]);
  expect(said).toEqual([expect.stringContaining('restic is missing: installing with `dnf install -y restic`')]);
});

test('the apt script keeps services from starting and puts back the policy that was there', async () => {
  const policy = path.join(folder, 'policy-rc.d');
  writeFileSync(policy, 'mine');
  program(
    'apt-get',
    `/bin/cat ${policy} >> ${folder}/seen; echo "$@" >> ${folder}/calls; [ "$DEBIAN_FRONTEND" = noninteractive ]`,
  );
  const { command } = installPlan([part('restic')], env, true);
  const script = command[2].replaceAll('/usr/sbin/policy-rc.d', policy);
  const { run } = await import('./child.mjs');
  const code = await run('/bin/sh', ['-c', script, ...command.slice(3)], { env: { PATH: `${folder}:/usr/bin:/bin` } });
  expect(code).toBe(0);
  expect(readFileSync(`${folder}/seen`, 'utf8')).toBe('#!/bin/sh\nexit 101\n');
  expect(readFileSync(`${folder}/calls`, 'utf8')).toMatch(/install --no-install-recommends restic\n$/);
  expect(readFileSync(policy, 'utf8')).toBe('mine');
});
