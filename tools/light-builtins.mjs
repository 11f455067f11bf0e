/**
 * `import … from 'node:http'` reads every property of that module once, and one of them, `WebSocket`, loads a whole HTTP client that
 * nobody asked for: some 40 ms of processor time and a few MiB in each process. Taken as an object, it gives what is named and no more.
 */
const modules = ['node:http', 'node:fs', 'node:crypto'];

/**
 * Fastify and undici load it at their start, for servers and backends that speak HTTP/2: some 13 ms of processor time in each process.
 * Fastify has one only where a server is asked to be of it; undici when a backend chose it.
 */
const http2 = 'node:http2';
const undiciHttp2 = /[\\/]undici[\\/]lib[\\/]dispatcher[\\/]client-h2\.js$/;

/** @type {import('esbuild').Plugin} */
export const lightBuiltins = {
  name: 'built-in modules without what nobody asked for',
  setup({ onResolve, onLoad, resolve }) {
    onResolve({ filter: /^node:/ }, ({ path, kind }) => {
      if (modules.includes(path) && kind === 'import-statement') return { path, namespace: 'built-in' };
      if (path === http2 && kind === 'require-call') return { path, namespace: 'built-in when used' };
      return undefined;
    });
    onLoad({ filter: /.*/, namespace: 'built-in' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule('${path}');`,
      loader: 'js',
    }));
    onLoad({ filter: /.*/, namespace: 'built-in when used' }, ({ path }) => ({
      contents: `module.exports = new Proxy({}, { get: (_, name) => process.getBuiltinModule('${path}')[name] });`,
      loader: 'js',
    }));
    // It reads names of `node:http2` as soon as it is loaded itself, so it is loaded by its first call.
    onResolve({ filter: /client-h2\.js$/ }, async ({ path, pluginData, ...from }) => {
      if (pluginData === 'itself') return undefined;
      const found = await resolve(path, { ...from, pluginData: 'itself' });
      // Its name in there is no path: the build looks for the package of each file.
      return undiciHttp2.test(found.path)
        ? { path: 'undici over HTTP/2', namespace: 'when called', pluginData: found.path }
        : found;
    });
    onLoad({ filter: /.*/, namespace: 'when called' }, ({ pluginData: file }) => ({
      contents: `module.exports = (...given) => require(${JSON.stringify(file)})(...given);`,
      resolveDir: '/',
      loader: 'js',
      pluginData: 'itself',
    }));
  },
};
