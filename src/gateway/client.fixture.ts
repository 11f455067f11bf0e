import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';

/**
 * An upstream and its client in a thread of their own, so that the main thread may stand still: tells the address of the
 * upstream, then asks the gateway again and again and counts the answers in shared memory.
 */
const answers = new Int32Array(workerData as SharedArrayBuffer);
const server = createServer((_request, response) => void response.end('here'));
server.listen(0, '127.0.0.1', () => parentPort?.postMessage((server.address() as AddressInfo).port));

parentPort?.once('message', (gateway: string) => {
  const ask = (): void => {
    get(gateway, (answer) => {
      answer.resume();
      answer.on('end', () => {
        Atomics.add(answers, 0, 1);
        Atomics.notify(answers, 0);
        ask();
      });
    });
  };
  ask();
});
