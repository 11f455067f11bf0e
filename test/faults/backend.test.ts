import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../setup/free-port.ts';
import { hasPart } from '../setup/parts.ts';
import { contentOf, field, removeFolder, until } from '../warden-harness.ts';
import {
  type Backend,
  copyDataFolder,
  failureOf,
  type OpenWarden,
  openWarden,
  prepareDataFolder,
  sampleOf,
  startBackend,
  targetSettings,
} from './ground.ts';

describe.skipIf(!hasPart('restic'))('a backend', () => {
  let template: string;
  beforeAll(async () => {
    template = await prepareDataFolder('backend-faults');
  });
  afterAll(() => removeFolder(template));

  describe('that does not answer as it should', () => {
    let dataDir: string;
    let port: number;
    let backend: Backend;
    let warden: OpenWarden;

    beforeAll(async () => {
      dataDir = copyDataFolder(template, 'backend-answers');
      port = await freePort();
      backend = await startBackend(sampleOf(dataDir), { port });
      warden = await openWarden(dataDir, {
        settings: {
          ...targetSettings(backend.url, sampleOf(dataDir)),
          RAGWARDEN_PROBE_TIMEOUT: '0.3',
          RAGWARDEN_PROBE_INTERVAL: '0.2',
        },
      });
    });
    afterAll(async () => {
      await warden.stop();
      await backend.stop();
      removeFolder(dataDir);
    });

    const reaches = (word: string, reason: RegExp) =>
      until(`the target to be ${word} because of ${reason}`, async () => {
        const { body } = await warden.call('GET', '/api/v1/targets/default');
        return field(body, 'status') === word && reason.test(JSON.stringify(field(body, 'reasons'))) ? body : undefined;
      });
    const well = { health_delay_ms: 0, status: 0, answer: '' };
    const cases: [string, object | undefined, string, RegExp][] = [
      ['slow', { health_delay_ms: 2_000 }, 'OFFLINE', /"timeout".*within 0\.3 s/],
      ['answering 500', { status: 500 }, 'DEGRADED', /"server-error".*answers 500/],
      ['answering HTML', { answer: 'html' }, 'DEGRADED', /"not-understood"/],
      ['answering nonsense', { answer: 'nonsense' }, 'DEGRADED', /"not-understood"/],
      ['answering half an object', { answer: 'invalid_json' }, 'DEGRADED', /"not-understood"/],
      ['hanging', { answer: 'hang' }, 'OFFLINE', /"timeout"/],
      ['hanging up', { answer: 'close' }, 'OFFLINE', /"unreachable"/],
      ['down', undefined, 'OFFLINE', /"unreachable"/],
    ];

    test.each(cases)(
      '%s: it is said, ragwarden stays ready, and its files are taken with what is not known',
      async (_, faults, word, reason) => {
        await reaches('HEALTHY', /\[\]/);
        if (faults) await backend.faults(faults);
        else await backend.stop();
        await reaches(word, reason);
        expect((await warden.call('GET', '/readyz')).status).toBe(200);
        const taken = await warden.take();
        expect(failureOf(taken)).toBe('undefined: undefined');
        expect(field(taken, 'result', 'core_version')).toBeNull();
        expect(field(taken, 'result', 'documents')).toBeNull();
        expect((field(taken, 'result', 'reasons') as string[]).join()).toMatch(
          /whether the pipeline rested is not known/,
        );
        if (faults) await backend.faults(well);
      },
    );
  });

  test.each([
    ['replaces its files', '1.5.7', 'atomic'],
    ['writes into its files', '1.4.16', 'in-place'],
    ['writes into its files although its version says otherwise', '1.5.7', 'in-place'],
  ])(
    'that %s again and again: no point says consistent, and what it holds is whole and comes back',
    async (_, version, rewrite) => {
      const dataDir = copyDataFolder(template, 'backend-rewrites');
      const folders = sampleOf(dataDir);
      const port = await freePort();
      const start = () => startBackend(folders, { port, more: ['--lightrag-version', version] });
      let backend = await start();
      const warden = await openWarden(dataDir, {
        settings: { ...targetSettings(backend.url, folders), RAGWARDEN_TARGET_START_TIMEOUT: '30' },
      });
      try {
        // Reading it takes longer than the backend ever pauses, so that something moves during every capture.
        writeFileSync(join(folders.workspace, 'large.bin'), Buffer.alloc(40_000_000));
        const written = () => statSync(join(folders.workspace, 'kv_store_doc_status.json'), { bigint: true }).mtimeNs;
        const before = written();
        await backend.faults({ rewrite, rewrite_interval_ms: 1 });
        await until('the first rewrite', () => (written() === before ? undefined : true));
        let id = '';
        let lastGrade: unknown;
        for (const last of version === '1.5.7' && rewrite === 'in-place' ? [false, true] : [true]) {
          const taken = await warden.take();
          expect(failureOf(taken)).toBe('undefined: undefined');
          const grade = field(taken, 'result', 'grade');
          expect(['crash-consistent', 'fuzzy']).toContain(grade);
          if (version === '1.4.16') expect(grade).toBe('fuzzy');
          lastGrade = grade;
          id = String(field(taken, 'result', 'backup_id'));
          if (last) break; // The restore below reads it.
          const read = await warden.call('POST', `/api/v1/backup/points/${id}/verify`, undefined, {
            prefer: 'wait=60',
          });
          expect(failureOf(read.body)).toBe('undefined: undefined');
        }
        await backend.stop();
        for (const name of readdirSync(folders.workspace)) rmSync(join(folders.workspace, name), { recursive: true });
        const asked = await warden.call('POST', `/api/v1/backup/restore/${id}`, { confirm: true });
        const follow = `/api/v1/operations/${field(asked.body, 'id')}`;
        await until('the restore to have moved', async () => {
          const { body } = await warden.call('GET', follow);
          if (field(body, 'finished_at') !== null) throw new Error(failureOf(body));
          return field(body, 'phase') === 'starting' ? true : undefined;
        });
        const names = Object.keys(contentOf(folders.workspace)).filter((name) => name.endsWith('.json'));
        expect(names.length).toBeGreaterThan(5);
        const torn = names.filter((name) => {
          try {
            JSON.parse(readFileSync(join(folders.workspace, name), 'utf8'));
            return false;
          } catch {
            return true;
          }
        });
        if (torn.length > 0) {
          // Only a fuzzy point may hold a file that was caught in the middle of a write, and the backend then refuses to start.
          expect(lastGrade, torn.join()).toBe('fuzzy');
          return;
        }
        backend = await start();
        const done = await warden.call('GET', follow, undefined, { prefer: 'wait=60' });
        expect(field(done.body, 'state')).toBe('succeeded');
      } finally {
        await warden.stop();
        await backend.stop();
        removeFolder(dataDir);
      }
    },
  );
});
