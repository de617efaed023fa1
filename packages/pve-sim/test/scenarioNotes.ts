import type { ConsoleChange } from "@felhom/pve-sim/ConsoleChange"

/** What root changed on the real host before an exchange, as world.json names it. */
export const rootChanges: ReadonlyMap<number, ReadonlyArray<ConsoleChange>> = new Map<
  number,
  ReadonlyArray<ConsoleChange>
>([
  [218, [{
    _tag: "role.set",
    roleid: "FelhomAgent",
    privs: [
      "VM.Audit",
      "VM.Snapshot",
      "VM.Snapshot.Rollback",
      "VM.Config.Options",
      "VM.PowerMgmt",
      "VM.Backup",
      "VM.Allocate",
      "Datastore.Audit",
      "Datastore.AllocateSpace",
      "Sys.Audit",
      "SDN.Use"
    ]
  }]],
  [252, [{ _tag: "guest.set", vmid: 9999, key: "lock", value: "backup" }]],
  [270, [{ _tag: "guest.set", vmid: 9999, key: "lock", value: null }]],
  [349, [{ _tag: "service.set", name: "pvedaemon", running: false }]],
  [359, [{ _tag: "service.set", name: "pvedaemon", running: true }]],
  [360, [{ _tag: "service.set", name: "pmxcfs", running: false }]],
  [365, [{ _tag: "service.set", name: "pmxcfs", running: true }]],
  [401, [
    { _tag: "guest.delsnapshot", vmid: 9999, name: "felhom1" },
    { _tag: "guest.set", vmid: 9999, key: "description", value: "felhom test guest" },
    { _tag: "token.add", tokenid: "felhom-agent@pve!nobackup", privsep: 1, expire: 0, secret: "nobackup-secret" },
    {
      _tag: "acl.add",
      entry: { path: "/", type: "token", ugid: "felhom-agent@pve!nobackup", roleid: "FelhomNoBackup", propagate: 1 }
    }
  ]]
])

/** Exchanges that this simulator does not answer yet, by the reason. */
const reasons: { readonly [reason: string]: ReadonlyArray<string> } = {
  "the history of the real host's samples is not in its world": [
    "lxc-rrddata-hour",
    "node-rrddata-hour"
  ],
  "a call that blocks behind a hanging mount is a fault, and faults are not simulated yet": [
    "mmp-status-current-blocks"
  ],
  "the world holds only the newest tasks of the real host": [
    "tasks-statusfilter-warning"
  ],
  "changing storages, ACLs, backup jobs, cloning, the node's power and syslog are not simulated": [
    "missing-priv-cluster-backup-create",
    "missing-priv-storage-create",
    "missing-priv-node-shutdown",
    "missing-priv-syslog",
    "missing-priv-acl-set",
    "clone-missing-priv"
  ],
  "backups are not simulated yet": [
    "node-vzdump-defaults",
    "cluster-backup-not-backed-up",
    "vzdump",
    "vzdump-task-status",
    "vzdump-task-log",
    "vzdump-extractconfig",
    "vzdump-unknown-storage",
    "vzdump-unknown-storage-task-status",
    "vzdump-unknown-storage-task-log",
    "vzdump-storage-without-backup-content",
    "vzdump-storage-without-backup-content-task-status",
    "vzdump-storage-without-backup-content-task-log",
    "vzdump-nonexistent-guest",
    "vzdump-nonexistent-guest-task-status",
    "vzdump-nonexistent-guest-task-log",
    "vzdump-missing-vmid",
    "vzdump-bad-mode",
    "vzdump-root-only-option",
    "vzdump-bwlimit-needs-sys-modify",
    "vzdump-prune-needs-datastore-allocate",
    "vzdump-two-guests-one-missing",
    "vzdump-two-guests-one-missing-task-status",
    "vzdump-two-guests-one-missing-task-log",
    "vzdump-stop-mode",
    "vzdump-stop-mode-task-status",
    "vzdump-stop-mode-task-log",
    "vzdump-bind-mount",
    "vzdump-bind-mount-task-status",
    "vzdump-bind-mount-task-log",
    "locked-vzdump",
    "locked-vzdump-task-status",
    "locked-vzdump-task-log",
    "vzdump-busy-start",
    "busy-second-vzdump",
    "busy-second-vzdump-status",
    "vzdump-to-abort",
    "noacl-vzdump",
    "audit-vzdump",
    "nobackup-vzdump",
    "nobackup-vzdump-task-status",
    "nobackup-vzdump-task-log",
    "vzdump-running-snapshot-mode",
    "vzdump-running-snapshot-mode-task-status",
    "vzdump-running-snapshot-mode-task-log",
    "vzdump-running-suspend-mode",
    "vzdump-running-suspend-mode-task-status",
    "vzdump-running-suspend-mode-task-log",
    "vzdump-running-stop-mode",
    "vzdump-running-stop-mode-task-status",
    "vzdump-running-stop-mode-task-log",
    "vzdump-running-snapshot-mode-fallback",
    "vzdump-running-snapshot-mode-fallback-task-status",
    "vzdump-running-snapshot-mode-fallback-task-log"
  ],
  "they look at the task of a backup, which is not simulated yet": [
    "task-status-running",
    "task-log-running",
    "task-status-finished",
    "task-log-start-limit",
    "task-log-beyond-end",
    "task-stop-finished",
    "task-stop-running",
    "task-status-aborted",
    "tasks",
    "tasks-vmid-errors",
    "pvedaemon-down-tasks"
  ],
  "archives come from backups, and removing volumes is not simulated yet": [
    "content-backup",
    "content-volume-attributes",
    "content-volume-attributes-unescaped-slash",
    "content-volume-set-notes",
    "content-backup-after-notes",
    "prunebackups-dryrun",
    "content-delete-protected",
    "content-delete-protected-task-status",
    "content-delete-protected-task-log",
    "content-set-unprotected",
    "content-delete",
    "content-delete-task-status",
    "content-delete-task-log",
    "content-delete-nonexistent",
    "audit-content-delete"
  ],
  "creating and restoring are not simulated yet": [
    "restore-without-sdn-use",
    "restore-without-sdn-use-task-status",
    "restore-without-sdn-use-task-log",
    "restore-new-id",
    "restore-new-id-task-status",
    "restore-new-id-task-log",
    "config-restored",
    "restore-existing-without-force",
    "restore-existing-with-force",
    "restore-existing-with-force-task-status",
    "restore-existing-with-force-task-log",
    "restore-missing-archive",
    "restore-missing-archive-task-status",
    "restore-missing-archive-task-log",
    "restore-unknown-storage",
    "create-from-template",
    "audit-restore",
    "restore-over-running-force",
    "restore-in-place-force",
    "restore-in-place-force-task-status",
    "restore-in-place-force-task-log",
    "config-after-restore-in-place"
  ],
  "destroying is not simulated yet": [
    "destroy-restored",
    "destroy-restored-task-status",
    "destroy-restored-task-log",
    "destroy-nonexistent",
    "destroy-protected",
    "locked-destroy",
    "destroy-running"
  ]
}

export const outOfScope: ReadonlyMap<string, string> = new Map(
  Object.entries(reasons).flatMap(([reason, slugs]) => slugs.map((slug) => [slug, reason] as const))
)
