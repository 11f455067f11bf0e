import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Action, spokenName } from './text.tsx';

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
  const room = useRef<HTMLSpanElement>(null);
  const wasAsking = useRef(false);
  const isOpen = asking && props.why === undefined;
  // The button that was pressed is gone, and the keyboard goes on where it stood: first at what changes nothing.
  useLayoutEffect(() => {
    if (isOpen !== wasAsking.current)
      room.current?.querySelector<HTMLElement>(isOpen ? '.action:last-child button' : 'button')?.focus();
    wasAsking.current = isOpen;
  }, [isOpen]);
  const { question, onConfirm, ...button } = props;
  const leave = (): void => setAsking(false);
  return (
    <span ref={room} class={isOpen ? 'asks-again-room' : 'action'}>
      {isOpen ? (
        <fieldset
          class="asks-again"
          aria-label={spokenName(props.label, props.about) ?? props.label}
          onKeyDown={(event) => {
            if (event.key === 'Escape') leave();
          }}
        >
          <span>{question}</span>
          <Action
            label={props.label}
            kind="danger"
            onPress={() => {
              leave();
              onConfirm();
            }}
          />
          <Action label="Keep" about="Keep it as it is" onPress={leave} />
        </fieldset>
      ) : (
        <Action {...button} onPress={() => setAsking(true)} />
      )}
    </span>
  );
}
