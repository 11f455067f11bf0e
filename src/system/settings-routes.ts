import { z } from 'zod';
import { configSchema, findNearestName } from '../config/index.ts';
import { AppError } from '../platform/errors.ts';
import { type RoutePlugin, requireIfMatch } from '../platform/http/index.ts';
import type { ShownSetting } from './settings.ts';
import type { SettingsCheck, SettingsControl } from './settings-control.ts';

const value = z
  .union([z.string(), z.number(), z.boolean(), z.array(z.string()), z.record(z.string(), z.string()), z.null()])
  .describe('In the unit of the setting; null when there is none, and always for a secret.');

const settingSchema = z.object({
  key: z.string().describe('As it stands in ragwarden.yaml.'),
  description: z.string(),
  value,
  default: value,
  unit: z.string().nullable(),
  origin: z.object({
    kind: z.enum(['flag', 'environment', 'api', 'file', 'profile', 'default']),
    place: z.string().describe('The flag, the variable, file:line.'),
  }),
  environment: z.array(z.string()),
  flag: z.string().nullable(),
  secret: z.boolean(),
  is_set: z.boolean().describe('There is a value, told or not.'),
  runtime: z.boolean().describe('May be changed with PATCH.'),
  needs_restart: z.boolean().describe('A restart would give it another value.'),
  pending_value: value,
  fixed_by: z.string().nullable().describe('Flag or variable that counts more than the API.'),
});

const changeSchema = z.object({ key: z.string(), before: value, after: value });
const problemSchema = z.object({ place: z.string(), message: z.string(), mend: z.string() });
const checkSchema = z.object({
  valid: z.boolean(),
  file: z.string().nullable(),
  problems: z.array(problemSchema),
  notices: z.array(problemSchema).describe('What is allowed and yet probably not meant.'),
  changed: z.array(changeSchema).describe('Runtime settings with another value.'),
  needs_restart: z.array(z.string()).describe('Settings that a restart would give another value.'),
});

const keyQuery = z
  .union([z.string().max(200), z.array(z.string().max(200)).max(100)])
  .transform((given) => (typeof given === 'string' ? [given] : given))
  .describe('Only these, once per key; all when left out. What is no setting is left out.');

const listSchema = z.object({ items: z.array(settingSchema), next_cursor: z.null() });
type Value = z.infer<typeof value>;

// What a parser of the settings' table made is one of these.
const asValue = (of: unknown): Value => of as Value;

const shapeSetting = (one: ShownSetting) => ({
  key: one.key,
  description: one.about,
  value: asValue(one.value),
  default: asValue(one.fallback),
  unit: one.unit,
  origin: { ...one.origin },
  environment: [...one.env],
  flag: one.flag,
  secret: one.secret,
  is_set: one.set,
  runtime: one.runtime,
  needs_restart: one.needsRestart,
  pending_value: asValue(one.pendingValue),
  fixed_by: one.fixedBy,
});

const shapeCheck = (check: SettingsCheck) => ({
  valid: check.problems.length === 0,
  file: check.file,
  problems: [...check.problems],
  notices: [...check.notices],
  changed: check.changed.map(({ key, before, after }) => ({ key, before: asValue(before), after: asValue(after) })),
  needs_restart: [...check.needsRestart],
});

function requireActor(principal: { subject: string } | undefined): string {
  if (!principal) throw new AppError('access/unauthenticated', 'Nobody stands behind this request.');
  return principal.subject;
}

/** The settings in force, changing those that may change, reading the file again; and the schema of the file. */
export const settingsRoutes =
  (deps: { settings: SettingsControl }): RoutePlugin =>
  async (app) => {
    const { settings } = deps;
    const tags = ['settings'];
    const list = () => ({ items: settings.list().map(shapeSetting), next_cursor: null });

    app.get(
      '/ragwarden.schema.json',
      {
        config: { access: 'public', activity: 'settings.schema' },
        schema: {
          tags,
          summary: 'JSON Schema of ragwarden.yaml, for editors',
          response: { 200: z.record(z.string(), z.unknown()) },
        },
      },
      async () => configSchema(),
    );

    app.get(
      '/api/v1/settings',
      {
        config: { access: 'admin', activity: 'settings.list' },
        schema: {
          tags,
          summary: 'Every setting in force, with where it came from; secrets never',
          querystring: z.strictObject({ key: keyQuery.optional() }),
          response: { 200: listSchema },
        },
      },
      async (request, reply) => {
        const wanted = request.query.key;
        reply.header('etag', settings.etag());
        if (wanted === undefined) return list();
        const { items, ...rest } = list();
        return { ...rest, items: items.filter(({ key }) => wanted.includes(key)) };
      },
    );

    app.get(
      '/api/v1/settings/:key',
      {
        config: { access: 'admin', activity: 'settings.read', problems: ['settings/unknown'] },
        schema: {
          tags,
          summary: 'One setting',
          params: z.object({ key: z.string().max(200) }),
          response: { 200: settingSchema },
        },
      },
      async (request) => {
        const { key } = request.params;
        const all = settings.list();
        const found = all.find((one) => one.key === key);
        if (found) return shapeSetting(found);
        const nearest = findNearestName(
          key,
          all.map((one) => one.key),
        );
        throw new AppError(
          'settings/unknown',
          `There is no setting "${key}".${nearest === undefined ? '' : ` Did you mean ${nearest}?`}`,
        );
      },
    );

    app.patch(
      '/api/v1/settings',
      {
        config: {
          access: 'admin',
          activity: 'settings.patch',
          headers: ['if-match'],
          problems: ['settings/needs-restart', 'settings/fixed'],
        },
        schema: {
          tags,
          summary: 'Change runtime settings, all of them or none; null resets one',
          description:
            'Keys as in the list, such as `{"backup.frequency_seconds": 3600, "log.level": null}`. The change is in force at once and survives a restart. A value that a flag or the environment gives counts more and is refused.',
          body: z
            .record(z.string().min(1).max(200), z.unknown())
            .refine((body) => Object.keys(body).length <= 200, 'holds more than 200 settings'),
          response: { 200: listSchema.extend({ changed: z.array(changeSchema) }) },
        },
      },
      async (request, reply) => {
        const changed = await settings.patch(request.body, {
          actor: requireActor(request.principal),
          admit: (etag) => requireIfMatch(request, etag),
        });
        reply.header('etag', settings.etag());
        return {
          ...list(),
          changed: changed.map(({ key, before, after }) => ({ key, before: asValue(before), after: asValue(after) })),
        };
      },
    );

    app.post(
      '/api/v1/settings/check',
      {
        config: { access: 'admin', activity: 'settings.check' },
        schema: {
          tags,
          summary: 'Look at the file as it is now, and say what reading it again would do; changes nothing',
          response: { 200: checkSchema },
        },
      },
      async () => shapeCheck(settings.check()),
    );

    app.post(
      '/api/v1/settings/reload',
      {
        config: { access: 'admin', activity: 'settings.reload', problems: ['config/invalid'] },
        schema: {
          tags,
          summary: 'Read the file and the files of secrets again, all of it or nothing',
          description: 'Runtime settings change at once; what needs a restart is told and stays as it is.',
          response: { 200: checkSchema },
        },
      },
      async (request) => shapeCheck(await settings.reload(requireActor(request.principal))),
    );
  };
