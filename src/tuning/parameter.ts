/**
 * What has to happen to an index that exists before a changed parameter means the same for all of it. `hint`: no backend knows it.
 * Source: LightRAG 1.5's and GraphRAG 3's own handling of each name.
 */
export const tuningClasses = ['safe', 'new-documents', 're-embed', 're-extract', 'never', 'hint'] as const;
export type TuningClass = (typeof tuningClasses)[number];

export type TuningValue = number | boolean | string;

/** What a value may be; numbers include their bounds. */
export type ValueKind =
  | { readonly type: 'integer'; readonly least: number; readonly most: number }
  | { readonly type: 'number'; readonly least: number; readonly most: number }
  | { readonly type: 'boolean' }
  | { readonly type: 'choice'; readonly of: readonly string[] }
  /** One line of at most so many characters. */
  | { readonly type: 'text'; readonly most: number };

export type Parameter = {
  /** Ours, in snake_case; never renamed. */
  readonly name: string;
  readonly backend: 'lightrag' | 'graphrag' | 'both';
  /** The variable of LightRAG's environment, or the path in GraphRAG's settings.yaml; null when there is none: a hint, or what only a query carries. */
  readonly backendName: string | null;
  /** Under which a query carries it along, where it does. */
  readonly queryField?: string;
  readonly kind: ValueKind;
  /** Of the backend's newest version known here; null: the provider's or nothing. */
  readonly fallback: TuningValue | null;
  /** Where an older version that is still run has another. */
  readonly fallbackBefore?: { readonly version: string; readonly value: TuningValue };
  readonly unit: 'tokens' | 'seconds' | 'bytes' | 'documents' | 'dimensions' | null;
  readonly meaning: string;
  readonly class: TuningClass;
  /** A caller may have its own: it takes effect with each query, or it is one of the six that were promised per user. */
  readonly perUser: boolean;
};

/** Whether the value is one of this parameter; undefined when it is, else what it would have to be. */
export function violation(kind: ValueKind, value: unknown): string | undefined {
  switch (kind.type) {
    case 'boolean':
      return typeof value === 'boolean' ? undefined : 'must be true or false';
    case 'integer':
    case 'number': {
      const fits = typeof value === 'number' && Number.isFinite(value) && value >= kind.least && value <= kind.most;
      const whole = kind.type === 'number' || Number.isInteger(value);
      const what = kind.type === 'integer' ? 'a whole number' : 'a number';
      return fits && whole ? undefined : `must be ${what} from ${kind.least} to ${kind.most}`;
    }
    case 'choice':
      return typeof value === 'string' && kind.of.includes(value) ? undefined : `must be one of ${kind.of.join(', ')}`;
    case 'text':
      return typeof value === 'string' &&
        value.length > 0 &&
        value.length <= kind.most &&
        /^[^\p{Cc}\p{Cs}]*$/u.test(value)
        ? undefined
        : `must be one line of 1 to ${kind.most} characters`;
  }
}

/** As a person or an environment file writes it; undefined when it is no value of this parameter. */
export function readValue(kind: ValueKind, text: string): TuningValue | undefined {
  const trimmed = text.trim();
  const value =
    kind.type === 'boolean'
      ? truthOf(trimmed)
      : kind.type === 'integer' || kind.type === 'number'
        ? trimmed === ''
          ? undefined
          : Number(trimmed)
        : trimmed;
  return value === undefined || violation(kind, value) !== undefined ? undefined : value;
}

/** The words that LightRAG itself takes for a switch. */
function truthOf(text: string): boolean | undefined {
  if (/^(true|1|yes|t|on)$/i.test(text)) return true;
  return /^(false|0|no|f|off)$/i.test(text) ? false : undefined;
}
