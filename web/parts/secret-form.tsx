import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';

/**
 * A form for secrets. What is typed is nowhere but in its fields until it is sent, and then not there either: neither the page's
 * state nor an attribute holds it, whether the server takes it or not.
 */
export function SecretForm(props: {
  name: string;
  children: ComponentChildren;
  /** What was typed, by the names of the fields. */
  onSend(typed: FormData): void;
  onLeave(): void;
}) {
  const form = useRef<HTMLFormElement>(null);
  // Whoever opened it goes on with it.
  useLayoutEffect(() => form.current?.querySelector<HTMLElement>('input, select')?.focus(), []);
  return (
    <form
      ref={form}
      class="new-key"
      aria-label={props.name}
      autocomplete="off"
      onSubmit={(event) => {
        event.preventDefault();
        const typed = new FormData(event.currentTarget);
        event.currentTarget.reset();
        props.onSend(typed);
      }}
      onKeyDown={(event) => {
        if (event.key === 'Escape') props.onLeave();
      }}
    >
      {props.children}
    </form>
  );
}

/** A field of it. */
export function SecretField({ name, label, isSecret = true }: { name: string; label: string; isSecret?: boolean }) {
  return (
    <label>
      {label}
      <input
        name={name}
        type={isSecret ? 'password' : 'text'}
        autocomplete={isSecret ? 'new-password' : 'off'}
        autocapitalize="none"
        spellcheck={false}
      />
    </label>
  );
}
