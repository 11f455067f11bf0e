import type { Origins } from './read-config.ts';
import type { SettingName, SettingValues } from './settings.ts';
import type { Problem } from './settings-file.ts';

/** Whose JWTs are accepted. The kind of key fixes the algorithms; what a token says about itself does not. */
export type JwtConfig = {
  readonly key: { readonly kind: 'secret'; readonly secret: string } | { readonly kind: 'jwks'; readonly url: string };
  /** Undefined only with a shared secret, which nobody but its holders signs with. */
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
  readonly workspacesClaim: string | undefined;
};

/** The issuer that the settings name, or undefined; adds to `problems` what does not go together. */
export function buildJwt(values: SettingValues, origins: Origins, problems: Problem[]): JwtConfig | undefined {
  const problem = (name: SettingName, message: string, mend: string): void => {
    problems.push({ place: origins[name].place, message, mend });
  };
  const { jwtSecret, auth0Domain } = values;
  const domainKeys = auth0Domain === undefined ? undefined : `https://${auth0Domain}/.well-known/jwks.json`;
  const domainIssuer = auth0Domain === undefined ? undefined : `https://${auth0Domain}/`;
  if (domainKeys !== undefined && values.jwtJwksUrl !== undefined && values.jwtJwksUrl !== domainKeys)
    problem('jwtJwksUrl', `is another key set than the one of ${origins.auth0Domain.place}`, 'Set one of them.');
  if (domainIssuer !== undefined && values.jwtIssuer !== undefined && values.jwtIssuer !== domainIssuer)
    problem('jwtIssuer', `is another issuer than ${domainIssuer} of ${origins.auth0Domain.place}`, 'Set one of them.');
  const url = values.jwtJwksUrl ?? domainKeys;
  const issuer = values.jwtIssuer ?? domainIssuer;
  const audience = values.jwtAudience;
  const shared = { issuer, audience, workspacesClaim: values.jwtWorkspacesClaim };

  if (jwtSecret !== undefined && url !== undefined)
    problem(
      'jwtSecret',
      'and a key set are two ways to sign; with both, either could be used to forge for the other',
      `Set RAGWARDEN_JWT_SECRET, or ${values.jwtJwksUrl === undefined ? 'AUTH0_DOMAIN' : 'RAGWARDEN_JWT_JWKS_URL'}, not both.`,
    );
  if (jwtSecret !== undefined && Buffer.byteLength(jwtSecret) < 32)
    problem(
      'jwtSecret',
      'is shorter than 32 bytes, as HS256 asks for (RFC 7518)',
      'Make one with `openssl rand -base64 48`.',
    );
  if (jwtSecret === undefined && url === undefined) {
    for (const name of ['jwtIssuer', 'jwtAudience', 'jwtWorkspacesClaim'] as const)
      if (values[name] !== undefined)
        problem(
          name,
          'describes JWTs, but no key is set that could check one',
          'Set RAGWARDEN_JWT_JWKS_URL, AUTH0_DOMAIN or RAGWARDEN_JWT_SECRET, or remove it.',
        );
    return undefined;
  }
  if (jwtSecret !== undefined) return { key: { kind: 'secret', secret: jwtSecret }, ...shared };
  // An issuer signs for many applications; without both, whoever may use another of them could come in here.
  const keyName = values.jwtJwksUrl === undefined ? 'auth0Domain' : 'jwtJwksUrl';
  if (issuer === undefined) problem(keyName, 'needs the issuer whose keys these are', 'Set RAGWARDEN_JWT_ISSUER.');
  if (audience === undefined)
    problem(
      keyName,
      'needs the audience that its tokens are made for',
      'Set RAGWARDEN_JWT_AUDIENCE or AUTH0_API_AUDIENCE.',
    );
  return { key: { kind: 'jwks', url: url ?? '' }, ...shared };
}

/** What may stay as it is, but an operator would want to know. */
export function noticeJwt(values: SettingValues, origins: Origins): Problem[] {
  const notices: Problem[] = [];
  const url = values.jwtJwksUrl === undefined ? undefined : URL.parse(values.jwtJwksUrl);
  if (values.adminUserIds.length > 0 && url === undefined && (values.auth0Domain ?? values.jwtSecret) === undefined)
    notices.push({
      place: origins.adminUserIds.place,
      message: 'names users of an issuer, but no issuer of JWTs is set, so nobody is an admin by it',
      mend: 'Set AUTH0_DOMAIN, RAGWARDEN_JWT_JWKS_URL or RAGWARDEN_JWT_SECRET. Tokens of ragwarden have their own role.',
    });
  if (url?.protocol === 'http:' && !['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname))
    notices.push({
      place: origins.jwtJwksUrl.place,
      message: 'is fetched without TLS: whoever stands in between can put in a key of their own',
      mend: 'Use https, unless that network is yours alone.',
    });
  return notices;
}
