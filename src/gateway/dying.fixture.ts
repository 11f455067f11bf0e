import { BroadcastChannel } from 'node:worker_threads';
import './gateway.worker.ts';

/** The thread of the gateway, which dies when it is told to. */
new BroadcastChannel('ragwarden.test.gateway').onmessage = () => {
  setImmediate(() => {
    throw new Error('told to die');
  });
};
