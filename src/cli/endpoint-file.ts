import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { writePrivateFile } from '../platform/data-folder.ts';

const endpointSchema = z.object({ api: z.url({ protocol: /^https?$/ }), pid: z.number().int().positive() });
/** Where the ragwarden of a data folder answers, left there by itself while it runs. */
export type Endpoint = z.infer<typeof endpointSchema>;

const endpointFile = (dataDir: string): string => join(dataDir, 'endpoint.json');

export function writeEndpoint(dataDir: string, endpoint: Endpoint): void {
  writePrivateFile(endpointFile(dataDir), `${JSON.stringify(endpoint)}\n`);
}

/** Takes it away, unless another process has put its own there meanwhile. */
export function removeEndpoint(dataDir: string, pid: number): void {
  if (readEndpoint(dataDir)?.pid === pid) rmSync(endpointFile(dataDir), { force: true });
}

export function readEndpoint(dataDir: string): Endpoint | undefined {
  try {
    const parsed = endpointSchema.safeParse(JSON.parse(readFileSync(endpointFile(dataDir), 'utf8')));
    return parsed.success ? parsed.data : undefined;
  } catch {
    // Missing, not ours to read, or half written by a process that was killed: nobody can be called there.
    return undefined;
  }
}
