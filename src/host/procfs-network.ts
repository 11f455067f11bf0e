/** Totals since the interface came up; they only grow until it goes. */
export type NetworkCounters = {
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Undefined where the system does not tell. */
  readonly packetsSent: number | undefined;
  readonly packetsReceived: number | undefined;
  readonly errorsIn: number;
  readonly errorsOut: number;
  readonly dropsIn: number;
  readonly dropsOut: number;
};

/** `/proc/net/dev` by name of interface, `lo` included. */
export function parseNetwork(text: string): ReadonlyMap<string, NetworkCounters> {
  const interfaces = new Map<string, NetworkCounters>();
  for (const line of text.split('\n')) {
    // A name may hold a colon (an alias); the counters never do.
    const colon = line.lastIndexOf(':');
    if (colon < 0) continue;
    const fields = line
      .slice(colon + 1)
      .trim()
      .split(/ +/)
      .map(Number);
    if (fields.length < 12 || fields.some(Number.isNaN)) continue;
    const field = (i: number): number => fields[i] ?? 0;
    interfaces.set(line.slice(0, colon).trim(), {
      bytesReceived: field(0),
      packetsReceived: field(1),
      errorsIn: field(2),
      dropsIn: field(3),
      bytesSent: field(8),
      packetsSent: field(9),
      errorsOut: field(10),
      dropsOut: field(11),
    });
  }
  return interfaces;
}

/**
 * What went over the wire: all interfaces but `lo`. psutil's total counts the loopback too; between a gateway and a backend on one
 * machine that would show every byte several times.
 */
export function sumNetwork(interfaces: ReadonlyMap<string, NetworkCounters>): NetworkCounters {
  const sum = (of: (counters: NetworkCounters) => number): number => {
    let total = 0;
    for (const [name, counters] of interfaces) if (name !== 'lo') total += of(counters);
    return total;
  };
  const sumOfKnown = (of: (counters: NetworkCounters) => number | undefined): number | undefined => {
    const total = sum((counters) => of(counters) ?? Number.NaN);
    return Number.isNaN(total) ? undefined : total;
  };
  return {
    bytesSent: sum((c) => c.bytesSent),
    bytesReceived: sum((c) => c.bytesReceived),
    packetsSent: sumOfKnown((c) => c.packetsSent),
    packetsReceived: sumOfKnown((c) => c.packetsReceived),
    errorsIn: sum((c) => c.errorsIn),
    errorsOut: sum((c) => c.errorsOut),
    dropsIn: sum((c) => c.dropsIn),
    dropsOut: sum((c) => c.dropsOut),
  };
}
