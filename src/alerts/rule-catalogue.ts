import { type AlertRuleBody, alertRuleBody } from '../config/index.ts';
import type { EventRecorder } from '../events/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import { AppError } from '../platform/errors.ts';
import type { Logger } from '../platform/logging.ts';
import type { AlertRule, RuleOrigin } from './alert-rule.ts';
import type { AlertStore, StoredRule } from './alert-store.ts';
import { ruleOf } from './rule-body.ts';

/** A rule with where it comes from. */
export type KnownRule = {
  readonly rule: AlertRule;
  readonly body: AlertRuleBody;
  readonly origin: RuleOrigin;
  /** Of one put over the API; 0 for the others, which change with a restart only. */
  readonly revision: number;
  /** Origins of rules of this name that do not count because of this one. */
  readonly shelved: readonly RuleOrigin[];
  readonly updatedMs: number | null;
  readonly updatedBy: string | null;
};

export type RuleCatalogue = {
  /** Those that count, by name. Read anew from the store, since another process may have put some. */
  load(): Promise<readonly KnownRule[]>;
  find(name: string): Promise<KnownRule | undefined>;
  /** @throws AppError `alerts/unknown-rule` */
  require(name: string): Promise<KnownRule>;
  /**
   * @param expects told the rule that is there now, in the unit of the change; throws when it is not what was expected
   * @throws AppError `conflict/state` for one of the file, which wins, and at the most rules
   */
  put(
    body: AlertRuleBody,
    by: string,
    options?: { createOnly?: boolean },
  ): Promise<{ known: KnownRule; created: boolean }>;
  /** One that shadowed a default brings that one back. @throws AppError `alerts/unknown-rule`, `conflict/state` */
  remove(name: string, by: string): Promise<void>;
  /** Tells of rules of the API that one of the file shelves; once per start. */
  tellShelved(): Promise<void>;
};

export const mostRules = 1_000;

/** Rules of the file, of the API, and those that come with ragwarden, as one. */
export function createRuleCatalogue(options: {
  store: AlertStore;
  fileRules: readonly AlertRuleBody[];
  defaultRules: readonly AlertRuleBody[];
  db: Pick<Database, 'unit'>;
  events: EventRecorder;
  clock: Clock;
  log: Logger;
}): RuleCatalogue {
  const { store, db, events, clock, log } = options;
  const fixed = (bodies: readonly AlertRuleBody[], origin: RuleOrigin) =>
    new Map<string, KnownRule>(
      bodies.map((body) => [
        body.name,
        { rule: ruleOf(body), body, origin, revision: 0, shelved: [], updatedMs: null, updatedBy: null },
      ]),
    );
  const ofFile = fixed(options.fileRules, 'file');
  const defaults = fixed(options.defaultRules, 'default');
  /** Parsed once per revision. */
  const parsed = new Map<string, KnownRule | undefined>();
  let last: readonly KnownRule[] | undefined;
  let lastVersion = '';

  const ofApi = (stored: StoredRule): KnownRule | undefined => {
    const key = `${stored.name} ${stored.revision} ${stored.updatedMs}`;
    if (parsed.has(key)) return parsed.get(key);
    const read = alertRuleBody.safeParse(JSON.parse(stored.body));
    // Written by an other version: left out and told, so that the others go on.
    if (!read.success) log.warn({ rule: stored.name, issues: read.error.issues }, 'a stored alert rule cannot be read');
    const known: KnownRule | undefined = read.success
      ? {
          ...{ rule: ruleOf(read.data), body: read.data, origin: 'api', revision: stored.revision, shelved: [] },
          ...{ updatedMs: stored.updatedMs, updatedBy: stored.updatedBy },
        }
      : undefined;
    parsed.set(key, known);
    return known;
  };

  const load = async (): Promise<readonly KnownRule[]> => {
    const version = await store.rulesVersion();
    // The same list as before, so that what is bound to its rules stays bound.
    if (last !== undefined && version === lastVersion) return last;
    const stored = await store.rules();
    const known = new Map<string, KnownRule>();
    const claim = (one: KnownRule): void => {
      const first = known.get(one.rule.name);
      known.set(one.rule.name, first ? { ...first, shelved: [...first.shelved, one.origin] } : one);
    };
    for (const one of ofFile.values()) claim(one);
    for (const one of stored) {
      const read = ofApi(one);
      if (read) claim(read);
    }
    for (const one of defaults.values()) claim(one);
    last = [...known.values()].sort((a, b) => (a.rule.name < b.rule.name ? -1 : 1));
    lastVersion = version;
    return last;
  };
  const find = async (name: string): Promise<KnownRule | undefined> =>
    (await load()).find(({ rule }) => rule.name === name);
  const require = async (name: string): Promise<KnownRule> => {
    const known = await find(name);
    if (known === undefined)
      throw new AppError(
        'alerts/unknown-rule',
        `There is no alert rule "${name}". \`ragwarden alerts rules\` lists them.`,
      );
    return known;
  };
  const refuseFile = (name: string): void => {
    if (ofFile.has(name))
      throw new AppError(
        'conflict/state',
        `The rule "${name}" stands in ragwarden.yaml, which counts more than the API. Change it there.`,
      );
  };

  return {
    load,
    find,
    require,
    async put(body, by, { createOnly = false } = {}) {
      refuseFile(body.name);
      const before = await find(body.name);
      if (createOnly && before?.origin === 'api')
        throw new AppError('conflict/state', `There is a rule "${body.name}" already. PUT changes it.`);
      const ofTheApi = (await store.rules()).length;
      if (before?.origin !== 'api' && ofTheApi >= mostRules)
        throw new AppError('conflict/state', `There are ${mostRules} rules already, which is the most there may be.`);
      await db.unit(async (tx) => {
        await store.putRule(tx, { name: body.name, body: JSON.stringify(body), nowMs: clock.now(), by });
        const created = before?.origin !== 'api';
        await events.audit(tx, {
          ...{ actor: by, action: created ? 'alerts.create-rule' : 'alerts.change-rule', object: body.name },
          outcome: 'done',
          data: { before: before?.body ?? null, after: body },
        });
      });
      return { known: await require(body.name), created: before?.origin !== 'api' };
    },
    async remove(name, by) {
      refuseFile(name);
      const before = await require(name);
      if (before.origin === 'default')
        throw new AppError(
          'conflict/state',
          `The rule "${name}" comes with ragwarden. Put one of the same name with \`enabled: false\` to switch it off.`,
        );
      await db.unit(async (tx) => {
        await store.deleteRule(tx, name);
        await events.audit(tx, {
          ...{ actor: by, action: 'alerts.delete-rule', object: name, outcome: 'done', data: { before: before.body } },
        });
      });
    },
    async tellShelved() {
      const shelved = (await load()).filter(
        ({ origin, shelved: others }) => origin === 'file' && others.includes('api'),
      );
      if (shelved.length === 0) return;
      await db.unit(async (tx) => {
        for (const { rule } of shelved)
          await events.record(tx, {
            type: 'alert.rule-shelved',
            severity: 'warning',
            message: `The alert rule "${rule.name}" of the API does not count: ragwarden.yaml has one of the same name.`,
            data: { rule: rule.name },
          });
      });
    },
  };
}
