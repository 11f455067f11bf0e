import { configAtPlace, type PlaceId, placeIds, type TargetConfig } from '../config/index.ts';
import { targetFromConfig } from '../targets/index.ts';

/** Where the target lives now, of the places that it may live at. */
export type Places = {
  readonly active: () => PlaceId;
  /** Those that the settings describe. */
  readonly all: readonly { readonly id: PlaceId; readonly config: TargetConfig }[];
  /** The target as it is at the place where it lives: what differs between places is read anew each time. */
  readonly config: TargetConfig;
  /** What looks at the target looks there from now on. */
  switchTo(place: PlaceId): void;
  onSwitch(callback: () => void): void;
};

/** @param begin where it lived at the end of the last life; a place that the settings do not have any more counts as home */
export function createPlaces(target: TargetConfig, begin: PlaceId): Places {
  const all = placeIds.flatMap((id) => {
    const config = configAtPlace(target, id);
    return config ? [{ id, config }] : [];
  });
  const known = (id: PlaceId): boolean => all.some((one) => one.id === id);
  let active = known(begin) ? begin : 'home';
  const callbacks: (() => void)[] = [];
  const now = (): TargetConfig => configAtPlace(target, active) ?? target;
  return {
    active: () => active,
    all,
    config: {
      ...target,
      get url() {
        return now().url;
      },
      get apiKey() {
        return now().apiKey;
      },
      get workingDir() {
        return now().workingDir;
      },
      get inputDir() {
        return now().inputDir;
      },
      get userDataDir() {
        return now().userDataDir;
      },
      get lifecycle() {
        return now().lifecycle;
      },
    },
    switchTo(place) {
      if (place === active || !known(place)) return;
      active = place;
      for (const callback of callbacks) callback();
    },
    onSwitch(callback) {
      callbacks.push(callback);
    },
  };
}

/** Of every place where the target lives or lived: former states may lie there too. */
export const foldersOfPlaces = ({ places }: { places: Places | undefined }): string[] =>
  (places?.all ?? []).flatMap(({ config }) => targetFromConfig(config, false).stores.map((store) => store.path));
