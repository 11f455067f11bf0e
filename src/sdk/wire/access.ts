export type Role = 'user' | 'service' | 'scrape' | 'admin';

/** Who stands behind a token or a session. */
export type WhoBody = {
  readonly subject: string;
  readonly role: Role;
  readonly workspaces: 'all' | readonly string[];
  readonly via: 'token' | 'session' | 'local';
  /** End of the session; null for a token. */
  readonly expires_at: string | null;
  /** What a browser sends with every change; null for a token. */
  readonly csrf_token: string | null;
};

export type TokenBody = {
  readonly id: string;
  readonly subject: string;
  readonly role: Role;
  readonly workspaces: 'all' | readonly string[];
  readonly label: string;
  readonly state: 'active' | 'expired' | 'revoked';
  readonly created_at: string;
  readonly expires_at: string | null;
  readonly revoked_at: string | null;
};

/** `token` is its secret, told this once. */
export type NewTokenBody = TokenBody & { readonly token: string };

export type LoginLinkBody = {
  readonly code: string;
  /** What to put behind the address of the page. */
  readonly path: string;
  readonly expires_at: string;
};
