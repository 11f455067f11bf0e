export type Role = 'user' | 'service' | 'scrape' | 'admin';

/** Who stands behind a token or a session. */
export type WhoBody = {
  readonly subject: string;
  readonly role: Role;
  readonly workspaces: 'all' | readonly string[];
  readonly via: 'token' | 'session' | 'local' | 'jwt';
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
  /** The minute of its last use; up to five minutes of it are lost in a crash. */
  readonly last_used_at: string | null;
  readonly rotated_at: string | null;
  /** Until then the secret from before the last rotation is good. */
  readonly previous_secret_until: string | null;
};

/** `token` is its secret, told this once. */
export type NewTokenBody = TokenBody & { readonly token: string };

export type LoginLinkBody = {
  readonly code: string;
  /** What to put behind the address of the page. */
  readonly path: string;
  readonly expires_at: string;
};
