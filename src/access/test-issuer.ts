import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';

type KeyPair = Awaited<ReturnType<typeof generateKeyPair>>;

export type TestIssuer = {
  readonly issuer: string;
  readonly audience: string;
  url(): string;
  /** How often the key set was asked for. */
  asked(): number;
  /** What is answered instead of the keys; undefined answers them again. */
  answerWith(answer: { status: number; body: string } | undefined): void;
  addKey(kid: string, alg?: string): Promise<void>;
  removeKey(kid: string): void;
  keyPair(kid: string): KeyPair;
  /** Good unless told otherwise. */
  token(claims?: JWTPayload, header?: { kid?: string; alg?: string } & Record<string, unknown>): Promise<string>;
  stop(): Promise<void>;
  /** On the port it had; nothing when it runs. */
  start(): Promise<void>;
};

/** Test support: an issuer with a real HTTP server, which can be stopped and started again. */
export async function startTestIssuer(options: { nowMs: () => number }): Promise<TestIssuer> {
  const keys = new Map<string, { pair: KeyPair; jwk: object; alg: string }>();
  let asked = 0;
  let instead: { status: number; body: string } | undefined;
  let server: Server | undefined;
  let port = 0;
  const issuer = 'https://issuer.example/';
  const audience = 'https://ragwarden.example/api';
  const made: TestIssuer = {
    issuer,
    audience,
    url: () => `http://127.0.0.1:${port}/.well-known/jwks.json`,
    asked: () => asked,
    answerWith(answer) {
      instead = answer;
    },
    async addKey(kid, alg = 'RS256') {
      const pair = await generateKeyPair(alg, { extractable: true });
      keys.set(kid, { pair, alg, jwk: { ...(await exportJWK(pair.publicKey)), kid, use: 'sig', alg } });
    },
    removeKey(kid) {
      keys.delete(kid);
    },
    keyPair(kid) {
      const key = keys.get(kid);
      if (!key) throw new Error(`no key ${kid}`);
      return key.pair;
    },
    async token(claims = {}, header = {}) {
      const kid = header.kid ?? 'first';
      const now = Math.floor(options.nowMs() / 1_000);
      const payload = { iss: issuer, aud: audience, sub: 'auth0|alice', iat: now, exp: now + 600, ...claims };
      return new SignJWT(payload)
        .setProtectedHeader({ alg: keys.get(kid)?.alg ?? 'RS256', typ: 'JWT', ...header, kid })
        .sign(made.keyPair(kid).privateKey);
    },
    async start() {
      if (server) return;
      const opened = createServer((_request, response) => {
        asked += 1;
        const body = instead?.body ?? JSON.stringify({ keys: [...keys.values()].map((key) => key.jwk) });
        response.writeHead(instead?.status ?? 200, { 'content-type': 'application/json' }).end(body);
      });
      await new Promise<void>((done) => opened.listen(port, '127.0.0.1', done));
      // It listens on a port, so this is no pipe.
      port = (opened.address() as AddressInfo).port;
      server = opened;
    },
    async stop() {
      const open = server;
      server = undefined;
      if (!open) return;
      open.closeAllConnections();
      await new Promise((done) => open.close(done));
    },
  };
  await made.addKey('first');
  await made.start();
  return made;
}
