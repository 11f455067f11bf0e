import { useState } from 'preact/hooks';
import type { ProviderSwitched, SwitchableProvider } from '../../api/tuning-wire.ts';
import type { Page } from '../../api/wire.ts';
import { Confirm } from '../../parts/confirm.tsx';
import { Refusal } from '../../parts/loaded.tsx';
import { useActing } from '../../state/acting.ts';
import { useFollowed } from '../../state/asked.ts';
import { operations } from '../../state/page-state.ts';
import { api } from '../../state/session.ts';

/** Whom the backend may ask, where the settings name anybody: switching looks first, and puts back what does not pass. */
export function ProvidersPanel({ onChanged }: { onChanged(): Promise<unknown> }) {
  const asked = useFollowed<Page<SwitchableProvider>>('providers', {
    load: (on) => api.get('api/v1/tuning/providers', on),
    everyMs: () => 30_000,
  });
  const [switched, setSwitched] = useState<ProviderSwitched>();
  const { act, refusal, busy } = useActing(() => Promise.all([asked.refresh(), operations.refresh(), onChanged()]));
  const items = asked.value?.items ?? [];
  if (items.length === 0) return null;
  const running = operations.value.value?.items.find((one) => one.state === 'running');
  return (
    <section class="panel" aria-labelledby="providers-title">
      <h2 id="providers-title">Providers of models</h2>
      <Refusal text={refusal} />
      {switched !== undefined && (
        <p class={switched.success ? 'faint' : 'refusal'} role="status">
          {switched.message}
        </p>
      )}
      <ul class="to-write providers">
        {items.map((one) => (
          <li key={one.provider}>
            <span>
              <strong>{one.provider}</strong>{' '}
              <span class="faint">
                {[one.llm, one.embedding]
                  .flatMap((half) => (half === null ? [] : `${half.binding} ${half.model}`))
                  .join(', ')}
                {one.current === true ? ' · asked now' : ''}
              </span>
            </span>
            {one.current !== true && (
              <Confirm
                label="Switch"
                about={`Switch to ${one.provider}`}
                question={`It is looked at, the backend is restarted with it, and what fails is put back.${one.embedding === null ? '' : ' The index may have to be embedded anew; a recovery point is taken first.'}`}
                why={busy || running !== undefined ? 'Something else is under way.' : undefined}
                onConfirm={() =>
                  void act(async () =>
                    setSwitched(
                      await api.post('api/system/provider/switch', {
                        provider: one.provider,
                        confirm: one.embedding !== null,
                      }),
                    ),
                  )
                }
              />
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
