// Asks a running ragwarden how things are, takes a recovery point and lists what happened meanwhile.
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

// Everything that happens from here on, over lost connections too, until we have seen enough.
const enough = new AbortController();
const seen = (async () => {
  for await (const event of client.events.stream({ types: ['backup.*'], signal: enough.signal }))
    console.log(`event ${event.seq} ${event.type}: ${event.message}`);
})().catch((err) => {
  if (!enough.signal.aborted) throw err;
});

try {
  const begun = await client.backup.trigger();
  const { state, result } = await client.operations.wait(begun, {
    onProgress: ({ phase }) => console.log(`phase ${phase}`),
  });
  console.log(`point ${result.backup_id} ${state}, ${result.grade}`);
} catch (err) {
  // `code` is for programs, `detail` tells people what to do.
  if (!(err instanceof RagwardenError)) throw err;
  console.log(`refused with ${err.code}: ${err.detail}`);
} finally {
  enough.abort();
  await seen;
}
