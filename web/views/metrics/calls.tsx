import { useRef, useState } from 'preact/hooks';

/** What was asked of the API, ready to be asked by somebody else. */
export function Calls(props: { calls: readonly { name: string; path: string }[]; command: string }) {
  return (
    <section class="calls" aria-labelledby="calls-title">
      <h3 id="calls-title">The same for programs</h3>
      {props.calls.map(({ name, path }) => {
        const url = new URL(path, document.baseURI).href;
        return <Copyable key={name} name={name} text={url} href={url} />;
      })}
      <Copyable name="On the command line" text={props.command} />
    </section>
  );
}

function Copyable({ name, text, href }: { name: string; text: string; href?: string }) {
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
