/** Numbers and instants as people read them. What is not known is said so by the caller; nothing here turns it into 0. */

const byteUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** Bytes in binary units with three significant digits: `1.21 GiB`. */
export function formatBytes(bytes: number | null): string {
  if (bytes === null) return 'unknown';
  let value = Math.abs(bytes);
  let unit = 0;
  while (value >= 1024 && unit < byteUnits.length - 1) {
    value /= 1024;
    unit += 1;
  }
  // 1023.96 KiB would be shown as 1024 KiB.
  if (Math.round(value) >= 1024 && unit < byteUnits.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${bytes < 0 ? '-' : ''}${value.toFixed(digits)} ${byteUnits[unit]}`;
}

export const formatRate = (bytesPerSecond: number): string => `${formatBytes(bytesPerSecond)}/s`;

export const formatCount = (count: number): string => count.toLocaleString('en-US');

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${formatCount(count)} ${count === 1 ? one : many}`;

/** 0 to 100; one decimal below 10. */
export const formatPercent = (percent: number): string =>
  `${percent < 9.95 && percent > 0 ? percent.toFixed(1) : Math.round(percent)} %`;

const steps = [
  { name: 'd', seconds: 86_400 },
  { name: 'h', seconds: 3_600 },
  { name: 'min', seconds: 60 },
  { name: 's', seconds: 1 },
] as const;

/** The two largest units that matter: `2 d 3 h`, `4 min`, `12 s`. Below ten minutes also the seconds. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const first = steps.findIndex((step) => whole >= step.seconds);
  if (first === -1) return '0 s';
  const big = steps[first]!;
  const small = steps[first + 1];
  const count = Math.floor(whole / big.seconds);
  const rest = small ? Math.floor((whole % big.seconds) / small.seconds) : 0;
  return small === undefined || rest === 0 || count >= 10
    ? `${count} ${big.name}`
    : `${count} ${big.name} ${rest} ${small.name}`;
}

/** What was measured, small or large: a restore of a small target takes less than a second, and `0 s` would be no answer. */
export const formatSeconds = (seconds: number): string =>
  seconds < 10 ? `${seconds.toFixed(seconds < 1 ? 2 : 1)} s` : formatDuration(seconds);

/** How long ago, in one unit: an age is read at a glance. A clock a little ahead is "now". */
export function formatAge(sinceMs: number, nowMs: number): string {
  const seconds = Math.floor((nowMs - sinceMs) / 1000);
  if (seconds < 2) return 'now';
  if (seconds < 120) return `${seconds} s ago`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}

/** What lies ahead: `in 3 h 12 min`; what is due is `due now`. */
export const formatAhead = (atMs: number, nowMs: number): string =>
  atMs - nowMs < 1_000 ? 'due now' : `in ${formatDuration((atMs - nowMs) / 1000)}`;

const two = (value: number): string => String(value).padStart(2, '0');

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;

/** Local time: to the second today, to the minute with the day before that, and the date alone in other years. */
export function formatInstant(atMs: number, nowMs: number): string {
  const at = new Date(atMs);
  const now = new Date(nowMs);
  const minute = `${two(at.getHours())}:${two(at.getMinutes())}`;
  if (at.toDateString() === now.toDateString()) return `${minute}:${two(at.getSeconds())}`;
  return at.getFullYear() === now.getFullYear() ? `${at.getDate()} ${months[at.getMonth()]} ${minute}` : dateOf(at);
}

const dateOf = (at: Date): string => `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;

/** For tooltips: date, time and zone. */
export function formatExact(atMs: number): string {
  const at = new Date(atMs);
  const offset = -at.getTimezoneOffset();
  const zone =
    offset === 0
      ? 'UTC'
      : `UTC${offset < 0 ? '-' : '+'}${two(Math.floor(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
  return `${dateOf(at)} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())} ${zone}`;
}
