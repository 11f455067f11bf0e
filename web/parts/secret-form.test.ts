import { expect, test } from 'vitest';
import { takeTyped } from './secret-form.tsx';

test('a form for secrets that cannot be sent now keeps what was typed, whatever sends it', () => {
  const did: string[] = [];
  const event = {
    preventDefault: () => void did.push('not left'),
    // Of a form, what is done to it.
    currentTarget: { reset: () => void did.push('emptied') } as unknown as HTMLFormElement,
  };
  expect(takeTyped(event, 'One is being adopted.')).toBeUndefined();
  expect(did).toEqual(['not left']);
});
