import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { readConfig } from '../src/config/index.ts';
import { queriesOf, readDashboards } from './grafana-queries.ts';

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
/** Only there when asked for. */
const extra = z.object({
  profiles: z.tuple([z.literal('monitoring')]),
  volumes: z.array(z.string()),
  secrets: z.array(z.string()),
  ports: z.array(z.string()).optional(),
});
const compose = z.object({
  services: z.object({
    lightrag: z.object({ environment: z.record(z.string(), z.string()), volumes: z.array(z.string()) }),
    ragwarden: service,
    prometheus: extra,
    grafana: extra,
  }),
  secrets: z.record(z.string(), z.object({ file: z.string() })),
  volumes: z.record(z.string(), z.null()),
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

test('what the compose file asks for by name is in the file to be filled in, and what it mounts is made by the commands of the page', () => {
  const text = read('compose.yaml').replace(/^ *#.*$/gm, '');
  const offered = [...read('compose.env.example').matchAll(/^([A-Z_]+)=/gm)].map(([, name]) => name);
  const asked = [...text.matchAll(/\$\{([A-Z_]+)(:[-?])?/g)].map(([, name = '', how]) => ({ name, how }));
  for (const { name, how } of asked) {
    // Nothing without a default or a sentence that says what is missing.
    expect(how, name).toBeDefined();
    if (how === ':?') expect(offered).toContain(name);
  }
  expect(asked.map(({ name }) => name)).toEqual(expect.arrayContaining(offered));
  const page = readFileSync(join(root, 'docs/deployment.md'), 'utf8');
  const { secrets } = compose.parse(parse(read('compose.yaml')));
  for (const file of [...Object.values(secrets).map((one) => one.file), './lightrag.env'])
    expect(page).toContain(file.replace('./', 'deploy/'));
});

test('the container file copies what a build makes, runs without rights, and asks what exists whether it is well', () => {
  const text = read('Containerfile');
  const { ragwarden } = compose.parse(parse(read('compose.yaml'))).services;
  expect(existsSync(join(root, 'deploy', ragwarden.build.context, ragwarden.build.dockerfile))).toBe(true);
  for (const [, paths = ''] of text.matchAll(/^COPY --from=build ((?:\/opt\/ragwarden\/\S+ )+)/gm))
    for (const path of paths.trim().split(' '))
      expect([path, existsSync(join(root, path.slice('/opt/ragwarden/'.length)))]).toEqual([path, true]);
  const user = /^USER (\d+):\d+$/m.exec(text)?.[1];
  expect(user).not.toBe('0');
  // Node.js looks for compiled code by path and user: both are those of the container that runs.
  expect(text.match(/^WORKDIR (\S+)$/m)?.[1]).toBe('/opt/ragwarden');
  expect(text).toContain(`\${folder%-0}-${user}"`);
  expect(text).toMatch(/fetch\('http:\/\/127\.0\.0\.1:8710\/readyz'\)/);
  expect(readFileSync(join(root, 'docs/openapi.json'), 'utf8')).toContain('"/readyz"');
  // Not on every address of the machine.
  for (const port of ragwarden.ports) expect(port).toMatch(/^127\.0\.0\.1:/);
});

test('the dashboards are as Grafana reads them: panels in their places, one data source to choose, no variable that is not there', () => {
  const dashboards = readDashboards();
  expect(dashboards.map(([file, { uid }]) => [file, uid])).toEqual(
    ['host', 'itself', 'recovery', 'target', 'traffic'].map((name) => [`${name}.json`, `ragwarden-${name}`]),
  );
  for (const [file, dashboard] of dashboards) {
    const { panels, templating } = dashboard;
    const taken = new Set<string>();
    for (const { gridPos, title } of panels)
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          expect(x < 24 && !taken.has(`${x} ${y}`), `${file}: ${title} lies upon another panel`).toBe(true);
          taken.add(`${x} ${y}`);
        }
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const known = new Set(['__rate_interval', '__range', ...templating.list.map(({ name }) => name)]);
    expect(known).toContain('datasource');
    expect(known).toContain('instance');
    for (const { where, expr } of queriesOf(dashboard))
      for (const [, name = ''] of expr.matchAll(/\$(\w+)/g)) expect(known.has(name), `${where}: $${name}`).toBe(true);
  }
});

test('Prometheus and Grafana of the compose file come only when asked for, and find what is mounted for them', () => {
  const whole = compose.parse(parse(read('compose.yaml')));
  const { prometheus, grafana } = whole.services;
  for (const { volumes, secrets, ports } of [prometheus, grafana]) {
    for (const volume of volumes) {
      const [from = ''] = volume.split(':');
      if (from.startsWith('./')) expect(existsSync(join(root, 'deploy', from)), from).toBe(true);
      else expect(Object.keys(whole.volumes)).toContain(from);
    }
    for (const secret of secrets) expect(Object.keys(whole.secrets)).toContain(secret);
    for (const port of ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/);
  }
  const provider = z.object({ providers: z.tuple([z.object({ options: z.object({ path: z.string() }) })]) });
  const { path } = provider.parse(parse(read('grafana/provisioning/dashboards/ragwarden.yaml'))).providers[0].options;
  expect(grafana.volumes).toContain(`./grafana/dashboards:${path}:ro`);
  const source = z.object({ datasources: z.tuple([z.object({ type: z.literal('prometheus'), url: z.url() })]) });
  source.parse(parse(read('grafana/provisioning/datasources/ragwarden.yaml')));
  // The host by which it scrapes is one that ragwarden answers to.
  expect(read('prometheus.yml')).toContain('ragwarden:9090');
  expect(read('ragwarden.yaml')).toMatch(/public_hosts: \[.*ragwarden/);
});
