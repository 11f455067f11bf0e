import { findNearestName } from '../../config/index.ts';
import type { Parameter } from '../parameter.ts';
import { graphragParameters } from './graphrag.ts';
import { lightragIndexParameters } from './lightrag-index.ts';
import { lightragQueryParameters } from './lightrag-query.ts';
import { lightragServerParameters } from './lightrag-server.ts';
import { promisedParameters } from './promised.ts';

/** The six come first; names are unique. */
export const parameters: readonly Parameter[] = [
  ...promisedParameters,
  ...lightragQueryParameters,
  ...lightragIndexParameters,
  ...lightragServerParameters,
  ...graphragParameters,
];
export { promisedParameters };

const byName = new Map(parameters.map((one) => [one.name, one]));
const byVariable = new Map(
  parameters.flatMap((one) =>
    one.backend === 'lightrag' && one.backendName !== null ? [[one.backendName, one] as const] : [],
  ),
);
/** LightRAG reads the newer name first and the older where it is not set. */
const olderVariables: Readonly<Record<string, string>> = { MAX_ASYNC: 'MAX_ASYNC_LLM' };

export const findParameter = (name: string): Parameter | undefined => byName.get(name);

/** By the name of a variable of LightRAG's environment. */
export const findVariable = (variable: string): Parameter | undefined =>
  byVariable.get(olderVariables[variable] ?? variable);

const bySetting = new Map(
  parameters.flatMap((one) =>
    one.backend === 'graphrag' && one.backendName !== null ? [[one.backendName, one] as const] : [],
  ),
);
/** By the path in GraphRAG's settings.yaml. */
export const findSetting = (path: string): Parameter | undefined => bySetting.get(path);

/** The name that was probably meant. Also the backend's own names are known here. */
export const nearestParameter = (name: string): string | undefined =>
  byVariable.get(name.toUpperCase())?.name ?? findNearestName(name, [...byName.keys()]);
