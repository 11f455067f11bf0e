import { expect, test } from 'vitest';
import { readConfig } from './index.ts';

const read = (content: string) => readConfig({ env: {}, cwd: '/', given: { name: 'given.yaml', content } });

test('prices of models come from the file, per million tokens', () => {
  const { config, problems } = read(
    'traffic:\n  prices:\n    - {model: gpt-4o*, provider: openai, input_usd: 2.5, cached_input_usd: 1.25, output_usd: 10}\n    - {model: embed, input_usd: 0.02}\n',
  );
  expect(problems).toEqual([]);
  expect(config.traffic.prices).toEqual([
    { model: 'gpt-4o*', provider: 'openai', inputUsd: 2.5, outputUsd: 10, cachedInputUsd: 1.25 },
    { model: 'embed', provider: undefined, inputUsd: 0.02, outputUsd: 0, cachedInputUsd: undefined },
  ]);
});

test.each([
  ['{model: "a*b", input_usd: 1}', 'traffic.prices.0.model'],
  ['{model: a, input_usd: -1}', 'traffic.prices.0.input_usd'],
  ['{model: a}', 'traffic.prices.0.input_usd'],
  ['{model: a, input_usd: 1, per: token}', 'traffic.prices.0'],
])('a price such as %s is a problem at its place', (price, place) => {
  const { problems } = read(`traffic:\n  prices:\n    - ${price}\n`);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatchObject({ place: 'given.yaml:3' });
  expect(problems[0]?.message).toContain(place);
});
