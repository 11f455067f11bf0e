import { readFile } from 'node:fs/promises';
import { systemCode } from '../platform/errors.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import { type Inspections, parseEnvFile, type WatchedTarget } from '../targets/index.ts';
import {
  createTuning,
  type IndexFacts,
  lightragConfigRoutes,
  type Running,
  type Tuning,
  tuningRoutes,
} from '../tuning/index.ts';
import type { Ground } from './ground.ts';

export type TuningWiring = { readonly tuning: Tuning; readonly tuningRoutes: RoutePlugin };

/** The backend's parameters: what they are for whom, how they came to be so, and what the backend runs with. */
export function createTuningWiring(
  { config, db, events, clock, live }: Ground,
  seen: { readonly targets: readonly WatchedTarget[]; readonly inspections: Pick<Inspections, 'last'> },
): TuningWiring {
  const factsOf = (one: WatchedTarget): IndexFacts => indexFacts(one, seen.inspections);
  const tuning = createTuning({
    ...{ db, events, clock },
    firstValues: () => live.config().tuning.first,
    indexes: () => seen.targets.map(factsOf),
  });
  const running = async (): Promise<{ graphId: string; running: Running }[]> => {
    const environment = await readEnvironment(config.tuning.environmentFile);
    return seen.targets.map((one) => ({
      graphId: one.target.id,
      running: { configuration: one.observation()?.configuration, environment, index: factsOf(one) },
    }));
  };
  return {
    tuning,
    async tuningRoutes(app) {
      await app.register(lightragConfigRoutes({ tuning }));
      await app.register(tuningRoutes({ tuning, running }));
    },
  };
}

/** From what was inspected last; without an inspection only what the backend tells. */
function indexFacts({ target, observation }: WatchedTarget, inspections: Pick<Inspections, 'last'>): IndexFacts {
  const report = inspections.last(target.id);
  const told = observation();
  const counts = report?.audit.counts;
  const dimensions = new Set(report?.dimension.files.filter(({ rows }) => rows > 0).map(({ dimension }) => dimension));
  return {
    graphId: target.id,
    documents: counts?.doc_status ?? sumOf(told?.documents),
    chunks: counts?.text_chunks,
    entities: counts?.vdb_entities,
    relations: counts?.vdb_relationships,
    dimension: dimensions.size === 1 ? [...dimensions][0] : undefined,
    embeddingModel: told?.embeddingModel,
  };
}

const sumOf = (counts: Readonly<Record<string, number>> | undefined): number | undefined =>
  counts && Object.values(counts).reduce((sum, one) => sum + one, 0);

/** A file that is not there or cannot be read says nothing. */
async function readEnvironment(path: string | undefined): Promise<ReadonlyMap<string, string> | undefined> {
  if (path === undefined) return undefined;
  try {
    return parseEnvFile(await readFile(path, 'utf8')).values();
  } catch (err) {
    if (systemCode(err) === undefined) throw err;
    return undefined;
  }
}
