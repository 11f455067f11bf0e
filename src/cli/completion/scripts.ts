import type { KnownCommand, Values } from './command-tree.ts';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/** The whole script for one shell. Ids are not in it: it asks `ragwarden __complete` for them when they are wanted. */
export function completionScript(shell: Shell, tree: readonly KnownCommand[]): string {
  switch (shell) {
    case 'bash':
      return `# Completion of ragwarden for bash: source <(ragwarden completion bash)\n${tables(tree)}\n${bashDriver}`;
    case 'zsh':
      return `#compdef ragwarden\n# Completion of ragwarden for zsh: source <(ragwarden completion zsh)\n${tables(tree)}\n${zshDriver}`;
    case 'fish':
      return `# Completion of ragwarden for fish: ragwarden completion fish | source\n${fishTables(tree)}\n${fishDriver}`;
  }
}

/** A word of a shell. Nothing of it is expanded. */
const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** `folder`, `file`, `any`, `=info error` for fixed words, `?point` for what is asked for. */
const valueWord = (values: Values): string =>
  values.kind === 'words' ? `=${values.words.join(' ')}` : values.kind === 'dynamic' ? `?${values.name}` : values.kind;

/** Functions that answer in REPLY, in a syntax that bash 3.2 and zsh share. */
function tables(tree: readonly KnownCommand[]): string {
  const commands = tree
    .filter((one) => one.commands.length > 0)
    .map((one) => `    ${quote(one.path)}) REPLY=${quote(one.commands.map(({ name }) => name).join(' '))} ;;`);
  const options = tree.map(
    (one) =>
      `    ${quote(one.path)}) REPLY=${quote(one.options.flatMap(({ names, hidden }) => (hidden ? [] : names)).join(' '))} ;;`,
  );
  const optionValues = tree.flatMap((one) =>
    one.options.flatMap(({ names, values }) =>
      values === undefined
        ? []
        : [`    ${names.map((name) => quote(`${one.path} ${name}`)).join('|')}) REPLY=${quote(valueWord(values))} ;;`],
    ),
  );
  const argumentValues = tree.flatMap((one) =>
    one.arguments.map(
      ({ values }, index) => `    ${quote(`${one.path} ${index}`)}) REPLY=${quote(valueWord(values))} ;;`,
    ),
  );
  const table = (name: string, key: string, lines: readonly string[]): string =>
    [`_ragwarden_${name}() {`, `  case "${key}" in`, ...lines, `    *) REPLY='' ;;`, '  esac', '}'].join('\n');
  return [
    table('commands', '$1', commands),
    table('options', '$1', options),
    table('option_values', '$1 $2', optionValues),
    table('argument_values', '$1 $2', argumentValues),
    walker,
  ].join('\n');
}

/**
 * Reads the words before the one that is being typed. Leaves the command in RW_PATH, what is wanted in RW_WANT (a word of
 * the tables, or `word` for commands and options), and the typed --data-dir and --config in RW_WHERE.
 */
const walker = `_ragwarden_walk() {
  local word command want='' previous='' count=0 plain=''
  RW_PATH='' RW_WHERE=()
  for word in "$@"; do
    if [ -n "$want" ]; then
      case $previous in --data-dir|--config) RW_WHERE+=("$previous" "\${word/#\\~\\//$HOME/}") ;; esac
      want=''
      continue
    fi
    previous=$word
    if [ -z "$plain" ]; then
      case $word in
        --) plain=1; continue ;;
        --data-dir=*|--config=*) RW_WHERE+=("$word"); continue ;;
        -*) _ragwarden_option_values "$RW_PATH" "$word"; want=$REPLY; continue ;;
      esac
    fi
    _ragwarden_commands "$RW_PATH"
    command=''
    case " $REPLY " in *" $word "*) command=$word ;; esac
    if [ -n "$command" ]; then RW_PATH="\${RW_PATH:+$RW_PATH }$command"; else count=$((count + 1)); fi
  done
  RW_WANT=$want
  if [ -n "$want" ]; then return; fi
  _ragwarden_argument_values "$RW_PATH" "$count"
  RW_ARGUMENT=$REPLY
  RW_WANT=word
}`;

const bashDriver = `_ragwarden() {
  local cur=\${COMP_WORDS[COMP_CWORD]} word words=() RW_PATH RW_WANT RW_ARGUMENT='' RW_WHERE REPLY i
  # Bash splits --option=value at the sign; put together again they are two words.
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [ "$word" != '=' ]; then words+=("$word"); fi
  done
  if [ "$cur" = '=' ]; then cur=''; fi
  _ragwarden_walk "\${words[@]}"
  COMPREPLY=()
  if [ "$RW_WANT" = word ]; then
    case $cur in
      -*) _ragwarden_options "$RW_PATH"; COMPREPLY=($(compgen -W "$REPLY" -- "$cur")); return ;;
    esac
    _ragwarden_commands "$RW_PATH"
    if [ -n "$REPLY" ]; then COMPREPLY=($(compgen -W "$REPLY" -- "$cur")); return; fi
    RW_WANT=$RW_ARGUMENT
  fi
  case $RW_WANT in
    '='*) COMPREPLY=($(compgen -W "\${RW_WANT#=}" -- "$cur")) ;;
    '?'*) COMPREPLY=($(compgen -W "$("\${COMP_WORDS[0]}" __complete "\${RW_WANT#?}" "\${RW_WHERE[@]}" 2>/dev/null </dev/null)" -- "$cur")) ;;
    folder) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$cur")) ;;
    file) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")) ;;
  esac
}
complete -F _ragwarden ragwarden
`;

const zshDriver = `_ragwarden() {
  local REPLY RW_PATH RW_WANT RW_ARGUMENT=''
  local -a RW_WHERE found
  _ragwarden_walk "\${(@)words[2,CURRENT-1]}"
  if [ "$RW_WANT" = word ]; then
    case \${words[CURRENT]} in
      -*) _ragwarden_options "$RW_PATH"; found=(\${(s: :)REPLY}); compadd -- $found; return ;;
    esac
    _ragwarden_commands "$RW_PATH"
    if [ -n "$REPLY" ]; then found=(\${(s: :)REPLY}); compadd -- $found; return; fi
    RW_WANT=$RW_ARGUMENT
  fi
  case $RW_WANT in
    '='*) found=(\${(s: :)\${RW_WANT#=}}); compadd -- $found ;;
    '?'*) found=(\${(f)"$("\${words[1]}" __complete "\${RW_WANT#?}" "\${RW_WHERE[@]}" 2>/dev/null </dev/null)"}); compadd -- $found ;;
    folder) _files -/ ;;
    file) _files ;;
  esac
}
if [ "\${funcstack[1]}" = _ragwarden ]; then
  _ragwarden "$@"
elif (( $+functions[compdef] )); then
  compdef _ragwarden ragwarden
fi
`;

/** In fish each suggestion has a condition; the path so far is worked out by one function. */
function fishTables(tree: readonly KnownCommand[]): string {
  const lines: string[] = ['complete -c ragwarden -f'];
  const fishQuote = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  for (const one of tree) {
    const when = `-n ${fishQuote(`__ragwarden_at ${fishQuote(one.path)}`)}`;
    for (const { name, about } of one.commands)
      lines.push(`complete -c ragwarden ${when} -a ${fishQuote(name)} -d ${fishQuote(about)}`);
    for (const { names, about, values, hidden } of one.options) {
      if (hidden) continue;
      const flags = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`));
      lines.push(
        `complete -c ragwarden ${when} ${flags.join(' ')}${values === undefined ? '' : ` ${fishValues(values, fishQuote)}`} -d ${fishQuote(about)}`,
      );
    }
    for (const { values } of one.arguments)
      if (values.kind !== 'any')
        lines.push(`complete -c ragwarden ${when} ${fishValues(values, fishQuote)}`.replace(' -x ', ' '));
  }
  const groups = tree.filter((one) => one.commands.length > 0);
  const known = groups.flatMap((one) => one.commands.map(({ name }) => `${one.path} ${name}`.trim()));
  const takers = [
    ...new Set(tree.flatMap((one) => one.options.flatMap(({ names, values }) => (values === undefined ? [] : names)))),
  ];
  return [
    `set -g __ragwarden_commands ${known.map(fishQuote).join(' ')}`,
    `set -g __ragwarden_takers ${takers.map(fishQuote).join(' ')}`,
    ...lines,
  ].join('\n');
}

function fishValues(values: Values, fishQuote: (text: string) => string): string {
  switch (values.kind) {
    case 'words':
      return `-x -a ${fishQuote(values.words.join(' '))}`;
    case 'dynamic':
      return `-x -a ${fishQuote(`(__ragwarden_ask ${values.name})`)}`;
    case 'folder':
      return `-x -a ${fishQuote('(__fish_complete_directories)')}`;
    case 'file':
      return '-r -F';
    case 'any':
      return '-x';
  }
}

const fishDriver = `function __ragwarden_path
  set -l path
  set -l skip
  for word in (commandline -opc)[2..]
    if test -n "$skip"
      set skip
      continue
    end
    if string match -q -- '-*' $word
      contains -- $word $__ragwarden_takers; and set skip 1
      continue
    end
    set -l next (string join ' ' $path $word)
    contains -- "$next" $__ragwarden_commands; and set path $path $word
  end
  string join ' ' $path
end
function __ragwarden_at
  set -l path (__ragwarden_path)
  test "$path" = "$argv[1]"
end
function __ragwarden_ask
  set -l words (commandline -opc)
  set -l where
  for i in (seq 2 (count $words))
    if contains -- $words[$i] --data-dir --config; and test $i -lt (count $words)
      set where $where $words[$i] $words[(math $i + 1)]
    else if string match -q -r -- '^--(data-dir|config)=' $words[$i]
      set where $where $words[$i]
    end
  end
  $words[1] __complete $argv[1] $where 2>/dev/null </dev/null
end
`;
