import { writeFileSync } from 'node:fs';
import type { Tally } from './tally.ts';

type Played = {
  play(round: number): Promise<void>;
  log(): string;
  close(): Promise<void>;
};

/**
 * Plays rounds on some lanes side by side, since most of a round is waiting; each lane makes room for a new one after a while. A round
 * that throws is wrong; after a wrong one its lane is given up for a new one.
 */
export async function inLanes(
  { rounds, lanes, roundsOfLane }: { rounds: number; lanes: number; roundsOfLane: number },
  open: (number: number) => Promise<Played>,
  tally: Tally,
): Promise<void> {
  const blocks = Math.ceil(rounds / roundsOfLane);
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < blocks) {
      const block = next;
      next += 1;
      let lane = await open(block);
      try {
        for (let round = block * roundsOfLane; round < Math.min(rounds, (block + 1) * roundsOfLane); round += 1) {
          const before = tally.wrong;
          await lane.play(round).catch((err: unknown) => {
            tally.note(
              'a round comes to its end',
              err instanceof Error ? (err.stack ?? err.message) : String(err),
              `round ${round}`,
            );
          });
          if (tally.wrong === before) continue;
          const folder = process.env.BENCH_LOGS;
          if (folder) writeFileSync(`${folder}/round-${round}.log`, lane.log().slice(-40_000));
          // One fault is counted once: what it left behind is no fault of the rounds that follow.
          await lane.close();
          lane = await open(block);
        }
      } finally {
        await lane.close();
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(lanes, blocks) }, work));
}
