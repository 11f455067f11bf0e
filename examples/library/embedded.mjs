// The whole of ragwarden inside this program: no server to start, no port to choose.
//   node embedded.mjs DATA_FOLDER
// Needs Node.js 24 or newer.
import { createWarden } from 'ragwarden/embedded';

const warden = createWarden({
  dataDir: process.argv[2] ?? 'ragwarden-data',
  // What ragwarden.yaml would hold; without a target, the bundled sample backend is watched.
  settings: { monitoring: { interval_seconds: 5 } },
  sample: true,
  log: ({ level, msg }) => console.error(`${level}: ${msg}`),
});
// ragwarden leaves signals alone; when to stop is for this program to say.
process.once('SIGTERM', () => warden.stop());

const { api, client, targetIds } = await warden.start();
console.log(`the page is at ${api}/health`);
for (const id of targetIds) {
  const { status, kind, core_version: version } = await client.targets.probe(id);
  console.log(`${id} is ${status}: ${kind} ${version}`);
}

await warden.stop();
console.log('stopped'); // nothing is left open, so the process ends here
