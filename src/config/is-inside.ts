import { isAbsolute, relative } from 'node:path';

/** Also when they are the same folder. */
export const isInside = (child: string, parent: string): boolean => {
  const way = relative(parent, child);
  return way === '' || (!way.startsWith('..') && !isAbsolute(way));
};
