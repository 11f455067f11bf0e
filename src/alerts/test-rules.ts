import type { AlertRuleBody } from '../config/index.ts';
import type { AlertRule } from './alert-rule.ts';
import { ruleOf } from './rule-body.ts';

/** A rule for tests: a level above 85, held for a minute, unless told otherwise. */
export const testRule = (changes: Partial<AlertRuleBody> = {}): AlertRule =>
  ruleOf({ name: 'high', metric_name: 'level', condition: 'gt', threshold: 85, duration_seconds: 60, ...changes });
