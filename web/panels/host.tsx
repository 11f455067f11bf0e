import type { Container, HostHealth, Pressure, ProcessUse, System } from '../api/wire.ts';
import { formatBytes, formatDuration, formatPercent, formatRate, plural } from '../format.ts';
import { Cores, Curve, Gauge } from '../parts/gauge.tsx';
import { type Level, Word } from '../parts/mark.tsx';
import { Age, Trouble, Unknown } from '../parts/text.tsx';
import { type HostPoint, historyMs } from '../state/host-history.ts';
import { host, hostHistory } from '../state/page-state.ts';

export function Host() {
  const now = host.value.value;
  const system = now?.metrics;
  return (
    <section class="panel" aria-labelledby="host-title">
      <div class="panel-head">
        <h2 id="host-title">Host</h2>
        {now && <Word word={now.status} />}
        {system && (
          <span class="seen">
            sampled <Age at={system.timestamp} />, up {formatDuration(system.uptime_seconds)}
          </span>
        )}
      </div>
      {now !== undefined && <Trouble text={host.problem.value} />}
      {now === undefined && host.problem.value !== undefined ? (
        <p class="empty" role="status">
          {host.problem.value}
        </p>
      ) : now && system ? (
        <Gauges health={now} system={system} history={hostHistory.value} />
      ) : (
        <p>
          <Unknown />
        </p>
      )}
    </section>
  );
}

/** The server's verdict, which knows the thresholds and how long they were exceeded. */
const levelOfCheck = (health: HostHealth, check: keyof HostHealth['checks']): Level => {
  const { status } = health.checks[check];
  return status === 'healthy' ? 'good' : status === 'unknown' ? 'none' : health.status === 'critical' ? 'bad' : 'warn';
};

function Gauges({ health, system, history }: { health: HostHealth; system: System; history: readonly HostPoint[] }) {
  const { cpu, memory, disk } = system;
  const toMs = Date.parse(system.timestamp);
  const span = { fromMs: toMs - historyMs, toMs };
  const curve = (pick: (point: HostPoint) => number | undefined) =>
    history.map((point) => ({ atMs: point.atMs, value: pick(point) }));
  const fullest = health.checks.disk.percent ?? undefined;
  return (
    <div class="gauges">
      <Row
        name="CPU"
        value={formatPercent(cpu.percent)}
        detail={`load ${cpu.load_avg.map((one) => one.toFixed(2)).join(' ')}`}
      >
        <Gauge percent={cpu.percent} level={levelOfCheck(health, 'cpu')} />
        <Curve {...span} name="CPU, last five minutes" greatest={100} points={curve((point) => point.cpuPercent)} />
      </Row>
      <Row
        name={cpu.per_cpu.length === 1 ? 'Core' : 'Cores'}
        value={String(cpu.per_cpu.length)}
        detail={cpu.per_cpu
          .slice(0, 8)
          .map((one) => (one === null ? '–' : `${Math.round(one)}`))
          .join(' ')
          .concat(cpu.per_cpu.length > 8 ? ' …' : ' %')}
      >
        <Cores cores={cpu.per_cpu} />
      </Row>
      <Row
        name="Memory"
        value={formatPercent(memory.percent)}
        detail={`${formatBytes(memory.used)} of ${formatBytes(memory.total)}`}
      >
        <Gauge percent={memory.percent} level={levelOfCheck(health, 'memory')} />
        <Curve
          {...span}
          name="Memory, last five minutes"
          greatest={100}
          points={curve((point) => point.memoryPercent)}
        />
      </Row>
      <Row
        name="Swap"
        value={memory.swap_total === 0 ? 'none' : formatPercent(memory.swap_percent)}
        detail={memory.swap_total === 0 ? '' : `${formatBytes(memory.swap_used)} of ${formatBytes(memory.swap_total)}`}
      >
        <Gauge percent={memory.swap_total === 0 ? null : memory.swap_percent} level="good" />
      </Row>
      {disksOf(disk).map((one) => (
        <Row
          key={one.name}
          name={one.name}
          about={one.path}
          value={formatPercent(one.percent)}
          detail={`${formatBytes(one.free)} free of ${formatBytes(one.total)}`}
        >
          <Gauge
            percent={one.percent}
            level={fullest !== undefined && one.percent >= fullest ? levelOfCheck(health, 'disk') : 'good'}
          />
        </Row>
      ))}
      {disk === null && (
        <Row name="Disk" value="" detail="">
          <Unknown text="no file system could be measured" />
        </Row>
      )}
      <Network system={system} history={history} span={span} />
      {system.container && <ContainerRows name="Container" container={system.container} health={health} />}
      {system.target_container && (
        <ContainerRows name="Backend's container" container={system.target_container} health={undefined} />
      )}
      {system.pressure && <PressureRow pressure={system.pressure} />}
      <ProcessRow name="ragwarden" use={system.process} />
      {system.target_process === null ? (
        <Row name="Backend" value="" detail="">
          <Unknown text="its process is not known here" />
        </Row>
      ) : (
        <ProcessRow name="Backend" use={system.target_process} />
      )}
    </div>
  );
}

/** The end of a path tells more than its beginning. */
const shortPath = (path: string): string => (path.length <= 8 ? path : `…/${path.split('/').at(-1)}`);

type NamedDisk = { name: string; path: string; percent: number; free: number; total: number };

/** `/`, the data folder where it lies elsewhere, and the mounts; each file system once. */
export function disksOf(disk: System['disk']): NamedDisk[] {
  if (disk === null) return [];
  const all: NamedDisk[] = [{ name: 'Disk /', path: '/', ...disk }];
  if (disk.data_dir) all.push({ name: 'Data disk', ...disk.data_dir });
  for (const mount of disk.mounts) all.push({ name: `Disk ${shortPath(mount.path)}`, ...mount });
  const seen = new Set<string>();
  return all.filter((one) => {
    // Two names of one file system have the same size and the same room to the byte.
    const key = `${one.total} ${one.free}`;
    const isNew = !seen.has(key);
    seen.add(key);
    return isNew;
  });
}

/** Below this the curve would show the noise of a quiet line as mountains. Bytes per second. */
const leastScale = 10_240;

function Network(props: { system: System; history: readonly HostPoint[]; span: { fromMs: number; toMs: number } }) {
  const { history, span } = props;
  const { network } = props.system;
  if (network === null)
    return (
      <Row name="Net" value="" detail="">
        <Unknown text="the interfaces could not be read" />
      </Row>
    );
  const newest = history.at(-1);
  const rates = history.flatMap((point) => [point.receivedPerSecond ?? 0, point.sentPerSecond ?? 0]);
  const greatest = Math.max(leastScale, ...rates);
  const bad = network.errin + network.errout;
  const dropped = network.dropin + network.dropout;
  const detail = `${plural(bad, 'error')}, ${formatDrops(dropped)} since boot`;
  return (
    <>
      <Row
        name="Net in"
        value={newest?.receivedPerSecond === undefined ? '–' : formatRate(newest.receivedPerSecond)}
        detail={detail}
      >
        <Curve
          {...span}
          name="Bytes received per second, last five minutes"
          greatest={greatest}
          points={history.map((point) => ({ atMs: point.atMs, value: point.receivedPerSecond }))}
        />
      </Row>
      <Row
        name="Net out"
        value={newest?.sentPerSecond === undefined ? '–' : formatRate(newest.sentPerSecond)}
        detail=""
      >
        <Curve
          {...span}
          name="Bytes sent per second, last five minutes"
          greatest={greatest}
          points={history.map((point) => ({ atMs: point.atMs, value: point.sentPerSecond }))}
        />
      </Row>
    </>
  );
}

/** What the container may use, and uses; the verdict on it is part of that on CPU and memory above. */
function ContainerRows(props: { name: string; container: Container; health: HostHealth | undefined }) {
  const { name, container, health } = props;
  const shown = containerFigures(container);
  return shown.map((one) => (
    <Row key={one.what} name={name} about={container.path} value={one.value} detail={one.detail}>
      <Gauge percent={one.percent} level={health && one.percent !== null ? levelOfCheck(health, one.what) : 'none'} />
    </Row>
  ));
}

type ContainerFigure = { what: 'cpu' | 'memory'; value: string; percent: number | null; detail: string };

/** Lines for what is limited; a group without limits has nothing to say that the machine does not say. */
export function containerFigures({ cpu, memory }: Container): ContainerFigure[] {
  const figures: ContainerFigure[] = [];
  if (cpu !== null && cpu.limit_cores !== null) {
    const throttled = cpu.throttled_seconds ?? 0;
    figures.push({
      what: 'cpu',
      value: cpu.percent === null ? '–' : formatPercent(cpu.percent),
      percent: cpu.percent,
      detail: `CPU, of ${plural(Number(cpu.limit_cores.toFixed(2)), 'core')}${
        throttled > 0 ? `, held back ${formatDuration(throttled)}` : ''
      }`,
    });
  }
  if (memory !== null && memory.limit !== null)
    figures.push({
      what: 'memory',
      value: memory.percent === null ? '–' : formatPercent(memory.percent),
      percent: memory.percent,
      detail: `memory, ${formatBytes(memory.used)} of ${formatBytes(memory.limit)}${
        memory.oom_kills ? `, ${plural(memory.oom_kills, 'process', 'processes')} killed` : ''
      }`,
    });
  return figures;
}

/** Share of the last ten seconds in which work waited; nothing is drawn where nothing waits. */
function PressureRow({ pressure }: { pressure: Pressure }) {
  const parts = (['cpu', 'memory', 'io'] as const).flatMap((resource) => {
    const stalls = pressure[resource];
    return stalls === null ? [] : [`${resource === 'cpu' ? 'CPU' : resource} ${formatPercent(stalls.some.avg10)}`];
  });
  return (
    <Row name="Waiting" about="Share of the last 10 s in which some work waited" value="" detail="for 10 s">
      <span class="process">{parts.join(' · ')}</span>
    </Row>
  );
}

const formatDrops = (count: number): string => `${plural(count, 'drop')}`;

function ProcessRow({ name, use }: { name: string; use: ProcessUse }) {
  return (
    <Row
      name={name}
      value={use.cpu_percent === null ? '–' : formatPercent(use.cpu_percent)}
      detail=""
      about={`pid ${use.pid}`}
    >
      <span class="process">
        {formatBytes(use.memory_info.rss)}
        {use.threads !== null && ` · ${plural(use.threads, 'thread')}`}
        {use.open_files !== null && ` · ${plural(use.open_files, 'file')}`}
        {use.connections !== null && ` · ${plural(use.connections, 'socket')}`}
      </span>
    </Row>
  );
}

function Row(props: {
  name: string;
  about?: string;
  value: string;
  detail: string;
  children: preact.ComponentChildren;
}) {
  return (
    <div class="row">
      <span class="row-name" title={props.about}>
        {props.name}
      </span>
      <span class="row-value">{props.value}</span>
      <span class="row-drawing">{props.children}</span>
      <span class="row-detail">{props.detail}</span>
    </div>
  );
}
