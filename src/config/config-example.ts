import { stringify } from 'yaml';
import type { Setting } from './setting.ts';
import { settingEntries } from './settings.ts';

type Section = { readonly settings: Setting[]; readonly sections: Map<string, Section> };
const emptySection = (): Section => ({ settings: [], sections: new Map() });

/** By section: what no scalar says. */
const structures: Readonly<Record<string, string>> = {
  target: `  # How the backend is stopped and started for a restore: a program, a systemd unit or a webhook.
  # lifecycle:
  #   stop: {systemd: lightrag.service}
  #   start: {command: [systemctl, start, lightrag.service]}

  # Folder as the backend sees it: folder as it is seen here.
  # paths:
  #   /app/data: /srv/lightrag

  # A program of your own that looks at what a drill restored; it gets that folder as its last argument, and 0 is well.
  # drill_check_command: [/usr/local/bin/check-restored, --strict]

  # SQLite files that are captured while they are in use.
  # sqlite:
  #   - {name: chats, path: /srv/lightrag/chats.db}

  # Whatever writes a dump to its standard output, and takes it back from its standard input.
  # commands:
  #   - name: graph
  #     dump: [neo4j-admin, database, dump, neo4j, --to-stdout]
  #     restore: [neo4j-admin, database, load, neo4j, --from-stdin, --overwrite-destination]
  #     online: false

  # A second place, where the target is brought up when the first one is lost, is described in target.standby: docs/failover.md.

  # A backend of your own is described in target.custom: its health, folders and routes. docs/pointing-at-a-backend.md tells how.

  # Further processes of the backend, each with its workspace: the gateway leads to them. Keys are named: a variable, or a file.
  # endpoints:
  #   - {workspace: legal, url: 'http://127.0.0.1:9622', api_key_file: /etc/ragwarden/legal-key, path_prefix: /legal}
  #   - {workspace: research, url: 'http://127.0.0.1:9623', hosts: [research.example.org]}
`,
  gateway: `  # Providers of models, each at /llm/<id> of the gateway. Their keys are named: a variable, or a file.
  # providers:
  #   - {id: openai, url: 'https://api.openai.com', api: openai, api_key_file: /etc/ragwarden/openai-key}
  #   - {id: local, url: 'http://127.0.0.1:11434', api: ollama}
`,
  tuning: `  # Providers of models that the backend can be switched to, in its own words. Keys are named: a variable, or a file.
  # providers:
  #   - id: ollama
  #     llm: {binding: ollama, model: 'qwen3:32b', host: 'http://127.0.0.1:11434'}
  #   - id: google_gemini
  #     llm: {binding: gemini, model: gemini-2.5-flash, host: 'https://generativelanguage.googleapis.com', key_file: /etc/ragwarden/gemini-key}
`,
  health: `  # What else is looked at: models of providers, vector stores, anything over HTTP or TCP. Secrets are named: a variable, or a file.
  # models:
  #   - {id: openai, role: llm, url: 'https://api.openai.com/v1', model: gpt-4o-mini, bearer_token_env: OPENAI_API_KEY}
  #   - {id: vectors, role: embedding, api: ollama, url: 'http://127.0.0.1:11434', model: bge-m3, look: call, interval_seconds: 600}
  # vector_stores:
  #   - {id: qdrant, kind: qdrant, url: 'http://127.0.0.1:6333', collection: lightrag_vdb_chunks}
  # http:
  #   - {id: reranker, url: 'http://127.0.0.1:8080/health', expect_text: ok, needed_for: [answer]}
  # tcp:
  #   - {id: smtp, host: mail.example.org, port: 25}
`,
  metrics: `  # Prometheus-compatible stores that get every metric (remote write). Secrets are named: a variable, or a file.
  # remote_write:
  #   - name: central
  #     url: https://prometheus.example.org/api/v1/write
  #     bearer_token_env: CENTRAL_STORE_TOKEN
  #     labels: {site: north}
  #     interval_seconds: 10
  #     queue_mb: 256

  # A Prometheus-compatible store that charts ask for what the own tiers have no longer.
  # read_back:
  #   url: https://prometheus.example.org
  #   bearer_token_env: CENTRAL_STORE_TOKEN
  #   match: {job: ragwarden}

  # Endpoints whose metrics are read as Prometheus reads them, and kept with all others.
  # scrape:
  #   - job: embedding-server
  #     url: http://127.0.0.1:9400/metrics
  #     interval_seconds: 30
  #     timeout_seconds: 10
  #     labels: {site: north}
  #     sample_limit: 10000
  #     body_limit_mb: 16
  #     drop: [go_*]
`,
  notify: `  # Who is told. Secrets are named: a variable, or a file. Without routes and a default every receiver is told of everything.
  # receivers:
  #   - {id: pager, kind: webhook, url: 'https://hooks.example.org/ragwarden', signing_key_env: PAGER_SIGNING_KEY}
  #   - {id: chat, kind: slack, url_file: /etc/ragwarden/slack-url}
  #   - id: mail
  #     kind: email
  #     host: mail.example.org
  #     tls: starttls
  #     username: ragwarden
  #     password_env: MAIL_PASSWORD
  #     from: ragwarden@example.org
  #     to: [oncall@example.org]
  #   - {id: central, kind: alertmanager, url: 'https://alertmanager.example.org'}

  # Which of them is told of what: the first route that matches, and the later ones where it says continue.
  # routes:
  #   - matchers: [severity=critical]
  #     receivers: [pager]
  #     group_by: [alertname, target]
  #     group_wait_seconds: 10
  #     escalate: [{after_seconds: 900, receivers: [mail]}]
  # default: {receivers: [chat], group_by: [alertname]}
`,
  resources: `  # Processes of this machine that are looked at for leaks, beside ragwarden's own and the backend's; each by one sign.
  # processes:
  #   - {name: indexer, pid_file: /run/indexer.pid, temporary_folder: /var/lib/indexer/tmp}
  #   - {name: embedder, port: 8081}
  #   - {name: worker, command: "python * worker.py"}
`,
  cleanup: `  # Folders that cleanups may touch, besides those of the target. \`graphrag\` is the root of a project: its update_output alone.
  # folders:
  #   - {id: exports, path: /srv/exports, use: temporary, patterns: ["*.part"], min_age_seconds: 86400}
  #   - {id: backend-logs, path: /var/log/lightrag, use: logs}
  # tasks:
  #   - task_id: old_logs
  #     cleanup_type: logs
  #     params: {days_to_keep: 14}
  #     schedule_expression: "30 4 * * 1-5"
  #     time_zone: Europe/Berlin
`,
  logs: `  # Folders with logs of the backend or of others. LightRAG sets its own aside itself: left alone.
  # folders:
  #   - {path: /srv/graphrag/logs, pattern: "*.log", how: copy-truncate, recursive: false}
`,
  backup: `  # Of the store of the repository, where that is elsewhere. Secrets are named: a variable, or a file.
  # credentials:
  #   AWS_ACCESS_KEY_ID: {value_env: STORE_KEY_ID}
  #   AWS_SECRET_ACCESS_KEY: {value_file: /etc/ragwarden/s3-secret}
`,
  replication: `  # Where recovery points are copied to. Secrets are named: a variable, or a file.
  # targets:
  #   - {id: cellar, location: /mnt/cellar/ragwarden, zone: cellar}
  #   - id: cloud
  #     location: s3:https://s3.example.org/bucket/ragwarden
  #     zone: provider
  #     credentials:
  #       AWS_ACCESS_KEY_ID: {value_env: STORE_KEY_ID}
  #       AWS_SECRET_ACCESS_KEY: {value_file: /etc/ragwarden/s3-secret}
  #     ca_file: /etc/ragwarden/store-ca.pem
  #     limit_kib_per_second: 20000
  #     max_concurrent: 1
  #   - {id: tape, location: /mnt/usb/ragwarden, offline: true, zone: safe}

  # How many copies of the newest point there shall be, the repository itself counted, and where.
  # placement: {copies: 3, zones: 2, offline: true, zone: house, within_seconds: 3600, offline_within_seconds: 691200}
`,
  traffic: `  # What models take, in US dollars per million tokens. A name, or a beginning of names followed by *.
  # prices:
  #   - {model: gpt-4o-mini*, input_usd: 0.15, cached_input_usd: 0.075, output_usd: 0.6}
  #   - {model: text-embedding-3-small, input_usd: 0.02}
  #   - {model: "*", provider: ollama, input_usd: 0}
`,
};

/** Every setting of the file with its default, switched off by a `#`: a file to begin with. */
export function configExample(): string {
  const root = emptySection();
  for (const [, one] of settingEntries) {
    if (one.secret) continue;
    let section = root;
    for (const part of one.key.split('.').slice(0, -1)) {
      const inner = section.sections.get(part) ?? emptySection();
      section.sections.set(part, inner);
      section = inner;
    }
    section.settings.push(one);
  }
  return `# yaml-language-server: $schema=http://127.0.0.1:8710/ragwarden.schema.json
#
# Every setting of ragwarden with its default. Remove the # before what you change; \`ragwarden config check\` looks at it.
# Secrets are never written here: set them in the environment, or name a file in <NAME>_FILE.

${writeSection(root, 0).trimEnd()}\n`;
}

function writeSection(section: Section, depth: number): string {
  const indent = '  '.repeat(depth);
  const settings = section.settings.map((one) => `${writeSetting(one).replace(/^/gm, indent)}\n\n`);
  const sections = [...section.sections].map(
    ([name, inner]) =>
      `${indent}${name}:\n${writeSection(inner, depth + 1)}${depth === 0 && structures[name] ? `${structures[name]}\n` : ''}`,
  );
  return [...settings, ...sections].join('');
}

function writeSetting(one: Setting): string {
  const names = one.env.map(({ name, perUnit }) => `${name}${perUnit === 3600 ? ' (hours)' : ''}`).join(', ');
  const value = stringify({ [one.key.split('.').at(-1) ?? '']: one.fallback ?? one.example });
  return [
    `# ${one.about}${one.unit ? ` In ${one.unit}.` : ''}`,
    `# Value: ${one.parser.describe.replace(', separated by commas', '')}. Environment: ${names}.`,
    `# ${value.trimEnd()}`,
  ].join('\n');
}
