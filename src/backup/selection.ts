/** What of a target goes into a point. */
export type PointSelection = {
  /** Only what belongs to this workspace (the unnamed one is ''); undefined: the whole target. */
  readonly workspace?: string | undefined;
  readonly include: {
    readonly database: boolean;
    readonly workspaces: boolean;
    readonly config: boolean;
  };
};

export const wholeTarget: PointSelection = { include: { database: true, workspaces: true, config: true } };

/** Which switch of a selection speaks for components of this kind. */
export function includeSwitchOf(kind: string): keyof PointSelection['include'] | undefined {
  switch (kind) {
    case 'files':
      return 'workspaces';
    case 'config':
      return 'config';
    case 'postgres':
    case 'redis':
    case 'qdrant':
    case 'command':
    case 'sqlite':
      return 'database';
    default:
      return undefined;
  }
}

/** Begins the reason of a component that is not in a point because nobody wanted it there. */
export const leftOutPrefix = 'left out as asked';
