// A server that speaks LightRAG's HTTP API over a real workspace folder, without a model: for looking around and for tests.
import { readOptions, type ServerOptions, usage } from './options.ts';
import { type SampleBackend, startSampleBackend } from './server.ts';

const log = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

let running: SampleBackend | undefined;
const stop = (): void => {
  void (running?.close() ?? Promise.resolve()).then(() => process.exit(0));
};
// Before the ready line: whoever reads it may stop the server at once.
process.once('SIGTERM', stop);
process.once('SIGINT', stop);

function readArguments(): ServerOptions | undefined {
  try {
    return readOptions(process.argv.slice(2));
  } catch (error) {
    log(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
    process.exitCode = 2;
    return undefined;
  }
}

const options = readArguments();
if (options !== undefined) {
  try {
    running = await startSampleBackend(options, log);
    const ready = { event: 'ready', url: running.url, pid: process.pid, core_version: options.version };
    process.stdout.write(`${JSON.stringify(ready)}\n`);
  } catch (error) {
    log(`Failed to initialize LightRAG: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
