import type { Command } from 'commander';
import { plantCanary, runCanary, showCanary } from './canary-commands.ts';
import type { CommandContext } from './cli.ts';
import { type Does, group, remote, watchOption } from './command-shapes.ts';
import { listStuck, reprocessDocuments, showDocuments } from './document-commands.ts';

export function declareDocuments(program: Command, context: CommandContext, does: Does): void {
  const target = ['--target <id>', 'which target (default: the only one)'] as const;
  const documents = group(
    program,
    'documents',
    'what becomes of documents: in flight, stuck, failed, how long they take',
    ['documents status', 'documents stuck', 'documents reprocess'],
  );
  remote(documents.command('status').description('counts, ends by outcome and cause, latency; 4 when some are stuck'))
    .option(...target)
    .option(...watchOption)
    .action(does((flags: Parameters<typeof showDocuments>[1]) => showDocuments(context, flags)));
  remote(
    documents.command('stuck').description('those that do not go on by themselves, with age and cause; 4 when any'),
  )
    .option(...target)
    .option('--failed', 'also those that failed last')
    .action(does((flags: Parameters<typeof listStuck>[1]) => listStuck(context, flags)));
  remote(
    documents.command('reprocess').description('have the backend take stuck documents up again, and see them move'),
  )
    .option(...target)
    .option('--workspace <name>', 'of this workspace (default: the only one)')
    .option('--failed', 'also when only failed documents are left; beside stuck ones they are tried anyway')
    .action(does((flags: Parameters<typeof reprocessDocuments>[1]) => reprocessDocuments(context, flags)));

  const canary = group(program, 'canary', 'a question whose answer is known, asked without the answer of a model', [
    'canary status',
    'canary run',
    'canary plant',
  ]);
  remote(
    canary
      .command('status', { isDefault: true })
      .description('how it was answered last; 4 when the answer was not found'),
  )
    .option(...target)
    .option('--workspace <name>', 'of this workspace (default: the one that the target itself serves)')
    .action(does((flags: Parameters<typeof showCanary>[1]) => showCanary(context, flags)));
  remote(canary.command('run').description('ask it now; 4 when the answer is not found'))
    .option(...target)
    .option('--workspace <name>', 'of this workspace (default: the one that the target itself serves)')
    .action(does((flags: Parameters<typeof runCanary>[1]) => runCanary(context, flags)));
  remote(canary.command('plant').description('put its document into the backend, wait until it is processed, and ask'))
    .option(...target)
    .option('--workspace <name>', 'of this workspace (default: the one that the target itself serves)')
    .action(does((flags: Parameters<typeof plantCanary>[1]) => plantCanary(context, flags)));
}
