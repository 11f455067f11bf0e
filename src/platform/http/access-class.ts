/** Who may call a route. `scrape` is what a collector of metrics needs; `service` what a backend that reports needs. */
export type AccessClass = 'public' | 'user' | 'service' | 'scrape' | 'admin';

export type Role = 'user' | 'service' | 'scrape' | 'admin';

/** Whoever stands behind a request, once the credentials were checked. */
export type Principal = {
  readonly subject: string;
  readonly role: Role;
  readonly workspaces: readonly string[] | 'all';
  /** `local` is the file in the data folder that lets the same user of this machine in, `jwt` the configured issuer. */
  readonly via: 'token' | 'session' | 'local' | 'jwt';
};

const rolesOf: Record<Exclude<AccessClass, 'public'>, readonly Role[]> = {
  user: ['user', 'admin'],
  service: ['service', 'admin'],
  scrape: ['scrape', 'service', 'admin'],
  admin: ['admin'],
};

export type AccessDecision = 'allowed' | 'unauthenticated' | 'forbidden';

/** Pure: whether somebody (or a stranger) may call a route of this class. */
export function decideAccess(access: AccessClass, principal: Principal | undefined): AccessDecision {
  if (access === 'public') return 'allowed';
  if (!principal) return 'unauthenticated';
  return rolesOf[access].includes(principal.role) ? 'allowed' : 'forbidden';
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Required on every route; registration refuses a route without it. */
    access?: AccessClass;
    /** What the route does, in a word or two, for request metrics. */
    activity?: string;
    /** An unsafe method that changes nothing: told in the audit trail as a read. */
    onlyLooks?: boolean;
  }
  interface FastifyRequest {
    principal: Principal | undefined;
  }
}
