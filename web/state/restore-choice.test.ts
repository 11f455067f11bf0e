import { describe, expect, test } from 'vitest';
import {
  placeOf,
  type RestoreChoice,
  requestOf,
  toggleComponent,
  whyNoPlan,
  withPlace,
  withWorkspace,
} from './restore-choice.ts';

describe('a choice makes the request that says it and nothing else', () => {
  test.each<[string, RestoreChoice, object]>([
    ['all', {}, {}],
    ['components', { only: 'workspace,postgres' }, { components: ['workspace', 'postgres'] }],
    ['one workspace', { workspace: 'a' }, { workspace: 'a' }],
    ['the unnamed workspace', { workspace: '' }, { workspace: '' }],
    ['under another name', { workspace: 'a', as: 'b' }, { workspace: 'a', as_workspace: 'b' }],
    ['beside, files', { folder: '/f', name: '' }, { to: { folder: '/f' } }],
    [
      'beside, both',
      { only: 'redis', folder: '/f', name: 'n' },
      { components: ['redis'], to: { folder: '/f', name: 'n' } },
    ],
  ])('%s', (_what, choice, request) => {
    expect(requestOf(choice)).toEqual(request);
    expect(whyNoPlan(choice)).toBeUndefined();
  });
});

test.each<[RestoreChoice, string]>([
  [{ only: '' }, 'Choose at least one component.'],
  [{ workspace: 'a', as: '' }, 'Say under which name the workspace goes back.'],
  [{ folder: '', name: '' }, 'Say where it goes.'],
])('no plan is asked for while something is open: %j', (choice, why) => {
  expect(whyNoPlan(choice)).toBe(why);
});

test('one place takes the place of the other, and what goes back stays', () => {
  const beside = withPlace({ only: 'inputs', workspace: 'a', as: 'b' }, 'beside');
  expect(beside).toEqual({ only: 'inputs', workspace: 'a', folder: '', name: '' });
  expect(placeOf(beside)).toBe('beside');
  expect(placeOf(withPlace(beside, 'as'))).toBe('as');
  expect(placeOf(withPlace(beside, 'live'))).toBe('live');
});

test('another name goes when no workspace is left to have it', () => {
  expect(placeOf(withWorkspace({ workspace: 'a', as: 'b' }, undefined))).toBe('live');
  expect(withWorkspace({ workspace: 'a', as: 'b' }, '').as).toBe('b');
});

test('a component is chosen and left again', () => {
  const one = toggleComponent({}, 'inputs');
  expect(one.only).toBe('inputs');
  expect(toggleComponent(toggleComponent(one, 'workspace'), 'inputs').only).toBe('workspace');
  expect(toggleComponent(one, 'inputs').only).toBe('');
});
