import { productVersion } from '../platform/product-version.ts';

/** What the description of the API says of itself. The routes say the rest. */
export const apiInfo = () => ({
  title: 'ragwarden',
  version: productVersion(),
  license: 'MIT',
  description: [
    'The operations plane beside a RAG backend.',
    'JSON with `snake_case` names and the unit in the name; instants are ISO 8601 in UTC.',
    'Errors are `application/problem+json` (RFC 9457) with a stable `code`; `x-codes` of an operation lists those it may give.',
    'Lists are `{items, next_cursor}`. `x-access` says who may call: `public` anybody, `user` users and admins, `service` services and admins, `scrape` scrapers, services and admins, `admin` admins.',
    'HEAD is offered wherever GET is. `docs/http.md` tells the conventions at length.',
  ].join('\n'),
  sessionCookie: 'rw_session',
  tags: [
    { name: 'health', description: 'How the watched and we ourselves are.' },
    { name: 'probes', description: 'For orchestrators and load balancers.' },
    { name: 'page', description: 'The dashboard.' },
    { name: 'gateway', description: 'The proxy before the backends, and who may go through it.' },
    { name: 'metrics', description: 'For Prometheus and what reads its format.' },
    { name: 'monitoring', description: 'The host, and what the backend was asked for since the start.' },
    { name: 'traffic', description: 'What passed the gateway or was told: times, errors, tokens, cost.' },
    { name: 'quotas', description: 'What may be used, by whom, and what was: limits, uses, reservations, violations.' },
    { name: 'resources', description: 'What programs hold and register, and which of it leaks.' },
    {
      name: 'analytics',
      description: 'How resources were used, what they do, when limits are reached, and what to do about it.',
    },
    { name: 'alerts', description: 'Rules, what fires, who is told of it, and what became of each notification.' },
    {
      name: 'cleanup',
      description:
        'What may go: plans, runs, tasks that begin by themselves, and the quarantine from which all of it comes back.',
    },
    { name: 'targets', description: 'What is watched.' },
    { name: 'backup', description: 'Recovery points: taking, verifying, keeping, restoring.' },
    {
      name: 'recovery',
      description: 'Rehearsed restores, what they proved, and the objectives they are held against.',
    },
    {
      name: 'replication',
      description: 'Copies of points at other places: where, how far behind, how sound, and mending one from another.',
    },
    { name: 'repository', description: 'Where the points lie: forgetting, pruning, checking, unlocking.' },
    { name: 'tuning', description: 'Parameters of the backend, for whom they are what, each change and the way back.' },
    { name: 'operations', description: 'Long work.' },
    { name: 'events', description: 'What happened, and who asked for it.' },
    { name: 'access', description: 'Logging in, tokens.' },
    { name: 'settings', description: 'What is set, and what may be changed while running.' },
    { name: 'system', description: 'ragwarden itself.' },
    { name: 'description', description: 'This document.' },
  ],
});
