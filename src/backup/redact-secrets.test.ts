import { expect, test } from 'vitest';
import { redactSecrets } from './redact-secrets.ts';

test.each([
  ['OPENAI_API_KEY=sk-canary', 'OPENAI_API_KEY=***'],
  ['export POSTGRES_PASSWORD="can ary"', 'export POSTGRES_PASSWORD="***"'],
  ['AUTH_ACCOUNTS_SECRET = canary # of the admin', 'AUTH_ACCOUNTS_SECRET = ***'],
  ['TOKEN_SECRET=12345678', 'TOKEN_SECRET=***'],
  ['ACCESS_TOKEN=canary', 'ACCESS_TOKEN=***'],
  ['  - NEO4J_PASSWORD=canary', '  - NEO4J_PASSWORD=***'],
  ['      "apiKey": "canary",', '      "apiKey": "***",'],
  ['password: canary', 'password: ***'],
  ["  api-key: 'canary'", "  api-key: '***'"],
  ['DATABASE_URL=postgresql://rag:p@ss/canary@db:5432/rag', 'DATABASE_URL=postgresql://rag:***@db:5432/rag'],
  ['REDIS_URI=rediss://:canary@cache:6379/0', 'REDIS_URI=rediss://:***@cache:6379/0'],
  ['hook: https://h/x?api_key=canary&y=1', 'hook: https://h/x?api_key=***&y=1'],
  ['command: redis-server --requirepass canary --save ""', 'command: redis-server --requirepass *** --save ""'],
  ['command: ["redis-server", "--requirepass", "canary"]', 'command: ["redis-server", "--requirepass", "***"]'],
  ['header: Authorization Bearer canarycanary', 'header: Authorization Bearer ***'],
  ['users: [{name: a, password: canary}]', 'users: [{name: a, password: ***}]'],
])('%s', (line, expected) => {
  expect(redactSecrets(line)).toEqual({ text: expected, count: 1 });
});

test.each([
  'MAX_TOKENS=32768',
  'CHUNK_TOKEN_SIZE=1200',
  'max_total_tokens: 30000',
  'WORKSPACE=keyword',
  'KEYWORDS_EXAMPLE=two',
  'LLM_BINDING_HOST=https://api.example.com/v1',
  '# password of the database, see the safe',
  'keys:',
  'image: lightrag:1.5.7',
  '',
])('nothing of a line without a secret is changed: %s', (line) => {
  expect(redactSecrets(line)).toEqual({ text: line, count: 0 });
});

test('values of several lines go whole, and what follows them stays', () => {
  const key = ['-----BEGIN RSA PRIVATE KEY-----', 'canary', 'canary', '-----END RSA PRIVATE KEY-----', 'PORT=1'];
  expect(redactSecrets(key.join('\n'))).toEqual({ text: '***\nPORT=1', count: 1 });
  const yaml = ['a:', '  password: |', '    canary', '', '    canary', '  port: 1'];
  expect(redactSecrets(yaml.join('\n'))).toEqual({ text: 'a:\n  password: |\n    ***\n  port: 1', count: 1 });
});
