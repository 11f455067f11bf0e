import type { KnownCommand } from './command-tree.ts';

const before = `# The command line

\`bin/ragwarden\` in a clone, \`ragwarden\` where it is installed. What follows the commands below is made from the program itself.

## How commands find ragwarden

Commands that ask a running ragwarden find it, in this order: by \`--data-dir\`, when it was typed; by \`RAGWARDEN_URL\` with \`RAGWARDEN_TOKEN\`; by the data folder of the settings. On the same machine and as the same user no token is needed.
\`up\`, \`serve\`, \`config\`, \`doctor\`, \`explain\` and \`completion\` need none that runs.

\`--data-dir\`, \`--config\`, \`--json\` and \`--quiet\` may also stand before the command.

## What is printed where

What was asked for goes to standard output, words about it to standard error. \`--json\` prints what the API returned. Colours are for terminals; \`NO_COLOR\` switches them off, \`FORCE_COLOR=1\` on. \`COLUMNS\` sets the width. In a locale without UTF-8 only ASCII is added.
Nothing asks where nobody can answer. A command that has \`--yes\` below deletes, replaces, ends or restarts something, and asks first; without a terminal it is refused (2) without \`--yes\`, before anything is done. Every other command acts at once, also \`repo prune\` and \`replicate prune\`, which free what nothing refers to any more, and \`cleanup run --plan ID\`, whose plan was shown.

\`--watch\` shows a thing again whenever it changes: on a terminal in place until Ctrl-C, in a pipe one block per change, with \`--json\` one document a line. It says when the server is lost and goes on when it is back.

## Exit codes

| code | means |
| --- | --- |
| 0 | well |
| 1 | failure |
| 2 | usage or configuration |
| 3 | partial: done, with something missing that is named |
| 4 | a check failed |
| 10 | no such thing |
| 11 | locked or busy |
| 12 | bad key or password |
| 13 | the server cannot be reached |
| 130 | interrupted |

\`doctor --nagios\` alone speaks the language of monitoring plugins: 0 well, 1 a warning, 2 a failure. [Error codes](errors.md) tells the exit code of each error.

## Completion

\`\`\`sh
ragwarden completion bash > /etc/bash_completion.d/ragwarden          # or: source <(ragwarden completion bash)
ragwarden completion zsh > "\${fpath[1]}/_ragwarden"
ragwarden completion fish > ~/.config/fish/completions/ragwarden.fish
\`\`\`

Make the file anew after an update. Ids of points, targets, operations and tokens are asked of the running ragwarden at the moment of completing, within a second.

## Commands
`;

/** Everything that can be typed, as Markdown; `docs/cli.md` is this text, which a test holds. */
export function commandReference(tree: readonly KnownCommand[]): string {
  const lines = tree
    .filter((one) => one.path !== '' && one.commands.length === 0)
    .flatMap((one) => [
      '',
      `### ${one.path}`,
      '',
      `\`ragwarden ${[one.path, ...one.arguments.map(({ name }) => name)].join(' ')}\``,
      '',
      `${one.about[0]?.toUpperCase()}${one.about.slice(1)}.`,
      ...(one.options.length === 0 ? [] : ['', '| option | |', '| --- | --- |']),
      ...one.options
        .filter(({ hidden, names }) => !hidden && !names.includes('--help'))
        .map(({ flags, about }) => `| \`${flags}\` | ${about.replaceAll('|', '\\|')} |`),
    ]);
  return `${before}${lines.join('\n')}\n`;
}
