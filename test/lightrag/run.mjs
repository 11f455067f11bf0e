// `npm run test:lightrag`: installs a real LightRAG from PyPI below .cache/ and holds the built product against it.
// Where Python or PyPI cannot be had it says so and ends well; with CI=true that is a failure.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const here = import.meta.dirname;
const cache = resolve(here, '../../.cache');
const home = join(cache, 'lightrag');
const tokens = join(cache, 'tiktoken');
/** SHA-1 of where tiktoken loads its tables from, which is how it calls them in its cache. */
const tables = ['fb374d419588a4632f3f557e76b4b70aebbca790', '9b5ad71b2ce5302211f9c61530b329a4922fc6a4'];
/** The wheel of this package carries both files. */
const carrier = 'litellm==1.109.1';
const takeTables = `import glob, sys, zipfile
with zipfile.ZipFile(glob.glob(sys.argv[1] + '/litellm-*.whl')[0]) as wheel:
    for name in wheel.namelist():
        if '/tokenizers/' in name and name.rsplit('/', 1)[-1] in sys.argv[3:]:
            open(sys.argv[2] + '/' + name.rsplit('/', 1)[-1], 'wb').write(wheel.read(name))
`;

const { values } = parseArgs({ options: { only: { type: 'string' }, server: { type: 'string' } } });
const scripts = { gateway: 'through-the-gateway.mjs', watch: 'watch-and-restore.mjs', tune: 'tune.mjs' };
if (values.only !== undefined && !(values.only in scripts)) {
  console.error('usage: npm run test:lightrag -- [--only gateway|watch|tune] [--server path of lightrag-server]');
  process.exit(2);
}

const run = (program, args, env = process.env, quiet = false) =>
  new Promise((done) => {
    const child = spawn(program, args, { env, stdio: quiet ? 'ignore' : ['ignore', 'inherit', 'inherit'] });
    child.once('error', () => done(127));
    child.once('close', (code) => done(code ?? 1));
  });

function giveUp(why) {
  console.error(`SKIPPED: nothing was held against a real LightRAG: ${why}`);
  process.exit(process.env.CI === 'true' ? 1 : 0);
}

async function findPython() {
  for (const name of ['python3', 'python3.13', 'python3.12', 'python3.11'])
    if ((await run(name, ['-c', 'import sys, venv; sys.exit(sys.version_info < (3, 11))'], process.env, true)) === 0)
      return name;
  return giveUp('Python 3.11 or newer with venv is not here.');
}

/** Once for each state of requirements.txt. */
async function install() {
  const requirements = join(here, 'requirements.txt');
  const digest = createHash('sha256').update(readFileSync(requirements)).digest('hex');
  const stamp = join(home, 'installed');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return;
  const python = await findPython();
  console.error('LightRAG is installed below .cache/lightrag; about 0.8 GB, once.');
  if ((await run(python, ['-m', 'venv', home])) !== 0) giveUp('a virtual environment could not be made.');
  const pip = ['-m', 'pip', '--disable-pip-version-check', 'install', '--quiet', '-r', requirements];
  if ((await run(join(home, 'bin/python'), pip)) !== 0) giveUp('its packages could not be had from PyPI.');
  writeFileSync(stamp, digest);
}

/** LightRAG counts tokens by tables that it would load from the network at each start. */
async function fetchTables() {
  const missing = () => tables.filter((name) => !existsSync(join(tokens, name)));
  if (missing().length === 0) return;
  mkdirSync(tokens, { recursive: true });
  const python = join(home, 'bin/python');
  const wheels = join(cache, 'wheels');
  await run(python, ['-m', 'pip', 'download', '--quiet', '--no-deps', '--dest', wheels, carrier]);
  await run(python, ['-c', takeTables, wheels, tokens, ...tables]);
  if (missing().length > 0) giveUp('the tables of its tokens could not be had.');
}

if (values.server === undefined) {
  await install();
  await fetchTables();
}
const server = values.server ?? join(home, 'bin/lightrag-server');
const env = { ...process.env, TIKTOKEN_CACHE_DIR: process.env.TIKTOKEN_CACHE_DIR ?? tokens };
let code = 0;
for (const name of values.only === undefined ? Object.keys(scripts) : [values.only]) {
  console.log(`== ${scripts[name]}`);
  if ((await run(process.execPath, [join(here, scripts[name]), '--server', server], env)) !== 0) code = 1;
}
process.exit(code);
