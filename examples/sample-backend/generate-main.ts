// Writes a sample workspace: folders, size, seed and what should be wrong with it come from the command line.
import { parseArgs } from 'node:util';
import { type GenerateOptions, generateWorkspace, workspaceFaults, workspaceSizes } from './generate.ts';

const usage = `node examples/sample-backend/generate-main.ts --dir DIR --input-dir DIR
  [--size ${workspaceSizes.join('|')}] [--seed 1] [--shape 1.5|1.4] [--workspace NAME]
  [--faults NAME,...]   ${workspaceFaults.join(', ')}`;

function readArguments(argv: readonly string[]): GenerateOptions {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...argv],
    options: {
      dir: text,
      'input-dir': text,
      size: { ...text, default: 'tiny' },
      seed: { ...text, default: '1' },
      shape: { ...text, default: '1.5' },
      workspace: { ...text, default: '' },
      faults: { ...text, default: '' },
    },
  });
  const oneOf = <Choice extends string>(name: string, choices: readonly Choice[], value: string): Choice => {
    const found = choices.find((choice) => choice === value);
    if (found === undefined) throw new Error(`--${name} is one of ${choices.join(', ')}, not ${value}`);
    return found;
  };
  if (values.dir === undefined || values['input-dir'] === undefined)
    throw new Error('--dir and --input-dir are needed');
  if (!/^\d{1,9}$/.test(values.seed)) throw new Error(`--seed is a whole number, not ${values.seed}`);
  if (!/^[A-Za-z0-9_]*$/.test(values.workspace)) throw new Error('--workspace has letters, digits and _ only');
  return {
    dir: values.dir,
    inputDir: values['input-dir'],
    size: oneOf('size', workspaceSizes, values.size),
    seed: Number(values.seed),
    shape: oneOf('shape', ['1.5', '1.4'], values.shape),
    workspace: values.workspace,
    faults: values.faults
      .split(',')
      .filter((name) => name !== '')
      .map((name) => oneOf('faults', workspaceFaults, name)),
  };
}

try {
  const generated = await generateWorkspace(readArguments(process.argv.slice(2)));
  process.stdout.write(`${JSON.stringify(generated)}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}\n`);
  process.exitCode = 2;
}
