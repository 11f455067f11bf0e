/** The way out that this machine's programs are told of. Others set these for everything that runs here, so no value of them is a problem. */
export const storeProxyNames = ['HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY'] as const;

/** What the tool reads when a store is elsewhere, by its name in capitals. May hold a password. */
export type StoreProxy = Readonly<Partial<Record<(typeof storeProxyNames)[number], string>>>;

/** Written in capitals or not, as most programs take them; capitals win. */
export const readStoreProxy = (env: Readonly<Record<string, string | undefined>>): StoreProxy =>
  Object.fromEntries(
    storeProxyNames.flatMap((name) => {
      const value = env[name] || env[name.toLowerCase()];
      return value ? [[name, value]] : [];
    }),
  );
