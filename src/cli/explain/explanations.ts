import type { ErrorCode } from '../../platform/errors.ts';
import { cleanupExplanations } from './cleanup-explanations.ts';
import { gatewayExplanations } from './gateway-explanations.ts';

/** What a person needs to know of one code beyond the sentence that came with it. */
export type Explanation = {
  readonly means: string;
  /** The likely ones, likeliest first. */
  readonly causes: readonly string[];
  /** In the order in which to try; commands as they are typed. */
  readonly mend: readonly string[];
  /** A page of docs/runbooks. */
  readonly runbook?: string;
};

/** One per code of the catalogue in platform/errors.ts: a new code there does not compile without its line here. */
export const explanations: Readonly<Record<ErrorCode, Explanation>> = {
  'request/unreadable': {
    means: 'What arrived is not a request that could be parsed. Nothing was done.',
    causes: ['The body is not valid JSON, or cut off.', 'A header or the path is malformed.'],
    mend: ['Send what `detail` asks for; a JSON body needs `Content-Type: application/json`.'],
  },
  'request/invalid': {
    means: 'The request could be read but does not fit the schema of its route. Nothing was done.',
    causes: ['A field is missing, misspelt or out of range.', 'A query parameter the route does not know.'],
    mend: ['Each violation in `errors` names its place. The schema is in docs/api.md.'],
  },
  'request/not-found': {
    means: 'No route has this path.',
    causes: ['A typing error in the path.', 'A route of another version of ragwarden.'],
    mend: ['Compare with docs/api.md; `ragwarden -V` tells the version.'],
  },
  'request/method-not-allowed': {
    means: 'The path exists, this method does not.',
    causes: ['GET where POST is needed, or the other way round.'],
    mend: ['The `Allow` header of the answer lists the methods.'],
  },
  'request/too-many-streams': {
    means: 'As many event streams are open as this server keeps; another one would take memory from its work.',
    causes: ['Many pages of the dashboard are open.', 'A program opens a new stream without closing the last.'],
    mend: ['Close streams that nobody reads; `GET /api/v1/events` tells the same as a list.'],
  },
  'request/precondition-failed': {
    means: 'The thing was changed after it was read, so the change that was asked for was not made.',
    causes: ['Somebody else changed it meanwhile.', 'An old `ETag` was sent in `If-Match`.'],
    mend: ['Read it again, decide again, and send the new `ETag`.'],
  },
  'request/too-large': {
    means: 'The body is larger than the route accepts. It was not read to its end.',
    causes: ['A wrong file was sent.', 'Too much in one request.'],
    mend: ['Send less at once.'],
  },
  'request/unsupported-media-type': {
    means: 'The body has a content type that is not understood.',
    causes: ['`Content-Type` is missing or is not `application/json`.'],
    mend: ['Send JSON with `Content-Type: application/json`.'],
  },
  'request/misdirected': {
    means:
      'The `Host` of the request is not one that is served here. That keeps other web pages from reaching ragwarden under a name of theirs (DNS rebinding).',
    causes: ['A reverse proxy or a DNS name that ragwarden does not know.'],
    mend: ['Add the name to `server.public_hosts` (RAGWARDEN_PUBLIC_HOSTS), or call it by its address.'],
  },
  'request/headers-too-large': {
    means: 'The headers together are larger than is accepted.',
    causes: ['Too many cookies of the same host.', 'A very long token.'],
    mend: ['Remove cookies of that host, or call it under another name.'],
  },
  'request/timeout': {
    means: 'The request did not arrive completely in time.',
    causes: ['A very slow or broken connection.', 'A client that announces a body and does not send it.'],
    mend: ['Send it again.'],
  },
  'request/idempotency-conflict': {
    means: 'An `Idempotency-Key` stands for one request; this one differs from the one it was used for.',
    causes: ['A script that uses a fixed key for different requests.'],
    mend: ['Use a new key for a new request and the same key only to repeat the same one.'],
  },
  'request/aborted': {
    means: 'The caller closed the connection before the answer was there.',
    causes: ['A time limit of the client or of a proxy.', 'Somebody pressed Ctrl-C.'],
    mend: ['Work that was started goes on: `ragwarden operations list` shows it.'],
  },
  'access/unauthenticated': {
    means: 'ragwarden does not know who is asking.',
    causes: [
      'No token was sent, or it is mistyped, expired or revoked.',
      'The command runs as another user than ragwarden, so the local token cannot be read.',
    ],
    mend: [
      'On the machine itself: run the command as the user who runs ragwarden, with --data-dir of its data folder.',
      'From elsewhere: set RAGWARDEN_URL and RAGWARDEN_TOKEN; `ragwarden token create NAME --role admin` makes a token.',
    ],
  },
  'access/forbidden': {
    means: 'ragwarden knows who is asking, and that role may not do this.',
    causes: ['A token of role user, service or scrape on a route for admins.', 'A workspace the token is not for.'],
    mend: ['`ragwarden token list` shows roles and workspaces; use another token or make one.'],
  },
  'access/throttled': {
    means: 'Too many wrong credentials came from one address, which has to wait now.',
    causes: ['A script with an old token that tries again and again.', 'Somebody is guessing.'],
    mend: [
      'Stop the script, mend its token, and wait as long as `Retry-After` says.',
      '`ragwarden events` shows the attempts.',
    ],
  },
  'access/ambiguous': {
    means: 'The request carries two different credentials, so it is not clear who is asking.',
    causes: ['Both `Authorization` and `X-API-Key` were sent, with different tokens.', 'A proxy adds one of its own.'],
    mend: ['Send one of the two.'],
  },
  'access/issuer-unreachable': {
    means: 'A token signed by the configured issuer came, and the keys of that issuer cannot be fetched to check it.',
    causes: ['The issuer or the network to it is down.', 'The domain in the settings is wrong.'],
    mend: ['Check AUTH0_DOMAIN and the way out of this machine; tokens of ragwarden itself go on working.'],
  },
  'access/csrf': {
    means: 'A browser session asked for a change without proving that the request came from the dashboard itself.',
    causes: [
      'A request from another web page.',
      'The page was open while ragwarden was started anew.',
      'A proxy changes `Origin`.',
    ],
    mend: ['Load the page again.', 'In scripts use a token instead of the cookie of a session.'],
  },
  'access/login-used': {
    means: 'A login link works once and for ten minutes.',
    causes: ['It was opened before, perhaps by a preview of a chat or mail program.', 'It is older than ten minutes.'],
    mend: ['`ragwarden token login-link` makes a new one.'],
  },
  'access/seal-broken': {
    means: 'A secret that was set over the API is kept sealed, and the present seal key does not open it.',
    causes: [
      '`seal.key` in the data folder was lost or replaced; the state came back from a copy, the key did not.',
      '`RAGWARDEN_SEAL_KEY` was changed, or set after secrets were sealed with the file.',
    ],
    mend: ['Bring the former key back.', 'Or set the secret again: it is sealed with the present key.'],
  },
  'feature/disabled': {
    means: 'This part is switched off by a setting: it does no work, and its routes answer with this.',
    causes: ['Somebody switched it off; `detail` names the setting.'],
    mend: ['`ragwarden config show --origin` shows where the setting comes from; change it there and start again.'],
  },
  'conflict/state': {
    means: 'What was asked for does not fit the present state. Nothing was changed.',
    causes: ['It was done already, or has ended already.', 'Something that is needed first is missing.'],
    mend: ['`detail` says what is in the way.'],
  },
  'conflict/confirmation-required': {
    means: 'The request would replace or delete data and was not confirmed.',
    causes: ['`confirm` is not in the body.'],
    mend: [
      'Look at the plan (`plan_only`), then send its `plan_id` with `"confirm": true`; on the command line answer the question or use --yes.',
    ],
  },
  'tuning/unknown-revision': {
    means: 'The tuning has no revision of this number. Nothing was changed.',
    causes: ['A typing error.', 'The number is of another instance, with a state of its own.'],
    mend: ['`ragwarden tune history` shows every revision; 0 is the state before the first.'],
  },
  'tuning/rolled-back': {
    means:
      'The backend did not become healthy with new values. Its environment file was put back, and it was started with what it had, unless the message says otherwise.',
    causes: [
      'A value that the backend refuses, such as another dimension than its index has.',
      'A start that takes longer than `target.start_timeout_seconds`.',
    ],
    mend: [
      'Look at the log of the backend, correct the value with `ragwarden tune set`, and apply again.',
      'Where the message says that the file was not put back: what it was stands beside it, under the name that is told.',
    ],
  },
  'settings/unknown': {
    means: 'No setting has this key.',
    causes: ['A typing error.', 'A setting of another version of ragwarden.'],
    mend: ['`ragwarden settings list` shows every key.'],
  },
  'settings/needs-restart': {
    means: 'The setting is read at the start only. Nothing was changed.',
    causes: ['A port, a folder, a switch or a secret was to be changed over the API.'],
    mend: ['Set it in ragwarden.yaml or in the environment, and restart ragwarden.'],
  },
  'settings/fixed': {
    means:
      'A flag or a variable of the environment gives this setting its value, and counts more than the API. Nothing was changed.',
    causes: ['The unit file, the compose file or the command line sets it.'],
    mend: ['Change it there and restart, or remove it there; `ragwarden config show --origin` says where.'],
  },
  'config/invalid': {
    means: 'A setting or an option is wrong. Nothing was started.',
    causes: ['A misspelt name, a value out of range, or two names of one setting with different values.'],
    mend: ['`ragwarden config check` shows every problem with its place and what to write instead.'],
  },
  'metrics/busy': {
    means:
      'More metrics arrive at once than there is room for. Nothing of the request was taken; sending it again is right.',
    causes: [
      'Many exporters send at the same instant, or one sends far more often than every few seconds.',
      'The disk is full or slow, so that what was taken in is not stored.',
    ],
    mend: [
      'Exporters of OpenTelemetry send again by themselves, after `Retry-After`.',
      'Let them send less often, or fewer series: `ragwarden_metrics_received_total` tells how much comes.',
    ],
  },
  'target/unknown': {
    means: 'No target has this id.',
    causes: ['A typing error.', 'No target is configured.'],
    mend: ['`ragwarden target list` shows them; RAGWARDEN_TARGET_URL and WORKING_DIR configure one.'],
    runbook: 'backend-offline.md',
  },
  'target/not-applicable': {
    means: 'What was asked for exists for LightRAG alone, and the target is of another kind (graphrag, custom).',
    causes: [
      'Documents are followed, the canary is asked and stores are audited through what is known of LightRAG.',
      'A GraphRAG project or a backend of one’s own was taken for a LightRAG server, or the other way round: target.kind.',
    ],
    mend: [
      '`ragwarden target list` shows the kind of each target, and `ragwarden target inspect` what there is for it.',
      'Where the kind is wrong, set target.kind (RAGWARDEN_TARGET_KIND) and start ragwarden again.',
    ],
  },
  'target/unreachable': {
    means: 'The RAG backend does not answer.',
    causes: ['It does not run.', 'Its address in the settings is wrong.', 'It is busy writing and answers too late.'],
    mend: [
      '`ragwarden target inspect` looks now and says what it saw.',
      '`ragwarden config show --origin` tells where the address comes from.',
    ],
    runbook: 'backend-offline.md',
  },
  'target/lifecycle-failed': {
    means: 'The command that stops or starts the backend did not do so.',
    causes: [
      '`target.lifecycle` names a wrong program or unit.',
      'The user who runs ragwarden may not stop it.',
      'It takes longer than the time limit.',
    ],
    mend: [
      'Try the command by hand as the same user.',
      'Raise RAGWARDEN_TARGET_STOP_TIMEOUT or RAGWARDEN_TARGET_START_TIMEOUT when it is only slow.',
    ],
    runbook: 'restore-a-workspace.md',
  },
  'target/in-use': {
    means: 'The backend was to be stopped and something still holds its files, so nothing was changed.',
    causes: [
      'Something starts it again by itself: a service manager, a restart policy of a container.',
      'A second server works on the same folder.',
    ],
    mend: ['`detail` names the process. Stop it, and what starts it again, and retry.'],
    runbook: 'restore-a-workspace.md',
  },
  'target/foreign-path': {
    means: 'A path would lead outside the folders of the target. Nothing outside them is ever touched.',
    causes: [
      'A workspace name with a slash in it.',
      'The point was taken of a folder that is not configured any more.',
    ],
    mend: ['Set WORKING_DIR and INPUT_DIR as they were when the point was taken.'],
    runbook: 'restore-a-workspace.md',
  },
  'target/inspection-failed': {
    means: 'Looking into the files of the target broke off. Nothing was changed.',
    causes: ['They are being rewritten all the time.', 'They cannot be read.'],
    mend: ['`ragwarden target inspect` tries again; `ragwarden doctor` shows owner and permissions.'],
  },
  'host/not-sampled': {
    means: 'The machine was not looked at yet.',
    causes: ['ragwarden started a moment ago.', 'MONITORING_ENABLED is off.'],
    mend: ['Ask again in a few seconds.'],
  },
  'metrics/store-failed': {
    means:
      'The other store of metrics, which was asked for by name, did not answer as it should. The own tiers are not concerned.',
    causes: ['It is away, or slow.', 'It refuses the credentials of metrics.read_back.', 'It does not know the query.'],
    mend: ['The sentence says what it answered.', 'Without `source=store` the own tiers answer alone.'],
  },
  'operation/unknown': {
    means: 'No operation has this id.',
    causes: ['A typing error.', 'An id of another ragwarden.'],
    mend: ['`ragwarden operations list` shows them.'],
  },
  'operation/cancelled': {
    means: 'Somebody asked the operation to end, and it did, leaving nothing half-done.',
    causes: ['`ragwarden operations cancel`, or the button of the dashboard.'],
    mend: ['`ragwarden events` tells who asked. Start it again when that was a mistake.'],
  },
  'operation/busy': {
    means: 'One operation at a time works on a target, and another one holds it.',
    causes: ['A scheduled backup, a verification or a restore is running.'],
    mend: ['`ragwarden operations list --state running` shows it. Wait, or cancel it.'],
  },
  'operation/interrupted': {
    means: 'ragwarden ended while this ran. At the next start it was brought to a clear state.',
    causes: ['A restart or a crash of ragwarden or of the machine.'],
    mend: ['`ragwarden events` tells how it was settled. Start it again.'],
    runbook: 'interrupted-restore.md',
  },
  'operation/lease-lost': {
    means: 'Another instance took the work over; this one changed nothing more.',
    causes: [
      'This instance stood still for longer than its lease: suspended, or starved of CPU.',
      'Two instances on one state.',
    ],
    mend: ['`ragwarden operations list` shows who has it. Look at the load of this machine.'],
  },
  'backup/unavailable': {
    means: 'Backups cannot be taken at present.',
    causes: ['restic is missing or too old.', 'The repository or its password cannot be used.'],
    mend: ['`ragwarden doctor` shows which.'],
    runbook: 'restic-missing.md',
  },
  'backup/unknown-point': {
    means: 'No recovery point has this id.',
    causes: ['A typing error.', 'Retention has forgotten it.'],
    mend: ['`ragwarden backup list` shows what is there, `ragwarden backup list --all` also what is not any more.'],
  },
  'backup/invalid-id': {
    means:
      'This does not look like the id of a recovery point: backup_YYYYMMDD_HHMMSS and four letters, which may be left out where no other point was begun in that second.',
    causes: ['A typing error, or an id of restic.', 'Several points were begun in that second.'],
    mend: ['`ragwarden backup list` shows the ids.'],
  },
  'backup/capture-failed': {
    means: 'The files could not be captured, so no recovery point was made of this run.',
    causes: [
      'The folder cannot be read, or is not there.',
      'Files were rewritten faster than they could be captured.',
      'No folder is configured.',
    ],
    mend: ['`ragwarden doctor` shows owner and permissions; `ragwarden backup create` tries again.'],
  },
  'backup/verification-failed': {
    means: 'What was read back from the repository differs from what was captured. The point does not count as good.',
    causes: ['A bad disk, bad memory, or a storage that loses data.'],
    mend: [
      'Take another point now: `ragwarden backup create`.',
      'Check the disk, and the repository: `ragwarden repo check --read-data`.',
    ],
    runbook: 'failed-drill.md',
  },
  'repository/missing': {
    means: 'There is no repository, or no password for it, where the settings say.',
    causes: ['A disk or a network share is not mounted.', 'BACKUP_DIR or the data folder is another one than before.'],
    mend: [
      'Mount it. When it is really gone: `ragwarden backup adopt-repository --yes`.',
      'The machine is a new one and the old one is lost: `docs/runbooks/lost-machine.md`.',
    ],
    runbook: 'repository-gone.md',
  },
  'repository/replaced': {
    means: 'A repository is there, but not the one that was used before, so nothing is written to it.',
    causes: ['Another disk is mounted there.', 'It was deleted and made anew.'],
    mend: ['Mount the right one, or accept this one: `ragwarden backup adopt-repository --yes`.'],
    runbook: 'repository-gone.md',
  },
  'repository/locked': {
    means: 'Another restic works on the repository, or died and left its lock.',
    causes: ['A backup of another program or machine.', 'A restic that was killed.'],
    mend: [
      'See whether the process that is named is alive; `ragwarden repo unlock` removes locks whose holder is gone.',
    ],
    runbook: 'repository-locked.md',
  },
  'repository/wrong-password': {
    means: 'The password file does not open the repository. Without the right one nobody can read the backups.',
    causes: ['The data folder is new and the repository old.', 'The password file was replaced.'],
    mend: [
      'Bring the password back from the recovery kit.',
      'Nobody has it any more: `docs/runbooks/lost-password.md`.',
    ],
    runbook: 'wrong-repository-password.md',
  },
  'repository/damaged': {
    means: 'restic says that parts of the repository are missing or broken.',
    causes: ['A bad disk, an incomplete copy, or files that were deleted by hand.'],
    mend: ['`ragwarden repo check --read-data` says what is broken. Do not prune. Take a new point afterwards.'],
    runbook: 'repository-damaged.md',
  },
  'repository/refused': {
    means:
      'The store answered, and does not allow what was asked: a key that it does not know, a wrong secret, a missing permission.',
    causes: [
      'The key was renewed or withdrawn, or its secret does not belong to it.',
      'A policy lets it read and not write, or not delete; or the bucket belongs to somebody else.',
    ],
    mend: ['Name the right key. `docs/replication.md` lists what it must be allowed to do.'],
  },
  'repository/unreachable': {
    means: 'The store did not answer, or nobody that this machine trusts vouches for its certificate.',
    causes: ['It does not run, or its address is another one.', 'A network between, a proxy or a firewall.'],
    mend: [
      'Reach its address from this machine. For a certificate of your own authority: `ca_file`.',
      'What was under way is gone on with by the next run.',
    ],
  },
  'repository/failed': {
    means: 'restic ended with an error that has no code of its own.',
    causes: ['`detail` has its words: network, permissions, a version that is too old.'],
    mend: ['`ragwarden doctor` shows version, space and permissions. Try again.'],
  },
  'repository/invalid-location': {
    means: 'The place of the repository is not written in a form that is understood.',
    causes: ['A relative path, or credentials inside the location.'],
    mend: ['Set BACKUP_DIR to an absolute folder, or to such as s3:https://host/bucket/path.'],
  },
  'restore/blocked': {
    means: 'As things stand the restore would not be safe or not be possible. Nothing was changed.',
    causes: [
      'The folder is a mount point or holds another file system.',
      'There is not enough space.',
      'Something else holds the files.',
    ],
    mend: ['`ragwarden backup restore ID --plan` lists every hindrance.'],
    runbook: 'restore-a-workspace.md',
  },
  'restore/invalid-options': {
    means: 'What of the point is to go where does not fit the point. Nothing was changed.',
    causes: [
      'A component or workspace that the point does not hold.',
      'A place beside the live data that is not given, or not below a folder that may be written.',
    ],
    mend: [
      '`ragwarden backup show ID` tells what the point holds; `ragwarden backup restore ID --plan` what would happen.',
    ],
    runbook: 'restore-a-workspace.md',
  },
  'restore/unsafe-entry': {
    means:
      'The point holds an entry that could write outside its folder or make a special file. None of it was restored.',
    causes: ['The repository was changed by somebody.', 'A link in the workspace that leads elsewhere.'],
    mend: ['Look at what `detail` names. Choose another point.'],
    runbook: 'restore-a-workspace.md',
  },
  'restore/digest-mismatch': {
    means: 'What came out of the repository is not what went in. The folder was left as it was.',
    causes: ['A damaged repository, a bad disk or bad memory.'],
    mend: ['Choose another point, and verify it first: `ragwarden backup verify ID`.'],
    runbook: 'failed-drill.md',
  },
  'restore/server-reappeared': {
    means: 'The backend came back while its files were being replaced. The restore was undone.',
    causes: ['A service manager or the restart policy of a container started it again.'],
    mend: ['Stop it there, not only the process, and restore again.'],
    runbook: 'restore-a-workspace.md',
  },
  'recovery/no-standby': {
    means: 'The target has no second place that it could be brought up at. Nothing was done.',
    causes: [
      'target.standby is not in the settings file.',
      'ragwarden was not restarted since it is.',
      'The target is a GraphRAG project, a backend of your own, or has further endpoints: a LightRAG of one process alone is moved.',
    ],
    mend: [
      'Describe the second place in target.standby of ragwarden.yaml and restart.',
      'Of what is not moved: bring the newest point onto another machine with `ragwarden recover`.',
    ],
    runbook: 'zone-lost.md',
  },
  'recovery/failover-failed': {
    means: 'A failover or a reseed could not be carried to its end. Its text says where the target lives now.',
    causes: [
      'The place that is left still answers and could not be stopped.',
      'What answers at the second place is another server, or serves another folder.',
      'The canary fails there, or the documents are not as many as the point has.',
    ],
    mend: [
      'Look at the report: `ragwarden failover status`.',
      'Mend what it names, and fail over again; what was restored is found again.',
    ],
    runbook: 'zone-lost.md',
  },
  'recovery/unknown-failover': {
    means: 'There is no failover of that id.',
    causes: ['A typing error.', 'It is old, and was dropped to keep the history short.'],
    mend: ['List them: `ragwarden failover list`.'],
    runbook: 'zone-lost.md',
  },
  'recovery/unknown-checkpoint': {
    means: 'There is no checkpoint of that id.',
    causes: ['A typing error.', 'It was removed.'],
    mend: ['List them: `ragwarden checkpoint list`.'],
    runbook: 'zone-lost.md',
  },
  'recovery/unknown-drill': {
    means: 'No drill has this id, or its row was the oldest above growth.drills and went.',
    causes: ['The id is misspelt.', 'It is the id of another operation.'],
    mend: ['List drills: `ragwarden drill list`.'],
  },
  'replication/unknown-target': {
    means: 'No place that points are copied to has this id.',
    causes: ['The id is misspelt.', 'Somebody removed the target.'],
    mend: ['List them: `ragwarden replicate targets`.'],
  },
  'replication/conflict': {
    means: 'Here and at the target there is a recovery point of one id whose contents differ. Nothing was copied.',
    causes: [
      'Two installations with one target id copy to one place.',
      'The target was restored from an old copy, or was changed by hand.',
    ],
    mend: [
      'Look at both: the answer names the tree of each.',
      'Forget the wrong one with restic, then copy again: `ragwarden replicate run TARGET`.',
    ],
    runbook: 'replication-conflict.md',
  },
  'replication/not-kept': {
    means:
      'A receiver keeps a number of points of each graph, the newest, and has as many newer ones. The point was not taken; others are.',
    causes: [
      'The point is older than all that is kept there.',
      'It was dated by a clock that was wrong, and counts as the oldest.',
    ],
    mend: [
      'Nothing, when it is old. More are kept with `replication.receive_keep` at the receiver.',
      'Set the clocks of both machines right.',
    ],
  },
  'replication/source-unsound': {
    means:
      'What would be copied from is damaged: the repository that failed its last check, or the side a heal would take the data from. Nothing was changed, so that the damage stays in one place.',
    causes: ['Bytes in the repository changed, or a file of it is gone.'],
    mend: [
      'Heal the repository from a good copy: `ragwarden replicate heal TARGET --damaged source`.',
      'Where that copy is damaged too, heal from another one.',
    ],
    runbook: 'replication-heal.md',
  },
  'replication/digest-mismatch': {
    means: 'What arrived has another digest than its sender named. It was set aside and is not listed.',
    causes: ['The transfer was damaged on its way.', 'The sender computed the digest of something else.'],
    mend: ['Send it again.'],
  },
  'restore/plan-changed': {
    means: 'What was confirmed is no longer what would happen, so it was not done.',
    causes: ['Files or points changed between plan and confirmation.', 'The confirmation came late.'],
    mend: ['Look at the new plan and confirm that one.'],
    runbook: 'restore-a-workspace.md',
  },
  'storage/full': {
    means: 'There is no space left where something had to be written. What was answered with success is safe.',
    causes: ['The disk of the data folder, the repository or the target is full.'],
    mend: ['`ragwarden doctor` shows each file system with what lies on it. Free space and try again.'],
    runbook: 'disk-full.md',
  },
  'storage/unavailable': {
    means: 'ragwarden cannot read or write its own state just now.',
    causes: [
      'The data folder cannot be made or written.',
      'The disk is full or read-only.',
      'The database server does not answer.',
    ],
    mend: ['`ragwarden doctor` shows folder, owner and space.'],
    runbook: 'disk-full.md',
  },
  'storage/damaged': {
    means: 'SQLite finds that a file of the data folder is not whole, or is no database.',
    causes: ['A failing disk, a copy made while ragwarden ran, or another program wrote there.'],
    mend: [
      'Put the file aside and start: the list of points comes back from the repository. The runbook says what else does.',
    ],
    runbook: 'state-damaged.md',
  },
  'storage/schema-newer': {
    means: 'A newer ragwarden has worked with this state; this one would not understand it and leaves it alone.',
    causes: ['An older version was started after an update.'],
    mend: ['Start the newer version again, or use another data folder.'],
  },
  'storage/data-folder-in-use': {
    means: 'One ragwarden at a time works on a data folder, and one does already.',
    causes: ['It is running as a service.', 'An earlier one has not ended yet.'],
    mend: ['`detail` names the process. Stop it, or use another folder with --data-dir.'],
    runbook: 'port-taken.md',
  },
  'storage/instance-in-use': {
    means: 'State is on PostgreSQL, and another ragwarden runs there under the name of this one.',
    causes: [
      'It runs on another machine with the same RAGWARDEN_INSTANCE.',
      'Its machine has just died, and the server has not noticed yet.',
    ],
    mend: [
      'Give each its own RAGWARDEN_INSTANCE, or stop the other. After a crash of its machine try again in a minute.',
    ],
  },
  'listen/port-taken': {
    means: 'Another program listens on the port.',
    causes: ['Another ragwarden.', 'On 9090 usually Prometheus.'],
    mend: ['Stop it, or choose another port; 0 takes any free one.'],
    runbook: 'port-taken.md',
  },
  'listen/needs-token': {
    means: 'Beyond this machine ragwarden listens only when a token of your own is set.',
    causes: ['RAGWARDEN_HOST is not loopback and RAGWARDEN_ADMIN_TOKEN is not set.'],
    mend: ['Set RAGWARDEN_ADMIN_TOKEN_FILE, or listen on 127.0.0.1 with a reverse proxy before it.'],
  },
  'child/missing-program': {
    means: 'A program that is needed for this is not installed.',
    causes: ['restic is missing, or a program that `target.lifecycle` names.'],
    mend: ['`ragwarden doctor` says what is missing and how to get it.'],
    runbook: 'restic-missing.md',
  },
  'child/failed': {
    means: 'A program that ragwarden called ended with an error.',
    causes: ['`detail` has what it said.'],
    mend: ['Mend what it says, and try again.'],
  },
  'server/unreachable': {
    means: 'The command found no ragwarden that answers.',
    causes: [
      'None is running.',
      'It runs on another data folder or another machine.',
      'What answers there is something else.',
    ],
    mend: [
      'Start it: `ragwarden up` or `ragwarden serve`.',
      'Name its folder with --data-dir, or set RAGWARDEN_URL and RAGWARDEN_TOKEN.',
    ],
  },
  'outgoing/refused-address': {
    means: 'ragwarden refuses to call this address: it could reach what only this machine should reach.',
    causes: [
      'A link-local, metadata or private address, or a listener of ragwarden itself.',
      'Credentials inside the URL.',
    ],
    mend: ['Use an address that is meant to be called from here.'],
  },
  'outgoing/timeout': {
    means: 'Another server did not answer in time.',
    causes: ['It is overloaded, or a firewall drops the packets.'],
    mend: ['Ask it from this machine with curl. `ragwarden doctor` looks at the backend.'],
    runbook: 'backend-offline.md',
  },
  'outgoing/failed': {
    means: 'Another server could not be reached, or its answer could not be read.',
    causes: ['It does not run, its name is not known, or its certificate is not valid.'],
    mend: ['`detail` says which. Ask it from this machine with curl.'],
    runbook: 'backend-offline.md',
  },
  ...cleanupExplanations,
  ...gatewayExplanations,
  'alerts/unknown-rule': {
    means: 'No alert rule has this name.',
    causes: ['It was removed, or the name is misspelt.', 'It came with ragwarden, and `alerts.default_rules` is off.'],
    mend: ['`ragwarden alerts rules` lists them.'],
  },
  'alerts/unknown-alert': {
    means: 'No alert has this id, or it does not fire any more.',
    causes: ['It was resolved meanwhile.', 'The id is of a pending one, which nobody was told of yet.'],
    mend: ['`ragwarden alerts list` shows those that fire, `ragwarden alerts history` those that did.'],
  },
  'analytics/unknown-recommendation': {
    means: 'No recommendation has this id.',
    causes: ['It resolved itself long ago and went, or the id is misspelt.'],
    mend: ['`ragwarden analytics recommendations --state all` lists those that there are.'],
  },
  'analytics/too-many-looks': {
    means: 'Each window that is asked for is a look at all series; twelve of them are made while a look is kept.',
    causes: ['A program asks for a different `window_hours` each time.'],
    mend: [
      'Ask for a window that was asked for before, or for none: that is answered from the last look.',
      'Wait as long as `Retry-After` says; a look is kept for `analytics.interval_seconds`.',
    ],
  },
  'resource/unknown': {
    means: 'No resource is registered under this id.',
    causes: [
      'It was released or unregistered, by its holder or by somebody else; of the latter the audit trail tells.',
      'ragwarden was restarted: what is registered is kept in memory.',
    ],
    mend: ['Whoever still holds it registers it again; a program that gives signs of life does so upon this answer.'],
  },
  'resource/too-many': {
    means: 'As many resources are tracked as `resources.max_tracked` allows. Nothing was registered.',
    causes: ['A program registers what it holds and never releases it.', 'More is held than the setting has room for.'],
    mend: [
      '`GET /api/v1/metrics/resources/leaks` tells what nobody seems to hold any more; unregister it.',
      'Raise `resources.max_tracked`; it changes while ragwarden runs.',
    ],
  },
  'internal/stopping': {
    means: 'ragwarden is ending and takes no new work.',
    causes: ['It was told to stop or to start again.'],
    mend: ['Ask again when it is back.'],
  },
  'internal/unexpected': {
    means: 'A fault in ragwarden. The log of that moment has the whole of it.',
    causes: ['A bug.'],
    mend: ['Report it with the lines of the log, after removing what is secret.'],
  },
};
