import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { readConfig } from '../src/config/index.ts';

const root = join(import.meta.dirname, '..');
const read = (name: string): string => readFileSync(join(root, 'deploy', name), 'utf8');
const service = z.object({
  read_only: z.literal(true),
  cap_drop: z.tuple([z.literal('ALL')]),
  environment: z.record(z.string(), z.string()),
  volumes: z.array(z.string()),
  ports: z.array(z.string()),
  build: z.object({ context: z.string(), dockerfile: z.string() }),
});
const compose = z.object({
  services: z.object({
    lightrag: z.object({ environment: z.record(z.string(), z.string()), volumes: z.array(z.string()) }),
    ragwarden: service,
  }),
});
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ragwarden-deploy-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('the settings of the compose file and its ragwarden.yaml are settings, and fit together', () => {
  const { ragwarden, lightrag } = compose.parse(parse(read('compose.yaml'))).services;
  const inside = (path: string): string => join(folder, path);
  for (const path of ['/config', '/run/secrets', '/data']) mkdirSync(inside(path), { recursive: true });
  writeFileSync(inside('/config/ragwarden.yaml'), read('ragwarden.yaml'));
  writeFileSync(inside('/run/secrets/ragwarden_admin_token'), 'a-token-of-the-operator-with-enough-signs\n', {
    mode: 0o600,
  });
  const environment: Record<string, string> = { RAGWARDEN_DATA_DIR: inside('/data'), RAGWARDEN_HOST: '0.0.0.0' };
  for (const [name, value] of Object.entries(ragwarden.environment))
    environment[name] = value.replace(/\$\{[^}]*\}/, '').replace(/^\/(config|run)\//, `${folder}/$1/`);
  const reading = () => readConfig({ env: environment, cwd: folder });
  expect(reading).not.toThrow();
  const { config } = reading();
  expect(config.target).toMatchObject({ url: 'http://lightrag:9621', workingDir: '/rag/rag_storage' });
  // What the server calls its folders is what the paths translate.
  for (const name of ['WORKING_DIR', 'INPUT_DIR'] as const)
    expect(config.target?.paths[lightrag.environment[name] ?? '']).toBe(ragwarden.environment[name]);
  // Names that no setting has are told, so none of these is one.
  const unknown = (): unknown[] =>
    [...reading().problems, ...reading().notices].filter((one) => JSON.stringify(one).includes('RAGWARDEN_'));
  expect(unknown()).toEqual([]);
  environment.RAGWARDEN_BACKUP_FREQENCY = '1';
  expect(unknown()).toHaveLength(1);
});

test('the container file copies what a build makes, runs without rights, and asks what exists whether it is well', () => {
  const text = read('Containerfile');
  const { ragwarden } = compose.parse(parse(read('compose.yaml'))).services;
  expect(existsSync(join(root, 'deploy', ragwarden.build.context, ragwarden.build.dockerfile))).toBe(true);
  for (const [, paths = ''] of text.matchAll(/^COPY --from=build ((?:\/src\/\S+ )+)/gm))
    for (const path of paths.trim().split(' '))
      expect([path, existsSync(join(root, path.slice('/src/'.length)))]).toEqual([path, true]);
  expect(/^USER (\d+):\d+$/m.exec(text)?.[1]).not.toBe('0');
  expect(text).toMatch(/fetch\('http:\/\/127\.0\.0\.1:8710\/readyz'\)/);
  expect(readFileSync(join(root, 'docs/openapi.json'), 'utf8')).toContain('"/readyz"');
  // Not on every address of the machine.
  for (const port of ragwarden.ports) expect(port).toMatch(/^127\.0\.0\.1:/);
});
