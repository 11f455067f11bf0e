import { cutLine } from './format.ts';
import type { Terminal } from './terminal.ts';

/** A picture that stands still on a terminal of its own; what was there before comes back afterwards. */
export type Screen = {
  draw(text: string): void;
  /** One line below the picture, until the next one. */
  say(text: string): void;
  leave(): void;
};

const alternateScreen = '\u001b[?1049h\u001b[?25l';
const formerScreen = '\u001b[?25h\u001b[?1049l';
const home = '\u001b[H';
const restOfLine = '\u001b[K';
const restOfScreen = '\u001b[J';

/** Overwrites line by line and clears only what is left over, so that nothing flickers; follows the size of the terminal. */
export function createScreen({ stdout, columns }: Pick<Terminal, 'stdout' | 'columns'>): Screen {
  let picture = '';
  let message: string | undefined;
  const show = (): void => {
    const rows = Math.max(1, stdout.rows ?? 24);
    const lines = picture.split('\n');
    // The last row stays free: a line that fills it would scroll.
    const kept = lines.slice(0, Math.max(1, rows - (message === undefined ? 1 : 3)));
    const all = message === undefined ? kept : [...kept, '', message];
    const width = columns() ?? 80;
    stdout.write(`${home}${all.map((line) => `${cutLine(line, width)}${restOfLine}`).join('\r\n')}${restOfScreen}`);
  };
  stdout.write(alternateScreen);
  stdout.on?.('resize', show);
  return {
    draw(text) {
      picture = text;
      message = undefined;
      show();
    },
    say(text) {
      message = text;
      show();
    },
    leave() {
      stdout.off?.('resize', show);
      stdout.write(formerScreen);
    },
  };
}
