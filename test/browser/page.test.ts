import { describe, expect, test } from 'vitest';
import { hasPart } from '../setup/parts.ts';
import { openPage } from './open-page.ts';

describe.skipIf(!hasPart('chromium'))('the page', () => {
  const open = openPage('page');

  test('a stranger sees the overall word and a login, and a wrong token stays outside', async () => {
    await open.page.goto(`${open.product.api}/health`);
    await open.page.getByLabel('Access token').waitFor();
    const words = async () => (await open.page.innerText('body')).split(/\s+/).filter((word) => word !== '');
    await expect
      .poll(async () => (await words()).join(' '))
      .toMatch(
        /^ragwarden (healthy|unknown|degraded|unhealthy) Access token Log in The token of the first start, or ragwarden token login-link on the machine it runs on\.$/,
      );
    await open.page.getByLabel('Access token').fill('rw_nobody-knows-this-one');
    await open.page.getByRole('button', { name: 'Log in' }).click();
    await open.page.getByRole('alert').waitFor();
    await expect.poll(() => open.page.getByRole('heading', { name: 'Backend' }).count()).toBe(0);
  });

  test('the one-time link logs in and leaves the address', async () => {
    await open.logIn();
    await open.address((url) => url.href).toBe(`${open.product.api}/health`);
    expect(await open.page.evaluate('document.cookie')).toBe('');
  });

  test('backend, host and events are seen with what was measured', async () => {
    const target = open.page.getByRole('article', { name: 'Target sample' });
    await target.getByText('HEALTHY', { exact: true }).waitFor();
    await expect.poll(() => target.innerText()).toMatch(/lightrag 1\.\d+\.\d+/);
    await expect.poll(() => target.innerText()).toMatch(/\d+ documents/);
    await open.page.getByRole('status').getByText('live').waitFor();
    const host = open.page.getByRole('region', { name: 'Host' });
    await host.getByText('Memory', { exact: true }).waitFor();
    // A share of the time between two looks, so a look later than the memory.
    await expect.poll(() => host.innerText(), { timeout: 60_000 }).toMatch(/CPU\s+\d/);
    await open.page
      .getByRole('region', { name: 'Events' })
      .getByText(/started/)
      .first()
      .waitFor();
  });

  describe.skipIf(!hasPart('restic'))('recovery', () => {
    const row = (cause: string) => open.page.getByRole('row').filter({ hasText: cause });

    test('the first point comes by itself, another when it is asked for, each as an event at once', async () => {
      await row('scheduled').getByText('consistent').waitFor();
      const take = open.page.getByRole('button', { name: 'Take a point now' });
      await expect.poll(() => take.isEnabled(), { timeout: 60_000 }).toBe(true);
      // Noticed in the page itself: a point of the sample is soon taken, and from here one looks twice a second.
      const shown = open.page.evaluate(`new Promise((resolve) => {
        const button = 'button.is-main[aria-disabled="true"][title="A recovery point is being taken."]';
        const isShown = () => document.querySelector('progress') && document.querySelector(button);
        new MutationObserver((_, observer) => {
          if (!isShown()) return;
          observer.disconnect();
          resolve(true);
        }).observe(document.body, { subtree: true, childList: true, attributes: true });
        setTimeout(() => resolve(false), 60_000);
      })`);
      expect((await Promise.all([shown, take.click()]))[0]).toBe(true);
      await row('manual').getByText('consistent').waitFor();
      await open.page
        .getByRole('region', { name: 'Events' })
        .getByText(/was taken/)
        .first()
        .waitFor();
    });

    test('the details of a point are in the address', async () => {
      await row('manual').getByRole('button', { expanded: false }).click();
      await open.page.getByText('Why this grade').waitFor();
      await open.address((url) => url.search).toMatch(/^\?point=backup_/);
      await open.page.goBack();
      await expect.poll(() => open.page.getByText('Why this grade').count()).toBe(0);
    });

    test('the course of the points has a mark for each, and a mark leads to its point', async () => {
      const course = open.page.getByRole('region', { name: 'Course' });
      const mark = course.getByRole('button', { name: /consistent points?.* of .*read back/ });
      await mark.click();
      await open.page.getByText('Do its stores belong together').waitFor();
      await open.address((url) => url.search).toMatch(/^\?point=backup_/);
      const detail = open.page.locator('.point-detail');
      await expect.poll(() => detail.innerText()).toMatch(/clean[\s\S]*workspace files · [\s\S]*by record/);
      await expect.poll(() => course.innerText()).toContain('without a good point');
      await open.page.goBack();
    });

    test('the schedule is stopped and started, and said to be off in between', async () => {
      const recovery = open.page.getByRole('region', { name: 'Recovery' });
      await recovery.getByRole('button', { name: /^Stop the schedule/ }).click();
      await recovery.getByText('the schedule is off').waitFor();
      await recovery.getByRole('button', { name: /^Start the schedule/ }).click();
      await recovery.getByRole('button', { name: /^Stop the schedule/ }).waitFor();
    });

    test('a restore shows the plan of what is chosen, waits until the target was named, and tells what it did', async () => {
      await row('manual')
        .getByRole('button', { name: /^Restore/ })
        .click();
      const dialog = open.page.getByRole('dialog');
      await dialog.getByText('What happens').waitFor();
      await expect.poll(() => dialog.innerText()).toMatch(/What will be lost/);
      // But what no restore of this kind ever puts back.
      await expect.poll(() => dialog.innerText()).toMatch(/Left alone\s+ragwarden-state/);
      await expect.poll(async () => (await dialog.innerText()).match(/by ragwarden recover/g)).toHaveLength(1);
      await dialog.getByRole('radio', { name: 'Some components' }).check();
      await dialog.getByText('Choose at least one component.').waitFor();
      const confirm = dialog.getByRole('button', { name: 'Restore', exact: true });
      await expect.poll(() => confirm.count()).toBe(0);
      await dialog.getByRole('checkbox', { name: /^inputs/ }).check();
      await dialog.getByText('workspace: not asked for').waitFor();
      await open.address((url) => url.searchParams.get('only')).toBe('inputs');
      await expect.poll(() => dialog.getByRole('radio', { name: /^Under another name/ }).isDisabled()).toBe(true);
      await expect.poll(() => confirm.isDisabled()).toBe(true);
      await dialog.getByLabel(/to replace its data/).fill('sample');
      await expect.poll(() => confirm.isEnabled()).toBe(true);
      await confirm.click();
      await dialog.getByText('Restored').waitFor({ timeout: 60_000 });
      await expect
        .poll(() => dialog.innerText())
        .toMatch(/What went back\s+100 files[\s\S]*Safety point\s+backup_[\s\S]*undo-/);
      await dialog.getByRole('button', { name: 'Close' }).click();
      // The address follows the dialog, not within the same turn.
      await open.page.waitForURL(`${open.product.api}/health`);
      await row('safety').waitFor();
    });

    test('nobody drilled, which is a warning; a drill is run, and its verdict, phases and evidence are there', async () => {
      const panel = open.page.getByRole('region', { name: 'Drills and objectives' });
      await panel.getByText(/^Never drilled/).waitFor();
      await panel.getByRole('button', { name: /^Run a drill/ }).click();
      await panel.getByText('passed').waitFor({ timeout: 60_000 });
      await expect.poll(() => panel.getByText(/^Never drilled/).count(), { timeout: 60_000 }).toBe(0);
      await panel.getByText(/^\d+ phases$/).click();
      await expect.poll(() => panel.innerText()).toMatch(/Time to restore \(RTO\)\s+[\d.]+ s\s+met/);
      const evidence = panel.getByRole('link', { name: 'Evidence' });
      await expect.poll(() => evidence.getAttribute('href')).toMatch(/\/op_\w+\/evidence$/);
      await open.page
        .getByRole('region', { name: 'Course' })
        .getByRole('button', { name: /^passed drill/ })
        .waitFor();
    });

    test('the upkeep of the repository is seen, and nothing is wider than a phone now either', async () => {
      const table = open.page.getByRole('region', { name: 'Repository' });
      await expect.poll(() => table.getByRole('row').count()).toBe(4);
      await expect.poll(() => table.innerText()).toMatch(/Checked[\s\S]*never yet/);
      expect(await open.faults()).toEqual([]);
    });
  });

  test('logging out ends it, and the browser had nothing to complain of', async () => {
    await open.page.getByRole('button', { name: 'Log out' }).click();
    await open.page.getByLabel('Access token').waitFor();
    await open.page.reload();
    await open.page.getByLabel('Access token').waitFor();
    expect(open.complaints).toEqual([]);
  });

  test('when ragwarden is gone, the page says so and does not repeat its last word', async () => {
    open.product.child.kill('SIGTERM');
    await open.page.getByText('ragwarden does not answer.').waitFor();
    await expect.poll(() => open.page.innerText('.overall')).toMatch(/^\s*unknown/);
  });
});
