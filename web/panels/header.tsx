import type { HealthCheck } from '../api/wire.ts';
import { formatAge, plural } from '../format.ts';
import { Link } from '../parts/link.tsx';
import { levelOf, Mark, Word } from '../parts/mark.tsx';
import { Action, Age, Sentence } from '../parts/text.tsx';
import { connection } from '../state/event-feed.ts';
import { health, nowMs, targets } from '../state/page-state.ts';
import { logOut, session, switches } from '../state/session.ts';
import { listOff } from '../state/switches.ts';
import { Views } from './views.tsx';

/** The overall word, and why it is not better. What ragwarden last said is no news once it stops answering. */
export function Header() {
  const now = health.value.value;
  const lost = health.problem.value;
  const word = lost === undefined ? (now?.status ?? document.body.dataset.status ?? 'unknown') : 'unknown';
  const checks = now?.checks ?? [];
  const ailing = checks.filter((check) => check.status !== 'healthy');
  const well = checks.filter((check) => check.status === 'healthy');
  return (
    <header class="top">
      <SkipHead />
      <p class="brand">ragwarden</p>
      <div class="top-line">
        <h1 class={`overall is-${levelOf(word)}`}>
          <Mark level={levelOf(word)} />
          <span class="visually-hidden">Overall: </span>
          {word}
        </h1>
        <div class="top-side">
          <Connection />
          <Who />
        </div>
      </div>
      {lost !== undefined && (
        <p class="trouble">
          {lost}{' '}
          {now && (
            <>
              Last known: {now.status}, <Age at={now.timestamp} />. What follows is as old.
            </>
          )}
        </p>
      )}
      {ailing.length > 0 && (
        <ul class="checks" aria-label="Why">
          {ailing.map((check) => (
            <Ailing key={check.name} check={check} />
          ))}
        </ul>
      )}
      {well.length > 0 && (
        <details class="well">
          <summary>
            <span class="well-word">
              <Mark level={lost === undefined ? 'good' : 'none'} />
              {lost === undefined ? `${plural(well.length, 'part is', 'parts are')} well` : 'What was well'}
            </span>
          </summary>
          {well.map((check) => `${check.name}${ageOf(check)}`).join(' · ')}
        </details>
      )}
      <SwitchedOff />
      {targets.value.value?.items.some((target) => target.sample) && (
        <p class="sample-note">
          This is the bundled sample backend. Set <code>RAGWARDEN_TARGET_URL</code> and <code>WORKING_DIR</code> to
          watch your own.
        </p>
      )}
      <Views />
    </header>
  );
}

/** The keyboard need not go through the head of every view. */
function SkipHead() {
  const skip = (): void => {
    const room = document.querySelector<HTMLElement>('main');
    if (room === null) return;
    // Takes the focus from here only; it is no stop of its own.
    room.tabIndex = -1;
    room.focus();
  };
  return (
    <Link href={`${location.pathname}${location.search}#main`} class="skip" onFollow={skip}>
      Skip to what the view shows
    </Link>
  );
}

/** What nobody looks at here, so that an empty view is not taken for a quiet one. */
function SwitchedOff() {
  const off = listOff(switches.value);
  if (off.length === 0) return null;
  return (
    <details class="well">
      <summary>
        <span class="well-word">
          <Mark level="none" />
          {plural(off.length, 'part is', 'parts are')} switched off
        </span>
      </summary>
      <ul class="switched-off">
        {off.map((sentence) => (
          <li key={sentence}>{sentence}</li>
        ))}
      </ul>
    </details>
  );
}

const ageOf = (check: HealthCheck): string =>
  check.time === null ? '' : ` (${formatAge(Date.parse(check.time), nowMs.value)})`;

function Ailing({ check }: { check: HealthCheck }) {
  return (
    <li class="check">
      <Word word={check.status} />
      <span class="check-name">{check.name}</span>
      <span class="check-message">
        <Sentence text={check.message} />
      </span>
      <span class="check-age">
        <Age at={check.time} none="never looked at" />
      </span>
    </li>
  );
}

function Connection() {
  const isLost = health.problem.value !== undefined || connection.value === 'reconnecting';
  const isFresh = connection.value === 'live' || (connection.value === 'none' && health.loadedMs.value !== undefined);
  const word = isLost ? 'reconnecting' : isFresh ? 'live' : 'connecting';
  const loadedMs = health.loadedMs.value;
  return (
    <span
      class={`connection is-${word}`}
      role="status"
      title={loadedMs === undefined ? 'Nothing was received yet' : `Last answer ${formatAge(loadedMs, Date.now())}`}
    >
      <svg class="pulse" viewBox="0 0 12 12" aria-hidden="true">
        <circle cx="6" cy="6" r="4" />
      </svg>
      {word}
    </span>
  );
}

function Who() {
  const now = session.value;
  if (now.state !== 'known') return null;
  return (
    <>
      <span class="who" title={`Role: ${now.who.role}`}>
        {now.who.subject}
      </span>
      <Action label="Log out" onPress={() => void logOut().catch(() => undefined)} />
    </>
  );
}
