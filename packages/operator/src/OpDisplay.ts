import type { Guest } from "@felhom/domain/Guest"
import { humanDuration } from "@felhom/domain/HumanText"
import { formatGuestRef, type GuestRef } from "@felhom/domain/ProxmoxId"
import type { SignedOp } from "@felhom/domain/SignedOp"
import type { BackupArchive } from "@felhom/domain/Storage"
import { Either } from "effect"
import { list, moment, quoted, row } from "./DisplayLines.ts"
import { guestIn, trustIn } from "./OpExpectation.ts"
import type { Witnessed } from "./SignedHost.ts"
import { type Cell, toned } from "./Table.ts"

const seconds = (at: number | null): string => (at === null ? "at an unknown time" : moment(at * 1000))

const bytes = (size: number | null): string => {
  if (size === null) return "size unknown"
  const [unit, factor] = size >= 1024 ** 3 ? ["GiB", 1024 ** 3] as const : ["MiB", 1024 ** 2] as const
  return size < 1024 ** 2 ? `${size} bytes` : `${(size / factor).toFixed(1)} ${unit}`
}

type GuestOp = Extract<SignedOp, { readonly expect: { readonly identity: unknown } }>
type ArchiveOp = Extract<SignedOp, { readonly op: "backup.delete" | "backup.unprotect" }>

const kinds = { lxc: "container", qemu: "virtual machine" } as const

const guestWords = ({ expect, target: { guest } }: GuestOp): string =>
  `the ${kinds[guest.type]} ${formatGuestRef(guest)} ${expect.name === null ? "(no name)" : quoted(expect.name)}`

const identityLines = ({ expect: { identity } }: GuestOp): ReadonlyArray<string> => [
  ...list("network", identity.hwaddrs.map(quoted), "no network card"),
  ...(identity.smbiosUuid === null ? [] : [row("SMBIOS uuid", quoted(identity.smbiosUuid))])
]

const newest = (archives: ReadonlyArray<BackupArchive>): BackupArchive | undefined =>
  archives.toSorted((a, b) => (b.createdAt ?? 0) - (a.createdAt ?? 0))[0]

/** Backups are told by the guest's number, which another guest may have had before. */
const backupLines = ({ report }: Witnessed, { type, vmid }: GuestRef): ReadonlyArray<Cell> => {
  const { backup } = report.sections
  if (backup.state === "unavailable") {
    return [
      toned("bad", row("BACKUP", `UNKNOWN, count on none: the host could not read its backups: ${backup.reason}`))
    ]
  }
  const last = newest(
    backup.value.filter(({ guest, guestType }) => guest === vmid && (guestType === null || guestType === type))
  )
  if (last === undefined) {
    return [toned("bad", row("BACKUP", `NONE. No storage that the host can read has a backup of ${type}/${vmid}`))]
  }
  return [
    row(
      "last backup",
      `${seconds(last.createdAt)}, ${bytes(last.size)}, ${
        quoted(last.volid)
      }; found by the number ${vmid}, and nobody ` +
        "has proven that it can be restored"
    )
  ]
}

const rootDisk = (guest: Guest | undefined): ReadonlyArray<string> =>
  guest === undefined || guest.disk === null ? [] : [row("root disk", `about ${bytes(guest.disk)}`)]

const volumes = (title: string, op: GuestOp): ReadonlyArray<string> =>
  list(title, op.expect.volumes.map(({ size, volid }) => `${quoted(volid)}, ${bytes(size)}`), "no volume")

const snapshots = (title: string, op: GuestOp, kept?: string): ReadonlyArray<string> =>
  list(
    title,
    op.expect.snapshots.filter(({ name }) => name !== kept).map(({ name, takenAt }) =>
      `${quoted(name)} of ${seconds(takenAt)}`
    ),
    "none"
  )

const guestNow = (sight: Witnessed, op: GuestOp): Guest | undefined =>
  Either.getOrUndefined(guestIn(sight, op.target.guest))

const running = (guest: Guest | undefined): ReadonlyArray<Cell> =>
  guest?.status === "running" ? [toned("warning", row("state", "it is RUNNING"))] : []

/** What the host asks for before it does it, which is less than a proof: no agent restores backups to see them work yet. */
const unproven = (accepted: boolean): ReadonlyArray<Cell> =>
  accepted
    ? [toned("bad", row("ACCEPTED", "that it is done even where the host finds no backup that holds what is lost"))]
    : [
      row(
        "done only if",
        "the host finds a finished backup of the last 30 days, of this very guest and with all that is lost in it; " +
          "else it refuses, and you sign anew (--accept-no-proven-backup)"
      )
    ]

const archiveLines = ({ expect, target: { volid } }: ArchiveOp, sight: Witnessed): ReadonlyArray<Cell> => {
  const { backup } = sight.report.sections
  const archives = backup.state === "ok" ? backup.value : []
  const guest = archives.find((archive) => archive.volid === volid)?.guest ?? null
  const others = archives.filter((archive) => archive.volid !== volid && guest !== null && archive.guest === guest)
  return [
    row("backup", `${quoted(volid)}, ${bytes(expect.size)}, made ${seconds(expect.createdAt)}`),
    row("of guest", guest === null ? "unknown: its name does not say" : String(guest)),
    others.length === 0
      ? toned("bad", row("OTHERS", "NONE. It is the last backup of this guest that the host can read"))
      : row(
        "others",
        `${others.length} more of this guest, the newest of ${seconds(newest(others)?.createdAt ?? null)}`
      )
  ]
}

/** What is done, and what is lost by it. */
const deed = (op: SignedOp, sight: Witnessed): ReadonlyArray<Cell> => {
  switch (op.op) {
    case "guest.destroy":
      return [
        toned("bad", `DESTROY ${guestWords(op)} with all that is in it. It can't be undone.`),
        ...identityLines(op),
        ...running(guestNow(sight, op)),
        ...volumes("destroyed", op),
        ...rootDisk(guestNow(sight, op)),
        op.params.unreferencedDisks
          ? toned("bad", row("and also", `every other disk with the number ${op.target.guest.vmid}, on every storage`))
          : row("kept", "disks that are not in its configuration"),
        ...snapshots("snapshots", op),
        ...backupLines(sight, op.target.guest),
        ...unproven(op.params.acceptNoProvenBackup)
      ]
    case "guest.rollback":
      return [
        toned("bad", `ROLL BACK ${guestWords(op)} to the snapshot ${quoted(op.target.snapshot)}.`),
        row("lost", `all that it wrote since ${seconds(op.expect.takenAt)}`),
        ...identityLines(op),
        ...running(guestNow(sight, op)),
        ...volumes("set back", op),
        ...snapshots("snapshots", op, op.target.snapshot),
        ...backupLines(sight, op.target.guest),
        ...unproven(op.params.acceptNoProvenBackup)
      ]
    case "snapshot.delete":
      return [
        toned("bad", `DELETE the snapshot ${quoted(op.target.snapshot)} of ${guestWords(op)}.`),
        row("taken", seconds(op.expect.takenAt)),
        ...identityLines(op),
        ...snapshots("others stay", op, op.target.snapshot),
        ...backupLines(sight, op.target.guest)
      ]
    case "guest.stop_hard":
      return [
        toned("bad", `STOP ${guestWords(op)} HARD, like pulling the plug. What it has not written yet is lost.`),
        ...identityLines(op),
        ...running(guestNow(sight, op)),
        ...backupLines(sight, op.target.guest)
      ]
    case "backup.delete":
      return [toned("bad", "DELETE a backup. It can't be undone."), ...archiveLines(op, sight)]
    case "backup.unprotect":
      return [
        toned("bad", "LIFT THE PROTECTION of a backup: retention may delete it then."),
        ...archiveLines(op, sight)
      ]
    case "volume.delete":
      return [
        toned("bad", "DELETE a volume with all that is on it. It can't be undone."),
        row("volume", quoted(op.target.volid)),
        row("size", `${bytes(op.expect.size)}, as the operator stated: no report says it`),
        toned(
          "warning",
          row("whose", "unknown: no report says which guest a volume outside of all configurations was of")
        ),
        ...unproven(op.params.acceptNoProvenBackup)
      ]
    case "storage.remove":
      return [
        toned(
          "bad",
          `REMOVE the storage ${quoted(op.target.storage)} (${quoted(op.expect.type)}) from the configuration.`
        ),
        row("then", "guests with volumes on it can't be started; what lies on it stays where it is")
      ]
    case "signers.update":
      return [
        toned(
          "bad",
          `REPLACE THE SIGNERS, version ${op.expect.version} by ${op.params.version}: others may sign from then on.`
        ),
        row("now", op.expect.sha256),
        row("then", op.target.sha256)
      ]
    case "policy.widen":
      return [
        toned("bad", "WIDEN THE HOST'S POLICY: what it refuses today it may do from then on."),
        row("now", op.expect.sha256 ?? "none, so that one signer is enough"),
        row("then", op.target.sha256)
      ]
    case "desired.accept_epoch":
      return [
        toned("bad", "TAKE DESIRED STATE FROM A NEW STORE of the hub: its versions begin anew."),
        row("now", op.expect.epoch === null ? "none" : `${op.expect.epoch}, version ${op.expect.version}`),
        row("then", op.target.epoch)
      ]
    case "store.reanchor":
      return [toned("bad", "MAKE THE HOST'S RECORD OF SPENT OPS ANEW: every op signed before is void.")]
    case "hold.release":
      return [toned("bad", `RELEASE THE HOLD of ${moment(op.expect.since)}: the host does things again.`)]
  }
}

/** A report that is older than this is worth a second thought, in milliseconds. */
const fresh = 300_000

const witness = ({ report }: Witnessed, now: number): Cell => {
  const age = now - report.takenAt
  const words = row(
    "said by",
    `the host itself ${humanDuration(age)} ago, by its own clock (report ${report.sequence ?? "?"})`
  )
  return age > fresh
    ? toned("bad", `${words}. THAT IS OLD: it may be otherwise by now; the host looks again before it does it`)
    : words
}

const holdLines = (op: SignedOp, sight: Witnessed): ReadonlyArray<Cell> => {
  const hold = Either.match(trustIn(sight), { onLeft: () => null, onRight: (trust) => trust.hold })
  return hold === null || op.op === "hold.release"
    ? []
    : [toned("warning", row("ON HOLD", `the host does nothing until it is released: ${quoted(hold.reason)}`))]
}

/**
 * What a person is about to sign, in plain words: from the payload itself, and beside it what the host said in its own signed
 * report; `documentWords` tell of what goes with it. Names are quoted and cut; nothing in them moves the cursor or turns a line.
 */
export const displayedOp = (
  op: SignedOp,
  sight: Witnessed,
  now: number,
  documentWords: ReadonlyArray<Cell> = []
): ReadonlyArray<Cell> => [
  ...deed(op, sight),
  ...documentWords,
  toned("strong", row("on host", `${sight.report.host.node} (${op.host})`)),
  row("host key", sight.code),
  ...holdLines(op, sight),
  row("reason", quoted(op.reason)),
  row("good until", `${moment(op.exp)}, ${humanDuration(op.exp - now)} from now`),
  witness(sight, now)
]

const plainName = /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,61}[A-Za-z0-9])?$/
const likeRef = /^(?:(?:lxc|qemu|vm|ct)[^A-Za-z]*)?\d+$/i

/** What a person may type to say that they mean it; the first is what they are asked for. */
export const confirmations = (op: SignedOp, sight: Witnessed): ReadonlyArray<string> => {
  if ("guest" in op.target && "identity" in op.expect) {
    const { guest } = op.target
    const { name } = op.expect
    const byNumber = `${guest.type} ${guest.vmid}`
    const { inventory } = sight
    const guests = inventory?.guests.state === "ok" ? inventory.guests.value : []
    // A name that another guest has, too, that reads like a number, or that only looks like one can't say which is meant.
    const alone = guests.filter((other) => other.name?.toLowerCase() === name?.toLowerCase()).length <= 1
    return name !== null && alone && plainName.test(name) && !likeRef.test(name) ? [name, byNumber] : [byNumber]
  }
  if ("volid" in op.target) return [op.target.volid]
  return "storage" in op.target ? [op.target.storage] : [sight.report.host.node]
}
