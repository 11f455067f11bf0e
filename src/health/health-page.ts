import { createHash } from 'node:crypto';
import type { HealthWord } from './health-check.ts';

/** Enough to read without any script: the word, and a way in. The rest is drawn by the dashboard once somebody is logged in. */
const style = `
:root{color-scheme:light dark;--paper:#f6f5f1;--ink:#1d2226;--faint:#5b6670;--line:#d9d6cd;--good:#1f7a4d;--warn:#9a6200;--bad:#b3261e;--none:#5b6670}
@media (prefers-color-scheme:dark){:root{--paper:#14181b;--ink:#e8e6e0;--faint:#9aa5ad;--line:#2c343a;--good:#5cc492;--warn:#e0a94a;--bad:#f2887f;--none:#9aa5ad}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main.stranger{max-width:30rem;margin:12vh auto;padding:0 1.25rem}
.stranger h1{font-size:1rem;font-weight:600;margin:0;color:var(--faint);letter-spacing:.02em}
.word{font-size:2.75rem;font-weight:650;line-height:1.15;margin:.25rem 0 2rem}
.healthy{color:var(--good)}.degraded{color:var(--warn)}.unhealthy,.critical{color:var(--bad)}.unknown{color:var(--none)}
noscript{color:var(--faint)}`;

export type HealthPage = { readonly html: string; readonly contentSecurityPolicy: string };

/** What a stranger may see: the overall word. Scripts come from our own folder only. */
export function renderHealthPage(input: {
  status: HealthWord;
  dashboard: { readonly script: string; readonly style: string | undefined } | undefined;
}): HealthPage {
  const hash = createHash('sha256').update(style).digest('base64');
  const links = input.dashboard
    ? `${input.dashboard.style ? `<link rel="stylesheet" href="${input.dashboard.style}">` : ''}<script type="module" src="${input.dashboard.script}"></script>`
    : '';
  const html = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>ragwarden: ${input.status}</title><link rel="icon" href="data:,"><style>${style}</style>${links}</head>
<body data-status="${input.status}"><div id="app"><main class="stranger"><h1>ragwarden</h1><p class="word ${input.status}">${input.status}</p>
<noscript>Log in with a script-capable browser, or use <code>ragwarden status</code>.</noscript></main></div></body></html>
`;
  return {
    html,
    contentSecurityPolicy: `default-src 'none'; script-src 'self'; style-src 'self' 'sha256-${hash}'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
  };
}
