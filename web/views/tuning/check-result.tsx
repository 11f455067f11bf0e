import type { TuningCheck } from '../../api/tuning-wire.ts';
import { Confirm } from '../../parts/confirm.tsx';
import { Action } from '../../parts/text.tsx';

/** What values would do, and the button that sets them when they can be set. */
export function CheckResult({ check, label, onSet }: { check: TuningCheck; label: string; onSet(): void }) {
  const isWrong = check.violations.length > 0 || check.contradictions.some((one) => one.severity === 'error');
  return (
    <div role="status">
      {check.violations.map((one) => (
        <p key={one.message} class="refusal">
          {one.parameter} {one.message}
        </p>
      ))}
      {check.contradictions.map((one) => (
        <p key={one.message} class={one.severity === 'error' ? 'refusal' : 'trouble'}>
          {one.message}
        </p>
      ))}
      {check.consequences.map((one) => (
        <p key={`${one.parameter} ${one.message}`} class={one.destructive ? 'refusal' : 'faint'}>
          {one.message}
        </p>
      ))}
      {!isWrong &&
        (check.consequences.some((one) => one.destructive) ? (
          <Confirm label={label} question="The index would suffer what is said above." onConfirm={onSet} />
        ) : (
          <Action label={label} kind="main" onPress={onSet} />
        ))}
    </div>
  );
}
