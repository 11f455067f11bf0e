import { AppError, type ErrorCode } from '../../platform/errors.ts';
import { type RepositoryLocation, withoutCredentials } from './location.ts';

type Ended = { readonly exitCode: number | null; readonly signal: NodeJS.Signals | null; readonly stderr: string };

/** Newer versions (0.17) tell these apart by exit code; 0.14 to 0.16 end with 1 for all of them. */
const codeByExit: Partial<Record<number, ErrorCode>> = {
  10: 'repository/missing',
  11: 'repository/locked',
  12: 'repository/wrong-password',
};

const notThere = /no such file|does ?n[o']t exist|not found|NoSuchKey|NoSuchBucket|NotFound|\b404\b/i;
/** Of an object that a store elsewhere does not have, as far as it lets one see. */
export const objectGone = /no such file|specified (key|blob) does not exist|object doesn't exist|\b404\b|not found/i;
/** Of a file in a folder: it is shorter than it was written. Of a store elsewhere it may be the network as well. */
export const endsTooEarly = /^Load\(<\w+\/\w+>.*: (unexpected )?EOF$/m;
/** Said in words by those that do not tell the code: `The access key ID you provided does not exist` is nothing that is missing. */
const refused =
  /access ?denied|access key id .*does not exist|request signature we calculated|InvalidAccessKeyId|SignatureDoesNotMatch|(Expired|Invalid)Token|AuthenticationFailed|AuthorizationFailure|permission denied \(|host key verification failed|\b40[13]\b/i;
/** `ssh` for SFTP, `rclone` for what it reaches: restic starts them. */
const missingProgram = /exec: "([\w.-]+)": executable file not found/;
/** Before a store is asked at all: what was named cannot be credentials of it, or there are none. */
const noCredentials =
  /malformed storage account key|decode account key|no azure authentication information|could not find default credentials|failed to acquire a token/i;
const unreachable =
  /connection (refused|reset|timed out)|broken pipe|no such host|no route to host|network is unreachable|i\/o timeout|handshake timeout|unexpected EOF|: EOF|x509:|HTTP response to HTTPS client|could not resolve|connection closed|\b50[234]\b|SlowDown|service ?unavailable/i;
/** A line of restic about a request that it makes again. It may have gone well then. */
export const triedAgain = /returned error, retrying after /;

/** In this order: a full disk also makes locking fail, a missing permission also makes the config file unreadable. */
const codeByText: readonly (readonly [ErrorCode, (stderr: string) => boolean])[] = [
  [
    'storage/full',
    (text) =>
      /no space left on device|quota ?exceeded|EntityTooLarge|StorageFull|InsufficientStorage|507 Insufficient/i.test(
        text,
      ),
  ],
  // Before a store is asked: that a program is not found says nothing of what lies there.
  ['child/missing-program', (text) => missingProgram.test(text)],
  ['backup/unknown-point', (text) => /no matching ID found|no snapshot found/.test(text)],
  ['repository/wrong-password', (text) => /wrong password or no key found/.test(text)],
  ['repository/locked', (text) => /is already locked|repo already locked|already locked (exclusively )?by/.test(text)],
  ['conflict/state', (text) => /config file already exists|already initialized/.test(text)],
  ['repository/refused', (text) => refused.test(text) || noCredentials.test(text)],
  ['repository/failed', (text) => /permission denied/i.test(text)],
  [
    'repository/unreachable',
    (text) => /(unable to open|client\.|dial |Stat:|: Get )/.test(text) && unreachable.test(text),
  ],
  ['repository/missing', (text) => /unable to open (config file|repository)/.test(text) && notThere.test(text)],
  // Newer versions make no bucket of Google.
  ['repository/missing', (text) => /create repository at .*bucket doesn't exist/.test(text)],
  // A pack that the index promises.
  ['repository/damaged', (text) => /Load\(<data\/\w+>/.test(text) && objectGone.test(text)],
  [
    'repository/damaged',
    (text) =>
      /repository contains errors|ciphertext verification failed|does not match (id|hash)|invalid data returned|is damaged|unable to load index|LoadIndex returned errors|number of used blobs|config.*(cannot be loaded|unexpected end of JSON)|not found in (repository|index)/i.test(
        text,
      ),
  ],
];

/** The one error for a run of restic that did not do what was asked. */
export function resticFailure(ended: Ended, doing: string, location: RepositoryLocation): AppError {
  const stderr = withoutCredentials(ended.stderr, location);
  const said = codeByExit[ended.exitCode ?? -1] ?? codeOfWords(ended.stderr) ?? 'repository/failed';
  const isCutShort = said === 'repository/unreachable' && location.kind === 'folder' && endsTooEarly.test(ended.stderr);
  const code = isCutShort ? 'repository/damaged' : said;
  const context = {
    doing,
    repository: location.display,
    exitCode: ended.exitCode,
    signal: ended.signal,
    stderr: stderr.slice(-4_000),
  };
  return new AppError(code, detailOf(code, doing, location.display, stderr, ended), { context });
}

/** What it says at last counts; what it tried again only where it says nothing else. */
export function codeOfWords(stderr: string): ErrorCode | undefined {
  const atLast = stderr
    .split('\n')
    .filter((line) => !triedAgain.test(line))
    .join('\n');
  for (const text of [atLast, stderr]) {
    const code = codeByText.find(([, matches]) => matches(text))?.[0];
    if (code !== undefined) return code;
  }
  return unreachable.test(stderr) ? 'repository/unreachable' : undefined;
}

function detailOf(code: ErrorCode, doing: string, display: string, stderr: string, ended: Ended): string {
  switch (code) {
    case 'child/missing-program': {
      const program = missingProgram.exec(stderr)?.[1] ?? 'a program';
      return `${display} is reached by ${program}, which is not installed. Install it and try again.`;
    }
    case 'storage/full':
      return `No space left while ${doing} (${display}). Free space there, or forget and prune old recovery points, and try again.`;
    case 'repository/wrong-password':
      return `The password does not open the repository ${display}. Put back the password file from the recovery kit.`;
    case 'repository/locked':
      return `The repository ${display} is locked${lockWords(stderr)}. Wait until it has finished and try again; \`ragwarden repo status\` tells whether it is there still.`;
    case 'backup/unknown-point':
      return `The repository ${display} has no such snapshot.`;
    case 'conflict/state':
      return `There is a repository at ${display} already.`;
    case 'repository/missing':
      if (/bucket doesn't exist/.test(stderr) && /create repository/.test(stderr))
        return `There is no bucket for ${display}. Make it, and try again.`;
      return `There is no repository at ${display}. Check that the place is mounted and spelled right, or let a new one be made.`;
    case 'repository/damaged':
      return `The repository ${display} is damaged: ${lastWords(stderr)}. Run a check that reads all data, and keep the other copies.`;
    case 'repository/refused':
      return `${display} refuses what was asked of it: ${lastWords(stderr)}. Check the credentials, and what they may do there.`;
    case 'repository/unreachable':
      return /x509:/.test(stderr)
        ? `${display} cannot be trusted: ${lastWords(stderr)}. Name the certificate of its authority in ca_file.`
        : `${display} cannot be reached: ${lastWords(stderr)}. Check that it runs, its address, and the network between.`;
    default:
      return `restic failed while ${doing} (${display}): ${ended.signal ? `ended by ${ended.signal}` : lastWords(stderr)}.`;
  }
}

/** " by process 12 on host x since …", from `… already locked by PID 12 on x by root (UID 0, GID 0)\nlock was created at …`. */
function lockWords(stderr: string): string {
  const holder = /locked(?: exclusively)? by PID (\d+) on (\S+)/.exec(stderr);
  const since = /lock was created at (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)/.exec(stderr);
  return `${holder ? ` by process ${holder[1]} on ${holder[2]}` : ''}${since ? ` since ${since[1]}` : ''}`;
}

/** The line that says most, without the stack trace that restic prints after some errors. */
function lastWords(stderr: string): string {
  const lines = stderr
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^\s|^[\w./*()-]+\.go:|^(github\.com|main\.|runtime\.)/.test(line));
  // ssh knows why, restic only that it ended.
  const ssh = lines.findLast((one) =>
    /^subprocess ssh: .*(denied|failed|refused|resolve|timed out|unreachable)/i.test(one),
  );
  const line = ssh ?? lines.findLast((one) => one.startsWith('Fatal: ')) ?? lines[0] ?? 'no message';
  // Newer versions tell of Azure what it answered in lines of their own.
  const azure = /^ERROR CODE: (\w+)$/m.exec(stderr)?.[1];
  return (azure === undefined || line.includes(azure) ? line : `${line} (${azure})`)
    .replace(/^(Fatal|subprocess ssh): /, '')
    .replace(/\.$/, '')
    .slice(0, 300);
}
