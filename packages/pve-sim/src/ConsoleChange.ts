import { Schema } from "effect"
import { CertificateInfo } from "./CertificateInfo.ts"
import { AclEntry } from "./World.ts"

const Vmid = Schema.Int
const Privileges = Schema.Array(Schema.String)

/**
 * What a person with root on the host's console may do, without any token, task or permission check. It is there for tests
 * and demonstrations: the world changes behind the back of whoever talks to the API.
 */
export const ConsoleChange = Schema.Union(
  Schema.TaggedStruct("guest.status", { vmid: Vmid, status: Schema.Literal("running", "stopped") }),
  /** The guest ends from within: nobody on the host asked for it, and no task tells of it. */
  Schema.TaggedStruct("guest.poweroff", { vmid: Vmid }),
  /** Sets one key of the configuration, or removes it with null. `lock` is such a key: `pct set --lock`, `pct unlock`. */
  Schema.TaggedStruct("guest.set", { vmid: Vmid, key: Schema.NonEmptyString, value: Schema.NullOr(Schema.String) }),
  Schema.TaggedStruct("guest.snapshot", {
    vmid: Vmid,
    name: Schema.NonEmptyString,
    description: Schema.optionalWith(Schema.String, { default: () => "" })
  }),
  Schema.TaggedStruct("guest.delsnapshot", { vmid: Vmid, name: Schema.NonEmptyString }),
  /** True: the guest ignores a polite request to shut down. */
  Schema.TaggedStruct("guest.stubborn", { vmid: Vmid, stubborn: Schema.Boolean }),
  /** `ha-manager add` and `remove`: from then on the HA manager starts and stops the guest. Null: not any more. */
  Schema.TaggedStruct("guest.ha", {
    vmid: Vmid,
    state: Schema.NullOr(Schema.Literal("started", "stopped", "ignored", "disabled"))
  }),
  /** All guests that run are stopped. */
  Schema.TaggedStruct("guests.stop", {}),
  /** A guest made by `pct create` or `qm create`; `config` has keys and values as in its file, `description` among them. */
  Schema.TaggedStruct("guest.create", {
    vmid: Vmid,
    type: Schema.optionalWith(Schema.Literal("lxc", "qemu"), { default: () => "lxc" as const }),
    config: Schema.Record({ key: Schema.NonEmptyString, value: Schema.String })
  }),
  /** `pct create` of the template at a volid; `config` are the keys that were given with it, `rootfs` as `STORAGE:GiB` among them. */
  Schema.TaggedStruct("guest.fromTemplate", {
    vmid: Vmid,
    template: Schema.NonEmptyString,
    storage: Schema.NonEmptyString,
    config: Schema.Record({ key: Schema.NonEmptyString, value: Schema.String })
  }),
  /** `pct restore` of the archive at a volid or path; `config` are the keys that were given with it. */
  Schema.TaggedStruct("guest.restore", {
    vmid: Vmid,
    archive: Schema.NonEmptyString,
    storage: Schema.NonEmptyString,
    force: Schema.Boolean,
    unique: Schema.Boolean,
    config: Schema.Record({ key: Schema.NonEmptyString, value: Schema.String })
  }),
  /** The guest's file below /etc/pve is written by hand, or lines are added to it. */
  Schema.TaggedStruct("guest.file", {
    vmid: Vmid,
    type: Schema.Literal("lxc", "qemu"),
    text: Schema.String,
    append: Schema.Boolean
  }),
  /** `pct destroy --force`. */
  Schema.TaggedStruct("guest.destroy", { vmid: Vmid }),
  /** `pct migrate` or `qm migrate` has moved it to another node of the cluster. */
  Schema.TaggedStruct("guest.moved", { vmid: Vmid, node: Schema.NonEmptyString }),
  /** How many bytes of files the guest has, which its backups write and restores of them need. */
  Schema.TaggedStruct("guest.data", { vmid: Vmid, bytes: Schema.Int }),
  /** Adds a storage, or changes keys of one. */
  Schema.TaggedStruct("storage.set", {
    storage: Schema.NonEmptyString,
    config: Schema.Record({ key: Schema.NonEmptyString, value: Schema.String })
  }),
  Schema.TaggedStruct("storage.remove", { storage: Schema.NonEmptyString }),
  /** Bytes that are left on a storage. */
  Schema.TaggedStruct("storage.avail", { storage: Schema.NonEmptyString, bytes: Schema.Int }),
  /** A file of so many bytes is written at the path, and takes them from its storage until it is removed. */
  Schema.TaggedStruct("storage.written", { path: Schema.NonEmptyString, bytes: Schema.Int }),
  /**
   * The file system below a storage, or at a path, is another one: bytes that it holds at most, and bytes that are left on it.
   */
  Schema.TaggedStruct("storage.size", { storage: Schema.NonEmptyString, total: Schema.Int, avail: Schema.Int }),
  /** Bytes that the thin pool below a storage has in use for its books. */
  Schema.TaggedStruct("storage.metadata", { storage: Schema.NonEmptyString, used: Schema.NonNegativeInt }),
  /** A file at the path takes all that is left on its storage. */
  Schema.TaggedStruct("storage.filled", { path: Schema.NonEmptyString }),
  /** `mount` and `umount`: storages below the path come and go. */
  Schema.TaggedStruct("storage.mounted", { path: Schema.NonEmptyString, mounted: Schema.Boolean }),
  /** A disk is plugged in or pulled out, as `GET /nodes/{node}/disks/list` shows it. */
  Schema.TaggedStruct("disk.plugged", {
    devpath: Schema.NonEmptyString,
    serial: Schema.NonEmptyString,
    size: Schema.Int,
    health: Schema.NonEmptyString
  }),
  Schema.TaggedStruct("disk.unplugged", { devpath: Schema.NonEmptyString }),
  /** Another machine answers this host, or no longer: a storage there can be added only while it does. */
  Schema.TaggedStruct("server.answers", { server: Schema.NonEmptyString, answers: Schema.Boolean }),
  /** `rm`: what lies at the path or is the volume; the last part of a path may be a pattern with `*`. */
  Schema.TaggedStruct("file.remove", { path: Schema.NonEmptyString }),
  /** Damages the archive at a volid or path: it breaks off, or there is nothing in it. */
  Schema.TaggedStruct("archive.damage", {
    volid: Schema.NonEmptyString,
    damage: Schema.Literal("truncated", "empty")
  }),
  /** A copy of an archive under another name, as good as it was or damaged; both are volids or paths. */
  Schema.TaggedStruct("archive.copy", {
    from: Schema.NonEmptyString,
    to: Schema.NonEmptyString,
    damage: Schema.optional(Schema.Literal("truncated", "empty"))
  }),
  /** `flock /var/run/vzdump.lock`: for so many seconds all backups of the node wait. */
  Schema.TaggedStruct("vzdump.lock", { seconds: Schema.Positive }),
  Schema.TaggedStruct("role.append", { roleid: Schema.NonEmptyString, privs: Privileges }),
  Schema.TaggedStruct("role.remove", { roleid: Schema.NonEmptyString }),
  /** Adds a user, or changes what is given. */
  Schema.TaggedStruct("user.set", {
    userid: Schema.NonEmptyString,
    enable: Schema.optional(Schema.Literal(0, 1)),
    expire: Schema.optional(Schema.Int),
    comment: Schema.optional(Schema.String),
    groups: Schema.optional(Schema.Array(Schema.NonEmptyString))
  }),
  Schema.TaggedStruct("user.remove", { userid: Schema.NonEmptyString }),
  Schema.TaggedStruct("group.add", { groupid: Schema.NonEmptyString }),
  Schema.TaggedStruct("group.remove", { groupid: Schema.NonEmptyString }),
  /** Adds a pool, or lets guests and storages in or out. */
  Schema.TaggedStruct("pool.change", {
    poolid: Schema.NonEmptyString,
    leave: Schema.Boolean,
    vms: Schema.Array(Vmid),
    storages: Schema.Array(Schema.NonEmptyString)
  }),
  Schema.TaggedStruct("pool.remove", { poolid: Schema.NonEmptyString }),
  /** The daily clean-up of tasks that ended before a moment, in seconds since the epoch. */
  Schema.TaggedStruct("task.expire", { before: Schema.Int }),
  /** The power fails, and comes back: all guests are off, tasks are lost where they stood, locks stay. */
  Schema.TaggedStruct("node.reboot", {}),
  /** Another node of the cluster goes away, or comes back. */
  Schema.TaggedStruct("peer.set", { node: Schema.NonEmptyString, online: Schema.Boolean }),
  Schema.TaggedStruct("role.set", { roleid: Schema.NonEmptyString, privs: Privileges }),
  Schema.TaggedStruct("acl.add", { entry: AclEntry }),
  /** One role of somebody on a path; without a role, all of them. */
  Schema.TaggedStruct("acl.remove", {
    path: Schema.String,
    ugid: Schema.String,
    roleid: Schema.optional(Schema.String)
  }),
  Schema.TaggedStruct("token.add", {
    tokenid: Schema.NonEmptyString,
    privsep: Schema.optionalWith(Schema.Literal(0, 1), { default: () => 1 as const }),
    expire: Schema.optionalWith(Schema.Int, { default: () => 0 }),
    comment: Schema.optional(Schema.String),
    secret: Schema.NonEmptyString
  }),
  Schema.TaggedStruct("token.change", {
    tokenid: Schema.NonEmptyString,
    privsep: Schema.optional(Schema.Literal(0, 1)),
    expire: Schema.optional(Schema.Int)
  }),
  Schema.TaggedStruct("token.remove", { tokenid: Schema.NonEmptyString }),
  /** SIGKILL to a worker: its task is left without a last line, and a lock it held stays in the config. */
  Schema.TaggedStruct("task.kill", { upid: Schema.NonEmptyString }),
  /** `systemctl stop` and `start`. Without pmxcfs there is no /etc/pve, so nobody can be told apart (platform-facts 3.4). */
  Schema.TaggedStruct("service.set", { name: Schema.Literal("pvedaemon", "pmxcfs"), running: Schema.Boolean }),
  /** A certificate below /etc/pve is written anew; what TLS serves is another matter (platform-facts 11, item 9). */
  Schema.TaggedStruct("certificate.set", { certificate: CertificateInfo })
)
export type ConsoleChange = typeof ConsoleChange.Type

/** The change names something that is not there, or makes no sense. Nothing was changed. */
export class ConsoleRefused extends Schema.TaggedError<ConsoleRefused>()("ConsoleRefused", {
  reason: Schema.Literal(
    "no-such-guest",
    "no-such-node",
    "no-such-snapshot",
    "snapshot-impossible",
    "no-such-token",
    "no-such-task",
    "no-such-user",
    "no-such-storage",
    "no-such-volume",
    "exists-already",
    "restore-failed",
    "create-failed"
  ),
  what: Schema.String
}) {
  override get message(): string {
    return `nothing changed: ${this.reason.replaceAll("-", " ")} (${this.what})`
  }
}
