import { afterEach, beforeEach, expect, test } from 'vitest';
import { embed, startStandInLlm } from './stand-in-llm.mjs';

let llm: Awaited<ReturnType<typeof startStandInLlm>>;
beforeEach(async () => {
  llm = await startStandInLlm({ dim: 8 });
});
afterEach(() => llm.stop());

function ask(path: string, body: unknown): Promise<Response> {
  return fetch(`${llm.url}${path}`, { method: 'POST', body: JSON.stringify(body) });
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
}

test.each([
  ['1.5', '---Input Text---'],
  ['1.4', '<Input Text>'],
])(
  'answers an extraction prompt of %s in the delimiter text, entities before relations and the end marker last',
  async (_, heading) => {
    const content = `---Task---\nExtract.\n${heading}\n\`\`\`\nThe Elbe meets 「隅田川」.\n\`\`\`\n`;
    const response = await ask('/chat/completions', { model: 'm', messages: [{ role: 'user', content }] });
    const { choices } = (await response.json()) as { choices: { message: { content: string } }[] };
    expect(choices[0]?.message.content.split('\n')).toEqual([
      'entity<|#|>The Elbe<|#|>concept<|#|>The Elbe meets 「隅田川」.',
      'entity<|#|>隅田川<|#|>concept<|#|>The Elbe meets 「隅田川」.',
      'relation<|#|>The Elbe<|#|>隅田川<|#|>mentioned together<|#|>The Elbe meets 「隅田川」.',
      '<|COMPLETE|>',
    ]);
  },
);

test('embeds texts that share words near each other, and "zz" words at a right angle to everything else', () => {
  const near = dot(embed('the skagen lighthouse', 16), embed('skagen lighthouse at night', 16));
  expect(near).toBeGreaterThan(dot(embed('the skagen lighthouse', 16), embed('copper mine', 16)));
  expect(dot(embed('zzyzx zzrt', 16), embed('the skagen lighthouse', 16))).toBe(0);
});

test('sends base64 embeddings as little-endian floats of the asked size', async () => {
  const response = await ask('/embeddings', { model: 'm', input: ['one', 'two'], encoding_format: 'base64' });
  const { data } = (await response.json()) as { data: { embedding: string }[] };
  expect(data.map(({ embedding }) => Buffer.from(embedding, 'base64').length)).toEqual([32, 32]);
});

test('holds a kind of request until it is released', async () => {
  const release = llm.hold('answer');
  let answered = false;
  const asked = ask('/chat/completions', { model: 'm', messages: [{ role: 'user', content: 'Hello' }] }).then((r) => {
    answered = true;
    return r.status;
  });
  await ask('/embeddings', { model: 'm', input: ['meanwhile'] });
  expect(answered).toBe(false);
  release();
  expect(await asked).toBe(200);
});

test('fails requests of one kind only while a fault is set', async () => {
  const answer = () => ask('/chat/completions', { model: 'm', messages: [{ role: 'user', content: 'Hello' }] });
  llm.setFault({ what: 'status', status: 429, kind: 'answer' });
  expect((await answer()).status).toBe(429);
  expect((await ask('/embeddings', { model: 'm', input: ['fine'] })).status).toBe(200);
  llm.setFault(undefined);
  expect((await answer()).status).toBe(200);
});
