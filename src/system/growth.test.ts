import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findSettingByKey } from '../config/index.ts';
import { growthKinds } from './growth.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/growth.md'), 'utf8');

test.each(Object.entries(growthKinds))(
  '%s has a setting for its cap and a line in docs/growth.md',
  (kind, { setting }) => {
    expect(findSettingByKey(setting)).toBeDefined();
    expect(page).toContain(`| ${kind} |`);
    expect(page).toContain(`\`${setting}\``);
  },
);
