import { AppError } from '../errors.ts';

/** Deeper than any body of ours; keeps recursive code (and JSON.stringify) far from the end of the stack. */
const greatestDepth = 100;

/**
 * Refuses text nested deeper than we read, before it is parsed.
 * @throws AppError `request/unreadable`
 */
export function refuseDeepJson(text: string): void {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i += 1) {
    const char = text.charCodeAt(i);
    if (inString) {
      if (char === 92) i += 1;
      else if (char === 34) inString = false;
    } else if (char === 34) inString = true;
    else if (char === 91 || char === 123) {
      depth += 1;
      if (depth > greatestDepth)
        throw new AppError('request/unreadable', `The body is nested deeper than ${greatestDepth} levels.`);
    } else if (char === 93 || char === 125) depth -= 1;
  }
}
