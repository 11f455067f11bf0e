/**
 * `import … from 'node:http'` reads every property of that module once, and one of them, `WebSocket`, loads a whole HTTP client that
 * nobody asked for: some 40 ms of processor time and a few MiB in each process. Taken as an object, it gives what is named and no more.
 */
const modules = ['node:http', 'node:fs', 'node:crypto'];

/** @type {import('esbuild').Plugin} */
export const lightBuiltins = {
  name: 'built-in modules without what nobody asked for',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:/ }, ({ path, kind }) =>
      modules.includes(path) && kind === 'import-statement' ? { path, namespace: 'built-in' } : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'built-in' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule('${path}');`,
      loader: 'js',
    }));
  },
};
