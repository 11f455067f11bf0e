import type { LiveConfig, SettingName } from '../config/index.ts';
import type { TargetTimings } from '../targets/index.ts';

/** The sample is quick and near, and whoever looks at it for the first time should not wait. */
const sampleSeconds = {
  probeIntervalSeconds: 2,
  probeTimeoutSeconds: 5,
  stopTimeoutSeconds: 20,
  startTimeoutSeconds: 30,
} as const satisfies Partial<Record<SettingName, number>>;

/** How often and how patiently the target is asked, as the settings are now; the sample has defaults of its own. */
export function targetTimings(live: LiveConfig, sample: boolean): TargetTimings {
  const { values, origins } = live.state().inForce;
  const ms = (name: keyof typeof sampleSeconds): number =>
    (sample && ['default', 'profile'].includes(origins[name].kind) ? sampleSeconds[name] : values[name]) * 1000;
  return {
    probeIntervalMs: ms('probeIntervalSeconds'),
    probeTimeoutMs: ms('probeTimeoutSeconds'),
    stopTimeoutMs: ms('stopTimeoutSeconds'),
    startTimeoutMs: ms('startTimeoutSeconds'),
  };
}
