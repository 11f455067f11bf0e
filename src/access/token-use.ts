import type { Database } from '../platform/database/index.ts';
import { markTokenUsed } from './access-store.ts';

/** When tokens were last used: noted in memory at each request, written down now and then, in minutes. */
export type TokenUse = {
  note(tokenId: string, atMs: number): void;
  /** Start of the minute in which it was last used, as far as this process knows. */
  lastUsedMs(tokenId: string): number | undefined;
  /** What is lost when the process is killed is what came since the last call. */
  flush(): Promise<void>;
};

const minuteMs = 60_000;

export function createTokenUse(db: Database): TokenUse {
  /** As many entries as there are tokens that were used. */
  const seen = new Map<string, { minuteMs: number; written: boolean }>();
  return {
    note(tokenId, atMs) {
      const minute = Math.floor(atMs / minuteMs) * minuteMs;
      if (seen.get(tokenId)?.minuteMs !== minute) seen.set(tokenId, { minuteMs: minute, written: false });
    },
    lastUsedMs: (tokenId) => seen.get(tokenId)?.minuteMs,
    async flush() {
      const unwritten = [...seen].filter(([, use]) => !use.written);
      if (unwritten.length === 0) return;
      await db.unit(async (tx) => {
        for (const [tokenId, use] of unwritten) await markTokenUsed(tx, tokenId, use.minuteMs);
      });
      for (const [, use] of unwritten) use.written = true;
    },
  };
}
