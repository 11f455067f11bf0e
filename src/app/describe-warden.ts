import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '../config/index.ts';
import { type ApiDocument, describeApi } from '../platform/http/index.ts';
import { silentLogger } from '../platform/logging.ts';
import { apiInfo } from './api-info.ts';
import { createWarden } from './warden.ts';

/**
 * The description of the API, from the routes of a warden that is started for it in a folder of its own and stopped again.
 * Not part of what runs: the build writes the document down once.
 */
export async function describeWarden(): Promise<ApiDocument> {
  const dataDir = mkdtempSync(join(tmpdir(), 'ragwarden-description-'));
  const flags = { 'data-dir': dataDir, port: '0', 'metrics-port': '0', 'gateway-port': '0' };
  const reading = readConfig({ env: {}, flags, cwd: dataDir });
  const warden = createWarden({ reading, log: silentLogger, command: 'serve' });
  try {
    const { server } = await warden.start();
    return describeApi(server.routeTable, apiInfo());
  } finally {
    await warden.stop('the API is described');
    rmSync(dataDir, { recursive: true, force: true });
  }
}

/** As it is written down: the same document always gives the same bytes. */
export const renderDocument = (document: ApiDocument): string => `${JSON.stringify(document, null, 1)}\n`;
