// The doors under the names that people know from the documents, with their types.
//   RAGWARDEN_URL=http://127.0.0.1:8710 RAGWARDEN_TOKEN=… node documents.ts
import { type BackupResult, getBackupService, getSystemMonitor } from 'ragwarden';

const connection = {
  url: process.env.RAGWARDEN_URL ?? 'http://127.0.0.1:8710',
  token: process.env.RAGWARDEN_TOKEN,
};

const { checks } = await getSystemMonitor(connection).getHealthCheck();
for (const [name, { status, percent }] of Object.entries(checks)) console.log(`${name} is ${status} (${percent} %)`);

const newest: BackupResult | undefined = (await getBackupService(connection).getBackupHistory(1)).at(-1);
console.log(newest ? `the last run was a ${newest.status}` : 'no run yet');
