/** The composition root and the life of the whole. Reached by main and by the embedded library only. */

export { createGatewayAlone, type GatewayAlone } from './gateway-alone.ts';
export { rebuildCatalogueOffline } from './offline-catalogue.ts';
export { recoverOffline } from './offline-recover.ts';
export { repositoryVariables } from './repository-options.ts';
export { lookAtStores } from './store-looks.ts';
export { createWarden, type StartedWarden, type Warden, type WardenOptions } from './warden.ts';
