import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasPart } from '../setup/parts.ts';
import { field, prepareRepository, removeFolder, temporaryFolder, until } from '../warden-harness.ts';
import { openPage } from './open-page.ts';

describe.skipIf(!hasPart('chromium') || !hasPart('restic'))('the views of replication and of failover', () => {
  const open = openPage('page-failover', { LIGHTRAG_REPLICATION_ENABLED: 'true' });
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
      .getByRole('row', { name: /sync backup_.* → the-cellar/ })
      .first()
      .waitFor();
    // A second attempt of this test finds no way back to a page without places, so the place goes again at its end.
    await place.getByRole('button', { name: /^Pause/ }).click();
    await place.getByRole('group').getByRole('button', { name: 'Pause', exact: true }).click();
    await row.getByText('paused', { exact: true }).waitFor();
    expect(await place.getByRole('button', { name: /^Copy now/ }).getAttribute('title')).toBe('It is paused.');
    await place.getByRole('button', { name: /^Resume/ }).click();
    await place.getByRole('button', { name: /^Pause/ }).waitFor();
    await place.getByRole('button', { name: /^Verify: / }).click();
    await history.getByLabel('What').selectOption('validate');
    await history
      .getByRole('row', { name: /validate the-cellar/ })
      .first()
      .waitFor();
    expect(await open.faults()).toEqual([]);
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
    const told = await planned.innerText();
    expect(told).toMatch(/What is lost\s+What was written in the [\d,]+ minutes? since the point was taken\./);
    expect(told).toMatch(/100 documents then and now/);
    expect(told).toContain(`lead the gateway, and all that looks at the target, to ${to}`);
    expect(await planned.getByText('the repository at').count()).toBe(1);
    // Force is a way out of a refusal, and nothing was refused.
    expect(await planned.getByLabel('Force it').count()).toBe(0);
    const begin = planned.getByRole('button', { name: `Fail over to ${to}` });
    expect(await begin.isDisabled()).toBe(true);
    await planned.getByLabel(/to bring it up at/).fill('another');
    expect(await begin.isDisabled()).toBe(true);
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
    const names = (await phases.allInnerTexts()).map((text) => text.trim().split(/\s/)[0]);
    expect(names).toEqual(['choosing', 'fencing', 'restoring', 'starting', 'checking', 'switching', 'verifying']);
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
