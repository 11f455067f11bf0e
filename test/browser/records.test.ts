import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasPart } from '../setup/parts.ts';
import { field } from '../warden-harness.ts';
import { openPage } from './open-page.ts';

describe.skipIf(!hasPart('chromium'))('the views of what is kept', () => {
  const open = openPage('page-records', { BACKUP_ENABLED: 'false' });

  beforeAll(() => open.logIn());

  describe('the view of alerts', () => {
    let attempts = 0;
    let rule = '';
    const removeRule = async (): Promise<void> => {
      await open.asAdmin(`api/v1/metrics/alerts/rules/${rule}`, undefined, 'DELETE');
    };
    afterAll(async () => {
      await removeRule();
      await open.page.goto(`${open.product.api}/health`);
    });

    test('what fires is looked after and silenced, its rule is tried out on the past, and its end is in the history', async () => {
      attempts += 1;
      rule = `page_up_${attempts}`;
      await open.asAdmin('api/v1/metrics/alerts/rules', {
        ...{ name: rule, metric_name: 'ragwarden_target_up', condition: 'gte', threshold: 0, duration_seconds: 0 },
        ...{ severity: 'warning', runbook_url: 'docs/runbooks/backend-offline.md' },
      });
      await open.page.getByRole('link', { name: 'Alerts', exact: true }).click();
      const alert = open.page
        .getByRole('region', { name: 'Alerts', exact: true })
        .getByRole('article', { name: new RegExp(`^${rule} .*target=sample`) });
      await alert.getByText('warning, firing', { exact: true }).waitFor();
      await expect.poll(() => alert.innerText()).toContain('ragwarden_target_up is at or above 0');
      // It comes with the rules, which are another answer.
      await alert.getByText('docs/runbooks/backend-offline.md').first().waitFor();

      await alert.getByRole('button', { name: /^Fill in a silence/ }).click();
      const silences = open.page.getByRole('region', { name: 'Silences' });
      await silences.getByLabel(/^Why/).fill('tried in a browser');
      await silences.getByRole('button', { name: 'Silence', exact: true }).click();
      const held = silences.getByRole('listitem').filter({ hasText: `alertname=${rule}` });
      await held.getByText('tried in a browser').waitFor();
      await alert.getByText('warning, silenced', { exact: true }).waitFor();

      await alert.getByRole('button', { name: /^Acknowledge/ }).click();
      await alert.getByLabel(/^Note/).fill('on it');
      await alert.getByRole('button', { name: 'Acknowledge', exact: true }).click();
      await alert.getByText(/looks after it since .*: on it$/).waitFor();

      const rules = open.page.getByRole('region', { name: 'Rules' });
      await rules.getByRole('button', { name: `Try out ${rule} on what is stored` }).click();
      await expect.poll(() => rules.getByRole('combobox').first().inputValue(), { timeout: 60_000 }).toBe(rule);
      await rules.getByRole('form', { name: 'Try a rule out' }).getByRole('button', { name: 'Try out' }).click();
      await rules
        .getByRole('status')
        .getByText(/^It would (not )?have fired/)
        .waitFor();
      expect(await open.faults()).toEqual([]);

      await held.getByRole('button', { name: /^End the silence/ }).click();
      await held.getByRole('button', { name: 'End', exact: true }).click();
      await held.waitFor({ state: 'detached' });
      await removeRule();
      await alert.waitFor({ state: 'detached' });
      const past = open.page
        .getByRole('region', { name: 'History' })
        .getByRole('listitem')
        .filter({ hasText: rule })
        .first();
      await past.locator('summary').click();
      await past.getByText('The rule was removed.').waitFor();
    });
  });

  describe('the views of resources and of cleanup', () => {
    afterAll(async () => void (await open.page.goto(`${open.product.api}/health`)));
    const register = (resource_id: string) =>
      open.asAdmin('api/v1/metrics/resources', { resource_id, resource_type: 'lock', owner: resource_id });

    test('what is registered, what leaks and what is left over are seen', async () => {
      await register('seen');
      await open.page.goto(`${open.product.api}/health?view=resources`);
      await open.page
        .getByRole('region', { name: 'Registered resources' })
        .getByRole('row', { name: /^lock \d+ 0$/ })
        .waitFor();
      await open.page.getByRole('region', { name: 'Leaks', exact: true }).waitFor();
      await open.page.getByRole('region', { name: 'Processes and servers' }).waitFor();
      const orphans = open.page.getByRole('region', { name: /^Left over in/ });
      await orphans.getByRole('button', { name: /^Look now/ }).click();
      await orphans.getByText(/^Looked at/).waitFor();
      expect(await open.faults()).toEqual([]);
    });

    test('a plan is shown first, carried out when that was confirmed, and undone from the quarantine', async () => {
      // Another one with each attempt.
      const id = `lock-${Date.now()}`;
      const statusOfLock = async () => field(await open.asAdmin(`api/v1/metrics/resources/${id}`), 'status');
      await register(id);
      await open.page.getByRole('link', { name: 'Cleanup', exact: true }).click();
      await open.address((url) => url.searchParams.get('view')).toBe('cleanup');
      const form = open.page.getByRole('region', { name: 'Clean up', exact: true });
      await form.getByLabel('What to clean up').selectOption('resources');
      await form.getByLabel('Parameters').fill(`owner=${id} force=true`);
      await form.getByRole('button', { name: 'Show the plan' }).click();
      const plan = form.getByRole('article', { name: 'Plan for resources' });
      await plan.getByRole('row', { name: new RegExp(`^lock ${id} in use, and forced`) }).waitFor();
      expect(await statusOfLock()).toBe('active');
      await plan.getByRole('button', { name: 'Carry out' }).click();
      expect(await open.faults()).toEqual([]);
      await plan.getByRole('group', { name: 'Carry out' }).getByRole('button', { name: 'Carry out' }).click();
      const entry = open.page.getByRole('region', { name: 'Quarantine' }).getByRole('listitem').filter({ hasText: id });
      await entry.getByText(`lock ${id}`, { exact: true }).waitFor();
      expect(await statusOfLock()).not.toBe('active');
      await entry.getByRole('button', { name: /^Undo/ }).click();
      await entry.getByRole('group').getByRole('button', { name: 'Undo', exact: true }).click();
      await entry.waitFor({ state: 'detached' });
      await expect.poll(statusOfLock, { timeout: 60_000 }).toBe('active');
      expect(await open.faults()).toEqual([]);
    });
  });

  describe('the view of analytics', () => {
    afterAll(async () => {
      await open.page.unroute('**/analytics/recommendations**');
      await open.page.goto(`${open.product.api}/health`);
    });

    test('a look is asked for, and what is recommended is dismissed, taken back and kept without losing the keyboard', async () => {
      const { page } = open;
      // It takes hours of samples before anything is recommended: the answer stands in for them.
      const one = {
        ...{ recommendation_id: 'rec_1', title: 'Free disk space', description: 'It fills.', priority: 'high' },
        ...{ optimization_type: 'cleanup', implementation_effort: 'low', steps: ['Run `ragwarden cleanup`.'] },
        estimated_savings: { amount: null, unit: 'bytes', basis: 'Nobody knows.' },
      };
      let isOpen = true;
      const asked: string[] = [];
      await page.route('**/analytics/recommendations**', async (route) => {
        const { pathname } = new URL(route.request().url());
        if (route.request().method() === 'POST') {
          asked.push(`${pathname.split('/').at(-1)} ${route.request().postData() ?? ''}`.trim());
          isOpen = pathname.endsWith('/reopen');
        }
        await route.fulfill({ json: { items: isOpen ? [one] : [], next_cursor: null, total: isOpen ? 1 : 0 } });
      });
      await page.getByRole('link', { name: 'Analytics', exact: true }).click();
      const main = page.getByRole('main');
      const advice = main.getByRole('region', { name: 'Recommendations' });
      await advice.getByText('Free disk space').waitFor();
      for (const name of ['Forecasts', 'Patterns', 'Profiles']) await main.getByRole('region', { name }).waitFor();
      const look = page.waitForResponse((answer) => answer.url().endsWith('/analytics/run'));
      await advice.getByRole('button', { name: /^Look now/ }).click();
      expect((await look).status()).toBe(200);
      await advice.getByText(/^Looked at \d+ series in/).waitFor();
      expect(await open.faults()).toEqual([]);

      const focused = advice.locator(':focus');
      await advice.getByRole('button', { name: /^Dismiss/ }).press('Enter');
      await expect.poll(() => focused.evaluate((element) => element.tagName), { timeout: 60_000 }).toBe('INPUT');
      await page.keyboard.press('Escape');
      await advice.locator('button:focus', { hasText: 'Dismiss' }).press('Enter');
      await advice.getByRole('button', { name: /^Keep it/ }).press('Enter');
      await advice.locator('button:focus', { hasText: 'Dismiss' }).press('Enter');
      await focused.fill('a larger disk comes');
      await page.keyboard.press('Enter');
      await advice.getByText('Nothing is recommended.').waitFor();
      await advice.locator('button:focus', { hasText: 'Take it back' }).press('Enter');
      await advice.getByText('It fills.').waitFor();
      expect(asked).toEqual(['dismiss {"reason":"a larger disk comes"}', 'reopen']);
    });
  });

  describe('the view of quotas', () => {
    const quotaId = 'page_chunks';
    afterAll(async () => {
      await open.asAdmin(`api/v1/metrics/quotas/${quotaId}`, undefined, 'DELETE');
      await open.page.goto(`${open.product.api}/health`);
    });

    test('what was used of a limit is seen, who passed it, and counting begins anew when that was confirmed', async () => {
      await open.asAdmin('api/v1/metrics/quotas', {
        ...{ quota_id: quotaId, name: 'Chunks of the page', resource_type: 'chunks', limit: 10, action: 'block' },
      });
      for (const amount of [8, 5])
        await open.asAdmin('api/v1/metrics/quotas/check', { resource_type: 'chunks', usage_amount: amount });
      await open.page.getByRole('link', { name: 'Quotas', exact: true }).click();
      const limit = open.page
        .getByRole('region', { name: 'Limits' })
        .getByRole('article', { name: 'Chunks of the page' });
      await limit.getByText(/^8 .*of 10 .*\(80 %\)/).waitFor();
      await open.page.getByRole('region', { name: 'Beyond the limit' }).getByText(quotaId).waitFor();
      await open.page.getByRole('region', { name: 'Ledger' }).waitFor();
      expect(await open.faults()).toEqual([]);
      await limit.getByRole('button', { name: `Reset what was counted of ${quotaId}`, exact: true }).click();
      await limit.getByRole('group').getByRole('button', { name: 'Reset', exact: true }).click();
      await limit.getByText(/^0 .*of 10 /).waitFor();
      // What is held for work under way counts, is told with its holder, and is given back when that was confirmed.
      const held = await open.asAdmin('api/v1/metrics/quotas/reservations', {
        ...{ amounts: { chunks: 4 }, user_id: 'somebody', ttl_seconds: 3600 },
      });
      const reservations = open.page.getByRole('region', { name: 'Reservations' });
      const one = reservations.getByRole('listitem').filter({ hasText: String(field(held, 'reservation_id')) });
      await one.getByText('held', { exact: true }).waitFor();
      await expect
        .poll(() => one.innerText())
        .toMatch(/4 chunks\s+user somebody by local:admin, .+ page_chunks · given back by itself: in /s);
      await limit.getByText(/4 held/).waitFor();
      await one.getByRole('button', { name: /^Give back/ }).click();
      await one.getByRole('group').getByRole('button', { name: 'Give back', exact: true }).click();
      await reservations.getByText('Nothing is held.').waitFor();
      await limit.getByText(/4 held/).waitFor({ state: 'detached' });
    });
  });

  describe('the view of events', () => {
    afterAll(async () => void (await open.page.goto(`${open.product.api}/health`)));

    test('is narrowed by filters that are in its address, and one event leads to all that belongs to it', async () => {
      const message = 'The nightly copy went to the other house.';
      await open.asAdmin('api/v1/events', {
        ...{ kind: 'replication', event_type: 'synced', graph_id: 'sample', severity: 'critical', message },
      });
      await open.page.getByRole('link', { name: 'Events', exact: true }).click();
      const log = open.page.getByRole('region', { name: 'Events' });
      await log.getByText(message).waitFor();
      await log.getByLabel('Kind').selectOption('replication');
      await log.getByLabel('Severity').selectOption('critical');
      await open
        .address((url) => [url.searchParams.get('view'), url.searchParams.get('kind')])
        .toEqual(['events', 'replication']);
      await expect.poll(() => log.getByRole('listitem').count(), { timeout: 60_000 }).toBe(1);
      await open.page.reload();
      await log.getByText(message).click();
      await log.getByText('replication.told.synced').waitFor();
      expect(await open.faults()).toEqual([]);
      // What was asked is in the trail, what came of it in the log: one list.
      await open.asAdmin('api/v1/settings/reload', {});
      await log.getByLabel('Kind').selectOption('lifecycle');
      await log.getByLabel('Severity').selectOption('');
      await log.getByText(/^The settings were read again/).click();
      await log.getByRole('button', { name: 'Show what belongs together' }).click();
      const together = open.page.getByRole('region', { name: 'What belongs together' });
      await together.getByText(/^The settings were read again/).waitFor();
      await together
        .getByText(/settings\.reload/)
        .first()
        .waitFor();
      await together.getByRole('button', { name: 'Back to all events' }).click();
      await open.page.getByRole('region', { name: 'How many, and when' }).waitFor();
    });

    test('the course is counted by kind, the trail is verified, and both are exported', async () => {
      await open.page.goto(`${open.product.api}/health?view=events`);
      const counts = open.page.getByRole('region', { name: 'How many, and when' });
      await counts.getByRole('img', { name: /^\d+ events? over time/ }).waitFor();
      await counts.getByRole('row', { name: /^replication / }).waitFor();
      const trail = open.page.getByRole('region', { name: 'Audit trail' });
      await trail.getByRole('button', { name: /^Verify/ }).click();
      await trail.getByText('whole', { exact: true }).waitFor();
      const link = trail.getByRole('link', { name: 'Export these events' });
      const lines = await open.page.evaluate<string>(
        `fetch(${JSON.stringify(await link.getAttribute('href'))}).then((answer) => answer.text())`,
      );
      expect(lines).toContain('The nightly copy went to the other house.');
    });
  });

  test('a parameter is changed after what it would do was shown, told in the history, and brought back', async () => {
    await open.page.goto(`${open.product.api}/health?view=tuning`);
    const values = open.page.getByRole('region', { name: 'Parameters' });
    const past = open.page.getByRole('region', { name: 'History' });
    await open.page.getByRole('region', { name: 'Advice' }).waitFor();
    await values.getByRole('button', { name: 'All of them' }).click();
    // Another one at a second attempt: what is so already would change nothing.
    const first = 1_000 + (Date.now() % 900);
    for (const typed of [String(first), String(first + 1)]) {
      await values.getByRole('button', { name: 'Change chunk_size', exact: true }).click();
      const form = values.getByRole('form', { name: 'Change chunk_size' });
      await form.getByRole('textbox', { name: 'Value' }).fill(typed);
      await form.getByRole('button', { name: 'What would it do?' }).click();
      await form
        .getByText(/keep what they were read with|The index is empty/)
        .first()
        .waitFor();
      await form.getByRole('button', { name: 'Set it' }).click();
      await past.getByText(`→ ${typed}`).first().waitFor();
      await values.getByRole('button', { name: 'Close chunk_size', exact: true }).click();
    }
    expect(await open.faults()).toEqual([]);
    await past
      .getByRole('button', { name: /^Go back to it, revision/ })
      .first()
      .click();
    await past.getByRole('button', { name: 'Go back to it', exact: true }).click();
    await past.getByText(`chunk_size: ${first + 1} → ${first}`).waitFor();
    await open.page.goto(`${open.product.api}/health`);
  });
});
