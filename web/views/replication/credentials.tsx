import type { Replica } from '../../api/replication-wire.ts';
import { SecretField, SecretForm } from '../../parts/secret-form.tsx';
import { Action } from '../../parts/text.tsx';
import { credentialsOf, isSecretName } from './figures.ts';

/** New credentials instead of those that are kept: taken once, sealed, and never shown. */
export function CredentialsForm(props: {
  replica: Replica;
  why: string | undefined;
  onSend(credentials: Readonly<Record<string, string>>): void;
  onLeave(): void;
}) {
  const { replica } = props;
  const name = `New credentials of ${replica.name}`;
  return (
    <>
      <SecretForm
        name={name}
        why={props.why}
        onLeave={props.onLeave}
        onSend={(typed) =>
          props.onSend(
            Object.fromEntries([...typed].flatMap(([key, value]) => (value === '' ? [] : [[key, `${value}`]]))),
          )
        }
      >
        {credentialsOf(replica.kind).map((one) => (
          <SecretField key={one} name={one} label={one} isSecret={isSecretName(one)} />
        ))}
        <Action label="Replace them" kind="main" why={props.why} tellWhy />
        <Action label="Keep the old ones" about={`Keep the old ones: ${name}`} onPress={props.onLeave} />
      </SecretForm>
      <p class="faint">
        They replace all that are kept of this place; leave empty what it does not need. They are sealed, and never
        shown.
      </p>
    </>
  );
}
