import type { RoutePlugin } from '../platform/http/index.ts';
import type { RandomSource } from '../platform/ids.ts';
import { deliveryRoutes } from './delivery-routes.ts';
import type { Notify } from './notify.ts';
import { receiverRoutes } from './receiver-routes.ts';
import { silenceRoutes } from './silence-routes.ts';

/** Silences, receivers and deliveries over the API. */
export const notifyRoutes =
  (deps: {
    notify: Pick<Notify, 'silences' | 'receivers' | 'outbox'>;
    random: RandomSource;
    admit(host: string, port: number): Promise<string>;
    now: () => number;
  }): RoutePlugin =>
  async (app) => {
    const { silences, receivers, outbox } = deps.notify;
    await app.register(silenceRoutes({ silences, now: deps.now }));
    await app.register(receiverRoutes({ receivers, outbox, random: deps.random, admit: deps.admit }));
    await app.register(deliveryRoutes({ outbox }));
  };
