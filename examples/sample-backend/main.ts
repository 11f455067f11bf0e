// A server that speaks LightRAG's HTTP API over a real workspace folder, without a model: for looking around and for tests.
import { readOptions, usage } from './options.ts';
import { type SampleBackend, startSampleBackend } from './server.ts';

const log = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

async function start(): Promise<SampleBackend | undefined> {
  let options: ReturnType<typeof readOptions>;
  try {
    options = readOptions(process.argv.slice(2));
  } catch (error) {
    log(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
    process.exitCode = 2;
    return undefined;
  }
  try {
    const running = await startSampleBackend(options, log);
    const ready = { event: 'ready', url: running.url, pid: process.pid, core_version: options.version };
    process.stdout.write(`${JSON.stringify(ready)}\n`);
    return running;
  } catch (error) {
    log(`Failed to initialize LightRAG: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
    return undefined;
  }
}

const running = await start();
if (running !== undefined) {
  const stop = (): void => {
    void running.close().then(() => process.exit(0));
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}
