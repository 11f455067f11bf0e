/** The answers about the backend's parameters, as the API's description has them. */

export type TuningValue = number | boolean | string | null;

export type EffectiveValue = {
  parameter: string;
  value: TuningValue;
  origin: 'user' | 'workspace' | 'default' | 'setting' | 'built-in';
  class: string;
  backend_name: string | null;
};

export type ParameterInfo = {
  name: string;
  type: 'integer' | 'number' | 'boolean' | 'choice' | 'text';
  minimum: number | null;
  maximum: number | null;
  choices: string[] | null;
  default: TuningValue;
  unit: string | null;
  meaning: string;
  class: string;
};

export type Consequence = { parameter: string; destructive: boolean; message: string };

export type TuningCheck = {
  valid: boolean;
  violations: { parameter: string; message: string }[];
  contradictions: { severity: string; message: string }[];
  consequences: Consequence[];
};

export type TuningChange = { scope: string; parameter: string; before: TuningValue; after: TuningValue };

export type Revision = {
  revision: number;
  at: string;
  actor: string;
  what: string;
  reason: string | null;
  changes: TuningChange[];
  rolled_back_to: number | null;
  watch: Watch | null;
};

/** How it went since a revision was applied. */
export type Watch = {
  target_id: string;
  state: string;
  from: string;
  until: string;
  reasons: string[];
};

export type ApplyPlan = {
  target_id: string;
  environment_file: string | null;
  changes: { parameter: string; variable: string; before: string | null; after: string | null }[];
  consequences: Consequence[];
  takes_point: boolean;
  restart: { automatic: boolean; stop: string; start: string };
  blockers: string[];
};

export type AdviceProposal = {
  graph_id: string;
  rule: string;
  class: string;
  changes: { parameter: string; from: TuningValue; to: TuningValue }[];
  already_set: boolean;
  because: string;
  evidence: { what: string; value: TuningValue; unit: 'ms' | 'share' | 'bytes' | 'count' | null }[];
  effect: string;
  withdrawn_when: string;
};

export type Advice = {
  items: AdviceProposal[];
  backends: { graph_id: string; from: string; fine: string[]; unknown: { rule: string; missing: string[] }[] }[];
};

export type Drift = { items: { graph_id: string; parameter: string; message: string }[]; unseen: string[] };

type ProviderHalf = { binding: string; model: string; host: string };

export type SwitchableProvider = {
  provider: string;
  current: boolean | null;
  llm: ProviderHalf | null;
  embedding: ProviderHalf | null;
};

export type ProviderSwitched = { success: boolean; message: string };
