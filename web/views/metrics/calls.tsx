import { Copyable } from '../../parts/copyable.tsx';

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
