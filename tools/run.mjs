// First word of every npm script: finds or brings Node.js 24, installs, builds, then does what was asked.
// This file, node-runtime.mjs and child.mjs run on Node.js 18; everything else is imported under Node.js 24.
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './child.mjs';
import { requireNode, withNodeFirst } from './node-runtime.mjs';

const self = fileURLToPath(import.meta.url);
const root = path.dirname(path.dirname(self));
const say = (line) => process.stderr.write(`ragwarden: ${line}\n`);
const COMMANDS = ['start', 'test', 'check', 'build', 'pack', 'bench', 'demo', 'lightrag', 'exec'];

async function main([command, ...args]) {
  if (!COMMANDS.includes(command)) {
    say(`usage: node tools/run.mjs ${COMMANDS.join('|')} [arguments]`);
    return 2;
  }
  const node = await requireNode(root, say);
  if (node !== process.execPath) {
    return run(node, [self, command, ...args], {
      env: withNodeFirst(node, process.env),
      softStop: command === 'start',
    });
  }
  const { commands } = await import('./commands.mjs');
  return commands[command]({ root, say, args });
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  say(error.message);
  process.exitCode = 1;
}
