import { Argument, type Command, InvalidArgumentError } from 'commander';
import type { CommandContext } from './cli.ts';
import { count, type Does, examples, group, remote } from './command-shapes.ts';
import { listMetrics, queryMetric, recordMetric, showTop } from './metrics-commands.ts';
import { choiceOption } from './suggestions.ts';
import { instantText, spanSeconds } from './time-range.ts';

const types = ['counter', 'gauge', 'histogram', 'timer', 'rate'];
const categories = ['system', 'performance', 'business', 'security', 'reliability', 'resource', 'user', 'agent'];
const aggregations = [
  ...['sum', 'average', 'min', 'max', 'last', 'count', 'rate', 'increase'],
  ...['p50', 'p90', 'p95', 'p99'],
];

export function declareMetrics(program: Command, context: CommandContext, does: Does): void {
  const metrics = group(program, 'metrics', 'what was recorded: ask for it, add to it', [
    'metrics list',
    'metrics query request_duration --aggregation p95 --last 6h --group-by endpoint',
    'metrics top agent_llm_cost_usd --group-by agent_id --last 7d',
    'metrics record queue_length 17 --type gauge --label queue=inserts',
  ]);
  remote(metrics.command('list').description('what is recorded, by name'))
    .addOption(choiceOption('--category <category>', 'only these', categories))
    .addOption(choiceOption('--type <type>', 'only these', types))
    .action(does((flags: Parameters<typeof listMetrics>[1]) => listMetrics(context, flags)));
  examples(
    asked(metrics.command('query').argument('<metric>').description('a metric over time, a line per series'))
      .option('--step <span>', 'width of a window, such as 30s or 5m (default: about 60 of them)', spanSeconds)
      .option('--limit <number>', 'how many series (default 20)', count(1_000))
      .addOption(
        choiceOption(
          '--source <source>',
          'the own tiers or the other store alone (default: the store for what is older)',
          ['own', 'store'],
        ),
      )
      .action(does((name: string, flags: Parameters<typeof queryMetric>[2]) => queryMetric(context, name, flags))),
    [
      'metrics query system_cpu_percent --last 24h',
      'metrics query request_duration --aggregation p95 --match method=POST --group-by endpoint',
      'metrics query agent_tokens --aggregation rate --group-by all --step 5m --json',
    ],
  );
  examples(
    asked(metrics.command('top').argument('<metric>').description('the series with the greatest values of the range'))
      .option('--least', 'the least instead')
      .option('--limit <number>', 'how many (default 10)', count(100))
      .action(does((name: string, flags: Parameters<typeof showTop>[2]) => showTop(context, name, flags))),
    ['metrics top agent_llm_cost_usd --aggregation sum --group-by agent_id --last 7d'],
  );
  examples(
    remote(
      metrics
        .command('record')
        .argument('<metric>')
        .addArgument(new Argument('<value>', 'a number').argParser(value))
        .description('record one value; a name that nobody defined defines itself'),
    )
      .addOption(choiceOption('--type <type>', 'what it is (default: from its name and definition)', types))
      .option('--label <name=value...>', 'labels of its series', pairs)
      .option('--unit <unit>', 'such as ms, bytes, percent or usd')
      .option('--at <instant>', 'when it was (default: now); at most an hour ago', instantText)
      .action(
        does((name: string, amount: number, flags: Parameters<typeof recordMetric>[3]) =>
          recordMetric(context, name, amount, flags),
        ),
      ),
    ['metrics record deploys 1 --type counter --label service=search'],
  );
}

const asked = (command: Command): Command =>
  remote(command)
    .addOption(
      choiceOption('--aggregation <how>', 'how values count together (default: what suits its type)', aggregations),
    )
    .option('--last <span>', 'how far back, such as 15m, 6h or 7d (default 1h)', spanSeconds)
    .option('--from <instant>', 'from here instead', instantText)
    .option('--to <instant>', 'until here (default: now)', instantText)
    .option('--match <label=value...>', 'only series that have this label', pairs)
    .option('--group-by <labels>', 'put together by these labels, separated by commas; `all`: into one');

function value(text: string): number {
  const number = Number(text);
  if (text.trim() === '' || !Number.isFinite(number)) throw new InvalidArgumentError('It is a number.');
  return number;
}

function pairs(text: string, before: readonly string[] = []): readonly string[] {
  if (!/^[a-zA-Z_][a-zA-Z0-9_]*=/.test(text)) throw new InvalidArgumentError('It is written label=value.');
  return [...before, text];
}
