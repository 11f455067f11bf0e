import { readFileSync } from 'node:fs';

/**
 * The router compiles a function out of text for each piece of a path that it compares, and two for each route: well over a thousand
 * scripts at each start, of which hardly any is called. Pieces are compared as it compares long ones, and the others are compiled by
 * their first call. Where a new version says it otherwise the build fails, so that nobody believes it still does.
 */
const changes = [
  {
    file: /[\\/]find-my-way[\\/]lib[\\/]node\.js$/,
    from: 'if (prefix.length >= LONG_PREFIX_MIN_LENGTH) {',
    to: 'if (prefix.length > 1) {',
  },
  {
    file: /[\\/]find-my-way[\\/]lib[\\/]node\.js$/,
    from: 'return path.indexOf(prefix, i) === i',
    to: 'return path.startsWith(prefix, i)',
  },
  {
    file: /[\\/]find-my-way[\\/]lib[\\/]handler-storage\.js$/,
    from: "return new Function('NullObject', fnBody.join('\\n'))(NullObject)",
    to: `let made
    return (a, b, c, d, more) => {
      made ??= new Function('NullObject', fnBody.join('\\n'))(NullObject)
      return made(a, b, c, d, more)
    }`,
  },
  {
    file: /[\\/]find-my-way[\\/]lib[\\/]handler-storage\.js$/,
    from: "this._getHandlerMatchingConstraints = new Function('derivedConstraints', lines.join('\\n'))",
    to: `this._getHandlerMatchingConstraints = function (given) {
      this._getHandlerMatchingConstraints = new Function('derivedConstraints', lines.join('\\n'))
      return this._getHandlerMatchingConstraints(given)
    }`,
  },
];

/** @type {import('esbuild').Plugin} */
export const lightPackages = {
  name: 'packages without what is done ahead for nobody',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]find-my-way[\\/]lib[\\/](node|handler-storage)\.js$/ }, ({ path }) => {
      let contents = readFileSync(path, 'utf8');
      for (const { file, from, to } of changes) {
        if (!file.test(path)) continue;
        if (!contents.includes(from))
          throw new Error(`${path} does not hold \`${from}\` any more: look at tools/light-packages.mjs`);
        contents = contents.replace(from, () => to);
      }
      return { contents, loader: 'js' };
    });
  },
};
