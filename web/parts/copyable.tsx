import { useRef, useState } from 'preact/hooks';

/** A text that somebody takes elsewhere: to be copied by a press, or selected where the browser forbids that. */
export function Copyable({ name, text, href }: { name: string; text: string; href?: string }) {
  const shown = useRef<HTMLElement>(null);
  const [said, setSaid] = useState<{ text: string; word: string }>();
  const copy = (): void => {
    const select = (): void => {
      if (shown.current) getSelection()?.selectAllChildren(shown.current);
      setSaid({ text, word: 'Selected: copy it with the keyboard' });
    };
    // Without TLS a browser keeps the clipboard from pages of other machines.
    if (navigator.clipboard === undefined) select();
    else navigator.clipboard.writeText(text).then(() => setSaid({ text, word: 'Copied' }), select);
  };
  return (
    <div class="call">
      <span class="call-name">{name}</span>
      <code ref={shown} class="call-text">
        {href === undefined ? text : <a href={href}>{text}</a>}
      </code>
      <span class="call-side">
        <span role="status" class="faint">
          {said?.text === text && said.word}
        </span>
        <button type="button" class="button" aria-label={`Copy: ${name}`} onClick={copy}>
          Copy
        </button>
      </span>
    </div>
  );
}
