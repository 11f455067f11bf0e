import { useState } from 'preact/hooks';
import { messageOf } from '../api/client.ts';
import { levelOf, Mark } from '../parts/mark.tsx';
import { health } from '../state/page-state.ts';
import { logIn } from '../state/session.ts';

/** A stranger sees the overall word and a way in. */
export function Stranger({ notice }: { notice: string | undefined }) {
  const [problem, setProblem] = useState<string | undefined>(undefined);
  const [busy, setBusy] = useState(false);
  const said = problem ?? notice;
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    if (!(event.currentTarget instanceof HTMLFormElement)) return;
    const token = new FormData(event.currentTarget).get('token');
    if (typeof token !== 'string' || token.trim() === '') {
      setProblem('Enter a token.');
      return;
    }
    setBusy(true);
    logIn({ token: token.trim() })
      .catch((err: unknown) => setProblem(messageOf(err)))
      .finally(() => setBusy(false));
  };
  return (
    <main class="stranger">
      <h1>ragwarden</h1>
      <OverallWord />
      <form class="login" onSubmit={submit}>
        <label for="token">Access token</label>
        <div class="login-row">
          <input
            id="token"
            name="token"
            type="password"
            autocomplete="current-password"
            spellcheck={false}
            aria-describedby={said === undefined ? undefined : 'login-said'}
          />
          <button type="submit" class="button is-main" disabled={busy}>
            Log in
          </button>
        </div>
        <p class="faint">
          The token of the first start, or <code>ragwarden token login-link</code> on the machine it runs on.
        </p>
        {said !== undefined && (
          <p id="login-said" class="login-said" role="alert">
            {said}
          </p>
        )}
      </form>
    </main>
  );
}

function OverallWord() {
  const lost = health.problem.value;
  const word =
    lost === undefined ? (health.value.value?.status ?? document.body.dataset.status ?? 'unknown') : 'unknown';
  return (
    <p class={`overall is-${levelOf(word)}`} role="status">
      <Mark level={levelOf(word)} />
      {word}
      {lost !== undefined && <span class="old">{lost}</span>}
    </p>
  );
}
