import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { productRoot } from '../../platform/product-version.ts';

/** Under this name it lies at the top of every point. */
export const foldProgramName = 'fold.mjs';

/** The text of the program that folds without ragwarden: beside this file, or where the build puts it. */
export const foldProgram = (): Promise<string> =>
  readFile(
    import.meta.filename.endsWith('.ts')
      ? join(import.meta.dirname, foldProgramName)
      : join(productRoot(), 'dist', foldProgramName),
    'utf8',
  );
