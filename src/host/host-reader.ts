import type { Clock } from '../platform/clock.ts';
import type { HostSample } from './host.ts';

/** One way of reading a machine. What it cannot tell is undefined, never zero. */
export type HostReader = {
  /** Undefined when it was the first reading: a share of CPU time takes two. */
  read(): Promise<HostSample | undefined>;
  close(): void;
};

export type HostReaderOptions = {
  readonly clock: Clock;
  /** The target's data folder. */
  readonly dataDir?: string | undefined;
  /** Folders whose file systems are watched besides the mounted ones (repository, own data). */
  readonly diskPaths?: readonly string[];
  /** The backend's process, where it is known. */
  readonly targetPid?: () => number | undefined;
};
