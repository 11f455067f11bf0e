/** What the view of traffic shows, as the address holds it. */
export type TrafficQuestion = {
  readonly window: (typeof windows)[number];
  readonly by: (typeof groups)[number];
  readonly course: Course;
  /** Only exchanges that did not end well. */
  readonly failed: boolean;
};

export const windows = ['15m', '1h', '6h', '24h', '7d'] as const;
export const groups = ['workspace', 'user', 'model', 'operation', 'mode', 'provider', 'role', 'source'] as const;

/** What is drawn over the window, each a question to the history of metrics. */
export const courses = {
  latency: { name: 'Duration, 95th percentile', metric: 'traffic_duration_ms', aggregation: 'p95', by: 'operation' },
  requests: { name: 'Requests by outcome', metric: 'traffic_exchanges', aggregation: 'sum', by: 'outcome' },
  tokens: { name: 'Tokens by model', metric: 'llm_tokens', aggregation: 'sum', by: 'model' },
  cost: { name: 'Cost by model', metric: 'llm_cost_usd', aggregation: 'sum', by: 'model' },
} as const;
export type Course = keyof typeof courses;

export const usualTraffic: TrafficQuestion = { window: '1h', by: 'workspace', course: 'latency', failed: false };

const names = ['window', 'by', 'course', 'failed'] as const;

export function readTraffic(query: URLSearchParams): TrafficQuestion {
  return {
    window: windows.find((one) => one === query.get('window')) ?? usualTraffic.window,
    by: groups.find((one) => one === query.get('by')) ?? usualTraffic.by,
    course: (Object.keys(courses) as Course[]).find((one) => one === query.get('course')) ?? usualTraffic.course,
    failed: query.get('failed') === 'true',
  };
}

export function forgetTraffic(query: URLSearchParams): void {
  for (const name of names) query.delete(name);
}

/** What is usual stays out of the address. */
export function writeTraffic(query: URLSearchParams, traffic: TrafficQuestion): void {
  for (const name of names) if (traffic[name] !== usualTraffic[name]) query.set(name, String(traffic[name]));
}
