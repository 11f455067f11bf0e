import type { Argument, Command, Option } from 'commander';
import { severities } from '../suggestions.ts';

/** What may stand in the place of an argument or behind an option. */
export type Values =
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'file' | 'folder' | 'any' }
  /** Asked of the running instance at the moment of completing. */
  | { readonly kind: 'dynamic'; readonly name: DynamicName };

export const dynamicNames = [
  'point',
  'graph',
  'target',
  'operation',
  'token',
  'key',
  'drill',
  'failover',
  'checkpoint',
  'replica',
  'received',
  'lock',
  'metric',
  'parameter',
  'provider',
  'revision',
  'alert',
  'rule',
  'silence',
  'receiver',
  'delivery',
  'quota',
  'reservation',
  'task',
  'strategy',
  'entry',
  'observed',
  'recommendation',
  'job',
  'setting',
  'explainable',
] as const;
export type DynamicName = (typeof dynamicNames)[number];

export type KnownOption = {
  /** As help shows it: `-q, --quiet`. */
  readonly flags: string;
  /** As they are typed: `-q`, `--quiet`. */
  readonly names: readonly string[];
  readonly about: string;
  /** Undefined for one that takes no value. */
  readonly values: Values | undefined;
  /** Accepted there and not offered. */
  readonly hidden: boolean;
};

/** One command with everything that may follow it. */
export type KnownCommand = {
  /** Empty for the program itself, else `backup create`. */
  readonly path: string;
  readonly about: string;
  readonly commands: readonly { readonly name: string; readonly about: string }[];
  readonly options: readonly KnownOption[];
  /** In their order; `name` as help shows it: `<id>`, `[id]`. */
  readonly arguments: readonly { readonly name: string; readonly values: Values }[];
};

/** The program and every command below it, read from what parses the command line, so that the two cannot differ. */
export function commandTree(program: Command, path = ''): KnownCommand[] {
  const help = program.createHelp();
  const below = help.visibleCommands(program).filter((command) => command.name() !== 'help');
  return [
    {
      path,
      about: program.description(),
      commands: below.map((command) => ({ name: command.name(), about: command.description() })),
      options: [
        ...help.visibleOptions(program).map(knownOption),
        ...program.options.filter((option) => option.hidden).map(knownOption),
      ],
      arguments: program.registeredArguments.map((argument) => ({
        name: shownName(argument),
        values: argumentValues(path, argument),
      })),
    },
    ...below.flatMap((command) => commandTree(command, `${path} ${command.name()}`.trim())),
  ];
}

function shownName(argument: Argument): string {
  const name = `${argument.name()}${argument.variadic ? '...' : ''}`;
  return argument.required ? `<${name}>` : `[${name}]`;
}

const knownOption = (option: Option): KnownOption => ({
  flags: option.flags,
  names: [option.short, option.long].filter((name) => name !== undefined && name !== null),
  about: option.description,
  values: option.required || option.optional ? optionValues(option) : undefined,
  hidden: option.hidden,
});

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'];

function optionValues({ argChoices, flags, long }: Option): Values {
  if (argChoices !== undefined) return { kind: 'words', words: argChoices };
  if (flags.includes('<folder>')) return { kind: 'folder' };
  if (flags.includes('<file>')) return { kind: 'file' };
  switch (long) {
    case '--target':
      return { kind: 'dynamic', name: 'target' };
    case '--point':
      return { kind: 'dynamic', name: 'point' };
    case '--graph':
      return { kind: 'dynamic', name: 'graph' };
    case '--severity':
      return { kind: 'words', words: severities };
    case '--log-level':
      return { kind: 'words', words: logLevels };
    default:
      return { kind: 'any' };
  }
}

/** Ids are of the kind that their group is about. */
const groupIds: Readonly<Record<string, DynamicName>> = {
  'backup id': 'point',
  'backup snapshot': 'point',
  'backup graph': 'graph',
  'target id': 'target',
  'drill id': 'drill',
  'drill point': 'point',
  'failover id': 'failover',
  'checkpoint id': 'checkpoint',
  'checkpoint graph': 'graph',
  'replicate replica': 'replica',
  'replicate point': 'received',
  'repo lock': 'lock',
  'metrics metric': 'metric',
  'alerts ack id': 'alert',
  'alerts rule': 'rule',
  'alerts silences end id': 'silence',
  'alerts receivers test id': 'receiver',
  'alerts receivers remove id': 'receiver',
  'alerts deliveries show id': 'delivery',
  'alerts deliveries retry id': 'delivery',
  'quota id': 'quota',
  'quota reservation': 'reservation',
  'cleanup task': 'task',
  'cleanup strategy': 'strategy',
  'cleanup undo id': 'entry',
  'leaks subject': 'observed',
  'analytics recommendation': 'recommendation',
  'system job': 'job',
  'tune parameter': 'parameter',
  'tune revision': 'revision',
  'tune provider switch provider': 'provider',
  'tune from': 'revision',
  'tune to': 'revision',
  'operations id': 'operation',
  'token id': 'token',
  'key id': 'key',
  'settings key': 'setting',
  'explain name': 'explainable',
};

function argumentValues(path: string, argument: Argument): Values {
  if (argument.name() === 'folder') return { kind: 'folder' };
  if (argument.argChoices !== undefined) return { kind: 'words', words: argument.argChoices };
  const name = groupIds[`${path} ${argument.name()}`] ?? groupIds[`${path.split(' ')[0]} ${argument.name()}`];
  return name === undefined ? { kind: 'any' } : { kind: 'dynamic', name };
}
