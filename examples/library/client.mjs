// Asks a running ragwarden how things are, takes a recovery point and tells what happens meanwhile.
//   RAGWARDEN_URL=http://127.0.0.1:8710 RAGWARDEN_TOKEN=… node client.mjs
// Needs Node.js 20 or newer and nothing but the package `ragwarden`.
import { createClient, RagwardenError } from 'ragwarden/client';

const client = createClient({
  url: process.env.RAGWARDEN_URL ?? 'http://127.0.0.1:8710',
  token: process.env.RAGWARDEN_TOKEN,
});

const { items: targets } = await client.targets.list();
for (const { id, status, reasons } of targets)
  console.log(`${id} is ${status}${reasons.map(({ message }) => `; ${message}`).join('')}`);

/** Tells every event about recovery points, over lost connections too, until one was taken. */
async function tellEvents(after, signal) {
  for await (const event of client.events.stream({ types: ['backup.*'], after, signal })) {
    console.log(`event ${event.seq} ${event.type}: ${event.message}`);
    if (event.type === 'backup.point-taken') return;
  }
}

const stop = new AbortController();
try {
  const [newest] = (await client.events.list({ limit: 1 })).items;
  const telling = tellEvents(newest?.seq ?? 0, stop.signal);
  telling.catch(() => {}); // heard below, when there is something to wait for
  const begun = await client.backup.trigger();
  const { state, result } = await client.operations.wait(begun, {
    onProgress: ({ phase }) => console.log(`phase ${phase}`),
  });
  await telling;
  console.log(`point ${result.backup_id} ${state}, ${result.grade}`);
} catch (err) {
  // `code` is for programs, `detail` tells people what to do.
  if (!(err instanceof RagwardenError)) throw err;
  console.log(`refused with ${err.code}: ${err.detail}`);
} finally {
  stop.abort();
}
