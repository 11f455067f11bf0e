import { useState } from 'preact/hooks';
import { Action } from './text.tsx';

/** A button for what cannot be taken back, or costs: it says what happens and asks once more in its own place. */
export function Confirm(props: {
  label: string;
  about?: string;
  /** What will happen. */
  question: string;
  why?: string | undefined;
  tellWhy?: boolean;
  onConfirm(): void;
}) {
  const [asking, setAsking] = useState(false);
  const { question, onConfirm, ...button } = props;
  if (!asking || props.why !== undefined) return <Action {...button} onPress={() => setAsking(true)} />;
  return (
    <fieldset class="confirm" aria-label={props.about ?? props.label}>
      <span>{question}</span>
      <Action
        label={props.label}
        kind="danger"
        onPress={() => {
          setAsking(false);
          onConfirm();
        }}
      />
      <Action label="Keep" about="Keep it as it is" onPress={() => setAsking(false)} />
    </fieldset>
  );
}
