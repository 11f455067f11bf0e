import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, test } from 'vitest';
import type { ApiDocument } from '../src/platform/http/openapi.ts';

const path = join(resolve(import.meta.dirname, '..'), 'docs/openapi.json');
const document = JSON.parse(readFileSync(path, 'utf8')) as ApiDocument;
const operations = Object.entries(document.paths).flatMap(([place, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${place}`, method, operation })),
);

// That it is what the routes say is shown with the other documents, in docs.test.ts.
describe('the description of the API', () => {
  test('is valid OpenAPI 3.1 by the schema of the standard', async () => {
    const validator = new Validator();
    const result = await validator.validate(structuredClone(document));
    expect(result.errors).toBeUndefined();
    expect(result.valid).toBe(true);
    expect(validator.version).toBe('3.1');
    const broken = { ...structuredClone(document), paths: { '/x': { get: { responses: 5 } } } };
    expect((await new Validator().validate(broken)).valid).toBe(false);
  });

  test('has only references that lead somewhere', () => {
    const broken: string[] = [];
    for (const [, pointer = ''] of JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]*)"/g)) {
      let found: unknown = document;
      for (const step of pointer.split('/')) found = (found as Record<string, unknown> | undefined)?.[step];
      if (found === undefined) broken.push(pointer);
    }
    expect(broken).toEqual([]);
  });

  test('says of each operation its name, class, answers and refusals', () => {
    expect(operations.length).toBeGreaterThan(40);
    expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(operations.length);
    for (const { name, method, operation } of operations) {
      expect(operation.summary, name).toMatch(/^[A-Z0-9].{3,}[^.]$/);
      expect(operation.tags, name).toHaveLength(1);
      const statuses = Object.keys(operation.responses);
      expect(
        statuses.some((status) => /^[23]/.test(status)),
        name,
      ).toBe(true);
      expect(statuses, name).toContain('default');
      expect(statuses.includes('401'), name).toBe(
        operation['x-access'] !== 'public' || operation['x-codes'].includes('access/unauthenticated'),
      );
      expect(operation.security.length === 0, name).toBe(operation['x-access'] === 'public');
      if (method !== 'get') expect(statuses, name).toContain('415');
      if (operation.parameters?.some((one) => one.in === 'path')) expect(statuses, name).toContain('422');
    }
  });

  test('says of long work how to wait for it and how to repeat it safely', () => {
    const starting = operations.filter(({ operation }) => 'postTargetsByIdInspect' === operation.operationId);
    expect(starting).toHaveLength(1);
    const names = starting[0]?.operation.parameters?.map(({ name }) => name);
    expect(names).toEqual(['id', 'Prefer', 'Idempotency-Key']);
    expect(starting[0]?.operation.responses['202']).toMatchObject({
      headers: { Location: expect.anything(), 'Preference-Applied': expect.anything() },
    });
  });
});
