import { useState } from 'preact/hooks';
import { messageOf } from '../api/client.ts';

export type Acting = {
  /** The server's words when the last press was refused. */
  readonly refusal: string | undefined;
  readonly busy: boolean;
  act(call: () => Promise<unknown>): Promise<void>;
};

/** Does something, tells a refusal, and shows at once what it became. */
export function useActing(refresh: () => Promise<unknown>): Acting {
  const [refusal, setRefusal] = useState<string | undefined>(undefined);
  const [busy, setBusy] = useState(false);
  return {
    refusal,
    busy,
    async act(call) {
      setRefusal(undefined);
      setBusy(true);
      try {
        await call();
      } catch (err) {
        setRefusal(messageOf(err));
      } finally {
        setBusy(false);
        await refresh();
      }
    },
  };
}
