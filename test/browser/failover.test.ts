import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasPart } from '../setup/parts.ts';
import { field, passwordOfTests, prepareRepository, removeFolder, temporaryFolder, until } from '../warden-harness.ts';
import { openPage } from './open-page.ts';

describe.skipIf(!hasPart('chromium') || !hasPart('restic'))('the views of replication and of failover', () => {
  const open = openPage('page-failover', {
    LIGHTRAG_REPLICATION_ENABLED: 'true',
    RAGWARDEN_REPLICATION_RECEIVE: 'true',
  });
  const copies = temporaryFolder('page-copies');
  const cellar = join(copies, 'cellar');
  beforeAll(async () => {
    // The copy has the key of the tests too, which is derived in a moment.
    await prepareRepository(copies, cellar);
    await open.logIn();
    // The first one comes by itself; every story here begins with it.
    await until('a verified point', async () => {
      const newest = field(await open.asAdmin('api/v1/backup/points?limit=1'), 'items', 0);
      return newest !== undefined && field(newest, 'verified_at') !== null ? newest : undefined;
    });
  });
  afterAll(() => removeFolder(copies));

  test('a place is added on the page, points are copied to it, and what was done there is its history', async () => {
    const { page } = open;
    await page.getByRole('link', { name: 'Replication', exact: true }).click();
    const places = page.getByRole('region', { name: 'Copies elsewhere' });
    await places.getByText(/^No place is registered yet/).waitFor();
    expect(await open.faults()).toEqual([]);
    await places.getByText('Add a place', { exact: true }).click();
    const form = places.getByRole('form', { name: 'Add a place' });
    const add = form.getByRole('button', { name: 'Add', exact: true });
    await form.getByLabel('Name').fill('the cellar');
    // What is no location is told in the server's words, and nothing that was typed is lost.
    await form.getByLabel('Location').fill('cellar');
    await add.click();
    await places.getByRole('alert').waitFor();
    // The browser tells of it too.
    expect(open.complaints.splice(0).every((text) => text.includes('422'))).toBe(true);
    await form.getByLabel('Location').fill(cellar);
    await form.getByLabel('Zone').fill('cellar');
    await add.click();
    const row = places.getByRole('row', { name: /^the cellar/ });
    await row.getByText(/^[1-9]\d* there, 0 missing$/).waitFor();
    await row.getByText('healthy', { exact: true }).waitFor();
    const place = places.getByRole('article', { name: 'Place the-cellar' });
    await place.getByText(cellar, { exact: true }).waitFor();
    const history = page.getByRole('region', { name: 'What was done' });
    await history
      .getByRole('row', { name: /copy backup_.* → the-cellar/ })
      .first()
      .waitFor();
    // A second attempt of this test finds no way back to a page without places, so the place goes again at its end.
    await place.getByRole('button', { name: /^Pause/ }).click();
    await place.getByRole('group').getByRole('button', { name: 'Pause', exact: true }).click();
    await row.getByText('paused', { exact: true }).waitFor();
    await expect
      .poll(() => place.getByRole('button', { name: /^Copy now/ }).getAttribute('title'))
      .toBe('It is paused.');
    await place.getByRole('button', { name: /^Resume/ }).click();
    await place.getByRole('button', { name: /^Pause/ }).waitFor();
    await place.getByRole('button', { name: /^Verify: / }).click();
    await history.getByLabel('What').selectOption('validate');
    await history
      .getByRole('row', { name: /verification the-cellar/ })
      .first()
      .waitFor();
    // A link shows the same.
    await open.address((url) => url.search).toBe('?view=replication&what=validate');
    await page.reload();
    await history.getByLabel('What').waitFor();
    await expect.poll(() => history.getByLabel('What').inputValue()).toBe('validate');
    expect(await open.faults()).toEqual([]);
    await expect
      .poll(
        async () => {
          // Whoever still works there is in the way for a moment.
          await place.getByRole('button', { name: /^Free room/ }).click();
          await place.getByRole('group').getByRole('button', { name: 'Free room', exact: true }).click();
          return place.innerText();
        },
        { timeout: 120_000, interval: 1_000 },
      )
      .toMatch(/Room freed\s+(?!never)\w/);
    // A folder needs no credentials, and the keyboard reaches the button that says so.
    const credentials = place.getByRole('button', { name: /^New credentials/ });
    await credentials.focus();
    await expect.poll(() => place.locator(':focus').getAttribute('title'), { timeout: 60_000 }).toBe('It needs none.');
    await expect
      .poll(
        async () => {
          await place.getByRole('button', { name: /^Remove/ }).click();
          await place.getByRole('group').getByRole('button', { name: 'Remove', exact: true }).click();
          await Promise.race([
            places.getByText(/^No place is registered yet/).waitFor({ timeout: 60_000 }),
            // Somebody may still work there.
            place.getByRole('alert').waitFor({ timeout: 60_000 }),
          ]);
          return row.count();
        },
        { timeout: 120_000 },
      )
      .toBe(0);
  });

  test('credentials of a place are changed and a received point is adopted, and no secret stays in the page', async () => {
    const { page } = open;
    const secret = 'secret-of-the-page';
    // Nobody answers there: what counts is what is handed in.
    const far = await open.asAdmin('api/v1/backup-replication/replication/targets', {
      ...{
        target_id: `far-${Date.now()}`,
        name: 'far away',
        location: 's3:https://127.0.0.1:1/bucket',
        enabled: false,
      },
      credentials: { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'old' },
    });
    const id = String(field(far, 'target_id'));
    const point = field(await open.asAdmin('api/v1/backup/points?limit=1'), 'items', 0);
    const backupId = String(field(point, 'backup_id'));
    // As another ragwarden packs one: a repository of its own, which nobody writes to.
    await until('nothing under way', async () => {
      const { items } = (await open.asAdmin('api/v1/operations?limit=20')) as { items: { state: string }[] };
      return items.every(({ state }) => state !== 'running') ? true : undefined;
    });
    const from = join(open.dataDir, 'repository');
    const packed = execFileSync('tar', ['-cf', '-', '--exclude=./locks/*', '-C', from, '.'], { maxBuffer: 2 ** 28 });
    await open.upload(
      `api/v1/backup-replication/backup/snapshots/upload?${new URLSearchParams({
        ...{ graph_id: 'sample', backup_id: backupId, data_hash: createHash('sha256').update(packed).digest('hex') },
        taken_at: String(field(point, 'timestamp')),
      })}`,
      packed,
    );
    await page.goto(`${open.product.api}/health?view=replication`);
    const place = page.getByRole('article', { name: `Place ${id}` });
    await place.getByRole('button', { name: /^New credentials/ }).press('Enter');
    const form = place.getByRole('form', { name: 'New credentials of far away' });
    await form.getByLabel('AWS_ACCESS_KEY_ID').fill('other');
    await form.getByLabel('AWS_SECRET_ACCESS_KEY').fill(secret);
    expect(await open.faults()).toEqual([]);
    const changed = page.waitForRequest((request) => request.method() === 'PATCH');
    await form.getByRole('button', { name: 'Replace them' }).click();
    expect((await changed).postDataJSON()).toEqual({
      credentials: { AWS_ACCESS_KEY_ID: 'other', AWS_SECRET_ACCESS_KEY: secret },
    });
    await place.getByText(/^The credentials were replaced/).waitFor();
    await place.locator('button:focus', { hasText: 'New credentials' }).waitFor();
    await open.asAdmin(`api/v1/backup-replication/replication/targets/${id}`, undefined, 'DELETE');

    const received = page.getByRole('region', { name: 'Received from others' });
    const row = received.getByRole('row', { name: new RegExp(`^${backupId}`) });
    const adopt = async (fill: () => Promise<void>): Promise<void> => {
      await row.getByRole('button', { name: /^Adopt…/ }).click();
      await fill();
      await received.getByRole('button', { name: 'Adopt it' }).click();
      await row.getByRole('button', { name: /^Adopt…/ }).waitFor();
    };
    const password = received.getByLabel('or the password in it');
    await adopt(async () => {
      await received.getByText(/^For when local:.* is lost/).waitFor();
      expect(await open.faults()).toEqual([]);
    });
    await received
      .getByRole('alert')
      .getByText(/^Choose the recovery kit/)
      .waitFor();
    await adopt(() => password.fill(secret));
    const ended = page.getByRole('list', { name: 'Just ended' }).getByRole('listitem');
    await ended.filter({ hasText: 'Adopting a received point' }).getByText('failed', { exact: true }).waitFor();
    const kit = `ragwarden recovery kit\n\nPassword        ${passwordOfTests}\n`;
    await adopt(() =>
      received
        .getByLabel('Recovery kit of the sender')
        .setInputFiles({ name: 'kit.txt', mimeType: 'text/plain', buffer: Buffer.from(kit) }),
    );
    await received.getByText(`ragwarden backup restore ${backupId}`, { exact: true }).waitFor();
    const whole = await page.content();
    for (const one of [secret, passwordOfTests]) expect(whole).not.toContain(one);
    expect(
      await page
        .locator('input[type=password]')
        .evaluateAll((all) => all.map((one) => (one as unknown as { value: string }).value).join('')),
    ).toBe('');
  });

  test('a failover is planned, confirmed by the name of the target, followed phase by phase, and the old place is filled again', async () => {
    const { page } = open;
    const status = () => open.asAdmin('api/v1/recovery/failover');
    await page.goto(`${open.product.api}/health?view=failover`);
    const lives = page.getByRole('region', { name: 'Where sample lives' });
    await lives.getByRole('article', { name: 'Place home' }).getByText('HEALTHY', { exact: true }).waitFor();
    // Another way at a second attempt.
    const from = String(field(await status(), 'active'));
    const to = from === 'home' ? 'standby' : 'home';
    const plan = lives.getByRole('button', { name: /^Plan failover/ });
    await expect.poll(() => plan.isEnabled(), { timeout: 60_000 }).toBe(true);
    await plan.focus();
    await page.keyboard.press('Enter');
    const planned = page.getByRole('region', { name: /^Plan of a failover/ });
    await planned.getByText('What you agree to').waitFor();
    await expect
      .poll(() => planned.innerText())
      .toMatch(/What is lost\s+What was written in the [\d,]+ minutes? since the point was taken\./);
    await expect.poll(() => planned.innerText()).toMatch(/100 documents then and now/);
    await expect
      .poll(() => planned.innerText())
      .toContain(`lead the gateway, and all that looks at the target, to ${to}`);
    await expect.poll(() => planned.getByText('the repository at').count()).toBe(1);
    // Force is a way out of a refusal, and nothing was refused.
    await expect.poll(() => planned.getByLabel('Force it').count()).toBe(0);
    const begin = planned.getByRole('button', { name: `Fail over to ${to}` });
    await expect.poll(() => begin.isDisabled()).toBe(true);
    await planned.getByLabel(/to bring it up at/).fill('another');
    await expect.poll(() => begin.isDisabled()).toBe(true);
    expect(await open.faults()).toEqual([]);
    await planned.getByLabel(/to bring it up at/).fill('sample');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: `Last failover: ${from} → ${to}` }).waitFor({ timeout: 180_000 });
    await page
      .getByText(new RegExp(`^sample lives at ${to} now`))
      .first()
      .waitFor();
    await lives
      .getByRole('article', { name: `Place ${to}` })
      .getByText('lives here')
      .waitFor();
    const answer = await fetch(`${open.product.gateway}/documents/status_counts`);
    expect(answer.status).toBe(200);
    await answer.body?.cancel();

    const past = page.getByRole('region', { name: 'History' });
    const entry = past.getByRole('row', { name: new RegExp(`failover ${from} → ${to} succeeded`) }).first();
    await entry.getByRole('button', { name: /^Phases/ }).click();
    const phases = past.getByRole('list', { name: 'Phases' }).getByRole('listitem');
    await phases.first().waitFor();
    const names = async () => (await phases.allInnerTexts()).map((text) => text.trim().split(/\s/)[0]);
    await expect
      .poll(names)
      .toEqual(['choosing', 'fencing', 'restoring', 'starting', 'checking', 'switching', 'verifying']);
    for (const text of await phases.allInnerTexts()) expect(text).toMatch(/[\d.]+ (s|min)/);

    await page.getByRole('button', { name: `Reseed ${from} now` }).click();
    const reseed = page.getByRole('region', { name: `Reseed ${from} from ${to}` });
    await reseed.getByLabel(/to replace what lies at/).fill('sample');
    expect(await open.faults()).toEqual([]);
    await expect
      .poll(
        async () => {
          const press = reseed.getByRole('button', { name: `Reseed ${from}`, exact: true });
          if ((await press.count()) > 0 && (await press.isEnabled())) await press.click();
          // A point that is just being taken is in the way for a moment.
          return field(await status(), 'seeded', 'place');
        },
        { timeout: 180_000 },
      )
      .toBe(from);
    await page
      .getByText(new RegExp(`^${from} holds backup_.* of sample now and stands by`))
      .first()
      .waitFor();
    await lives
      .getByRole('article', { name: `Place ${from}` })
      .getByText(/holds backup_/)
      .waitFor();
  });

  test('a checkpoint is made, validated by a drill, planned for, and removed', async () => {
    const { page } = open;
    await page.goto(`${open.product.api}/health?view=failover`);
    const room = page.getByRole('region', { name: 'Checkpoints' });
    const name = `before the upgrade ${Date.now()}`;
    await room.getByText(/^The next is made by itself in .*, one every 12 h; the newest 3 of these are kept/).waitFor();
    await room.getByLabel('What for').fill(name);
    await room.getByRole('button', { name: 'Make a checkpoint' }).click();
    const row = room.getByRole('row', { name: new RegExp(`^${name}`) });
    await row.getByText('not yet', { exact: true }).waitFor();
    await row.getByRole('button', { name: /^Validate/ }).click();
    await row.getByText('valid', { exact: true }).waitFor({ timeout: 180_000 });
    await row.getByRole('button', { name: /^Fail over…/ }).click();
    const planned = page.getByRole('region', { name: `Plan of a failover to the checkpoint ${name}` });
    await planned.getByText('What you agree to').waitFor();
    await planned.getByRole('button', { name: /^Leave it/ }).click();
    await row.getByRole('button', { name: /^Remove/ }).click();
    await row.getByRole('group').getByRole('button', { name: 'Remove', exact: true }).click();
    await row.waitFor({ state: 'detached' });
    expect(open.complaints).toEqual([]);
  });
});
