import { pieceBytes } from '../receive/readings.ts';

/** So often in a row it may have got no further: it was restarted. */
const mostStalls = 3;
/** For what is small, restarts counted in. */
const leastQuestions = 64;
/** At half a minute each more than a month. */
const mostQuestions = 100_000;

/**
 * Reading a large point is waited for as long as the other side gets further, by what it says. It is believed no more than there is to
 * read, and asked no more often than one that begins anew in the middle needs, so that nobody is kept asking for ever.
 */
export function watchReading(mostBytes: number): (readBytes: number) => 'goes on' | 'stuck' | 'not believed' {
  const most = Math.min(mostQuestions, leastQuestions + 2 * Math.ceil(mostBytes / pieceBytes));
  let [before, stalls, questions] = [0, 0, 0];
  return (readBytes) => {
    questions += 1;
    stalls = readBytes > before ? 0 : stalls + 1;
    before = readBytes;
    if (readBytes > mostBytes) return 'not believed';
    return stalls > mostStalls || questions > most ? 'stuck' : 'goes on';
  };
}
