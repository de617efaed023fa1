import type { Guest } from "@felhom/domain/Guest"
import { HostEpoch } from "@felhom/domain/HostId"
import type { TrustStatus } from "@felhom/domain/HostReport"
import { formatGuestRef, type GuestRef, Volid } from "@felhom/domain/ProxmoxId"
import type { SignedOp } from "@felhom/domain/SignedOp"
import type { BackupArchive } from "@felhom/domain/Storage"
import { EpochSeconds } from "@felhom/domain/Time"
import { Either, Schema } from "effect"
import type { Witnessed } from "./SignedHost.ts"

type OperationOf<Name extends SignedOp["op"]> = Pick<
  Extract<SignedOp, { readonly op: Name }>,
  "op" | "target" | "expect" | "params"
>

/** What is to be done to what, and what was seen of that: the part of an op that no two have alike. */
export type Operation = { [Name in SignedOp["op"]]: OperationOf<Name> }[SignedOp["op"]]

type Stated = "volume.delete"

/**
 * An operation before it was held against what the host said. No report says how large a volume is, so what is expected of one
 * is what the operator states.
 */
export type Wish =
  | { [Name in Exclude<SignedOp["op"], Stated>]: Omit<OperationOf<Name>, "expect"> }[Exclude<SignedOp["op"], Stated>]
  | OperationOf<Stated>

type Read<A> = Either.Either<A, string>

const guestsOf = ({ inventory }: Witnessed): Read<ReadonlyArray<Guest>> => {
  if (inventory === null) {
    return Either.left("the hub has no inventory that the host signed; wait for its next report with one")
  }
  const { guests } = inventory
  return guests.state === "ok"
    ? Either.right(guests.value)
    : Either.left(`it could not read its guests: ${guests.reason}`)
}

/** A guest as the host said it is. */
export const guestIn = (sight: Witnessed, ref: GuestRef): Read<Guest> =>
  Either.flatMap(guestsOf(sight), (guests) => {
    const found = guests.find(({ type, vmid }) => type === ref.type && vmid === ref.vmid)
    return found === undefined ? Either.left(`it has no guest ${formatGuestRef(ref)}`) : Either.right(found)
  })

/** The one guest that a person means by `lxc/101` or `101`. */
export const guestNamed = (sight: Witnessed, text: string): Read<GuestRef> =>
  Either.flatMap(guestsOf(sight), (guests) => {
    const found = guests.filter((guest) => String(guest.vmid) === text || formatGuestRef(guest) === text)
    const [only] = found
    return only !== undefined && found.length === 1
      ? Either.right({ type: only.type, vmid: only.vmid })
      : Either.left(`it has no guest ${JSON.stringify(text)}; name it by its number or as TYPE/NUMBER, such as lxc/101`)
  })

const expectGuest = (sight: Witnessed, ref: GuestRef) =>
  Either.gen(function*() {
    const guest = yield* guestIn(sight, ref)
    const { config, snapshots } = guest
    if (config.state === "unavailable") {
      return yield* Either.left(`it could not read who ${formatGuestRef(ref)} is: ${config.reason}`)
    }
    if (snapshots.state === "unavailable") {
      return yield* Either.left(`it could not read the snapshots of ${formatGuestRef(ref)}: ${snapshots.reason}`)
    }
    const volumes = yield* Either.all(config.value.identity.volumes.map((volid) =>
      Either.mapBoth(Schema.decodeEither(Volid)(volid), {
        onLeft: () => `${formatGuestRef(ref)} holds ${JSON.stringify(volid)}, which is no volume id`,
        // A report does not say how large a volume is.
        onRight: (volid) => ({ volid, size: null })
      })
    ))
    return {
      identity: config.value.identity,
      configHash: config.value.hash,
      name: guest.name,
      volumes,
      snapshots: snapshots.value.map(({ name, takenAt }) => ({ name, takenAt }))
    }
  })

const expectSnapshot = (
  sight: Witnessed,
  { guest, snapshot }: { readonly guest: GuestRef; readonly snapshot: string }
) =>
  Either.flatMap(expectGuest(sight, guest), (seen) => {
    const takenAt = seen.snapshots.find(({ name }) => name === snapshot)?.takenAt
    if (takenAt === undefined) return Either.left(`${formatGuestRef(guest)} has no snapshot ${snapshot}`)
    return takenAt === null
      ? Either.left(`it could not say when the snapshot ${snapshot} of ${formatGuestRef(guest)} was taken`)
      : Either.right({ ...seen, takenAt })
  })

/** The archive as the host said it is. */
export const archiveIn = ({ report }: Witnessed, volid: string): Read<BackupArchive> => {
  const { backup } = report.sections
  if (backup.state === "unavailable") return Either.left(`it could not read its backups: ${backup.reason}`)
  const found = backup.value.find((archive) => archive.volid === volid)
  return found === undefined ? Either.left(`it has no backup ${JSON.stringify(volid)}`) : Either.right(found)
}

const ArchiveSeen = Schema.Struct({ size: Schema.NonNegativeInt, createdAt: Schema.NullOr(EpochSeconds) })

const expectArchive = (sight: Witnessed, volid: string) =>
  Either.flatMap(archiveIn(sight, volid), ({ createdAt, size }) =>
    size === null
      ? Either.left(`it could not say how large ${volid} is`)
      : Either.mapBoth(Schema.decodeEither(ArchiveSeen)({ size, createdAt }), {
        onLeft: () => `the size of ${volid} does not read`,
        onRight: (seen) => seen
      }))

const expectStorage = ({ inventory }: Witnessed, storage: string) => {
  if (inventory === null || inventory.storages.state === "unavailable") {
    return Either.left("it could not read its storages")
  }
  const found = inventory.storages.value.find((one) => one.storage === storage)
  return found === undefined
    ? Either.left(`it has no storage ${JSON.stringify(storage)}`)
    : Either.right({ type: found.type })
}

/** The desired state that the host goes by; none counts as version 0 of no store. */
const desiredIn = ({ inventory }: Witnessed, { desired: held }: TrustStatus) => {
  // Agents that take desired state say there what they hold, also while they know only the epoch.
  if (held !== undefined) return Either.right({ epoch: held?.epoch ?? null, version: held?.version ?? 0 })
  const desired = inventory?.desired ?? null
  return desired === null
    ? Either.right({ epoch: null, version: 0 })
    : Either.mapBoth(Schema.decodeEither(HostEpoch)(desired.epoch), {
      onLeft: () => "the epoch of its desired state does not read",
      onRight: (epoch) => ({ epoch, version: desired.version })
    })
}

/** What the host says that ops for it must name. */
export const trustIn = ({ report }: Witnessed): Read<TrustStatus> =>
  report.trust === undefined || report.trust === null
    ? Either.left("it takes no signed op: its agent is older than 0.3, or has no store for them (felhom-agent doctor)")
    : Either.right(report.trust)

/** The list that holds and the version of the fleet's that it took; 0 when it follows no fleet. */
const signersIn = ({ fleet, signers }: TrustStatus) =>
  signers === null
    ? Either.left("it has no list of signers that could be replaced: root puts the first one there")
    : Either.right({ sha256: signers, version: fleet?.version ?? 0 })

/** Fills in what the host said of the target; says why it can't when the host did not say enough. */
export const operationOn = (sight: Witnessed, wish: Wish): Either.Either<Operation, string> =>
  Either.gen(function*() {
    const trust = yield* trustIn(sight)
    switch (wish.op) {
      case "guest.destroy":
        return { ...wish, expect: yield* expectGuest(sight, wish.target.guest) }
      case "guest.stop_hard":
        return { ...wish, expect: yield* expectGuest(sight, wish.target.guest) }
      case "guest.rollback":
        return { ...wish, expect: yield* expectSnapshot(sight, wish.target) }
      case "snapshot.delete":
        return { ...wish, expect: yield* expectSnapshot(sight, wish.target) }
      case "backup.delete":
        return { ...wish, expect: yield* expectArchive(sight, wish.target.volid) }
      case "backup.unprotect":
        return { ...wish, expect: yield* expectArchive(sight, wish.target.volid) }
      case "volume.delete":
        return wish
      case "storage.remove":
        return { ...wish, expect: yield* expectStorage(sight, wish.target.storage) }
      case "signers.update":
        return { ...wish, expect: yield* signersIn(trust) }
      case "policy.widen":
        return { ...wish, expect: { sha256: trust.policy } }
      case "desired.accept_epoch":
        return { ...wish, expect: yield* desiredIn(sight, trust) }
      case "store.reanchor":
        return { ...wish, expect: { storeSeq: trust.storeSeq } }
      case "hold.release":
        return trust.hold === null
          ? yield* Either.left("it is not on hold")
          : { ...wish, expect: { since: trust.hold.since } }
    }
  })
