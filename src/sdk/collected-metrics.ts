import type { MetricLabels } from './wire.ts';

/** One line of `/metrics`: a value as it was when it was asked for. */
export type CollectedMetric = { readonly name: string; readonly labels: MetricLabels; readonly value: number };

/** What each of the documents' collectors collects, by the beginning of its names. */
export const collectedFamilies = {
  backup: /^(ragwarden_)?backup_/,
  replication: /^(ragwarden_)?replication_/,
  recovery: /^(ragwarden_)?(recovery|drill|drills)_/,
  health: /^(ragwarden_)?(health_check|component_health|graphs$|graph_|target_up$)/,
} as const;

/** Samples of Prometheus' text format whose names fit. What has no value has no line there, and none here. */
export function readSamples(text: string, name: RegExp): CollectedMetric[] {
  return text.split('\n').flatMap((line) => {
    const [, of = '', inner = '', value = ''] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line) ?? [];
    return of !== '' && name.test(of) ? [{ name: of, labels: readLabels(inner), value: readNumber(value) }] : [];
  });
}

function readLabels(text: string): MetricLabels {
  const labels: Record<string, string> = {};
  for (const [, label = '', value = ''] of text.matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g))
    labels[label] = value.replaceAll(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
  return labels;
}

const readNumber = (text: string): number => (/^[+-]?Inf$/.test(text) ? Number(`${text}inity`) : Number(text));
