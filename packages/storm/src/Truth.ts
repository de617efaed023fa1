import { configHash, guestIdentity } from "@felhom/domain/GuestConfig"
import { Crypto } from "@felhom/domain/port/Crypto"
import type { SignedOp } from "@felhom/domain/SignedOp"
import { sha256 } from "@felhom/node/NodeCrypto"
import { type Guest, nameOf, sectionAsApi, withPending } from "@felhom/pve-sim/Guest"
import type { Machine } from "@felhom/pve-sim/Machine"
import { Effect } from "effect"

const crypto = Crypto.of({
  sha256: (data) => Effect.sync(() => sha256(data)),
  randomHex: () => Effect.dieMessage("the truth needs no randomness")
})

const sorted = (texts: ReadonlyArray<string>): string => JSON.stringify([...texts].sort())

const guestUnmet = (
  guest: Guest,
  op: Extract<SignedOp, { readonly target: { readonly guest: unknown } }>
): string | undefined => {
  // What waits for the next start was shown as if it were in force.
  const config = sectionAsApi(guest.type, withPending(guest))
  const identity = guestIdentity(guest.type, config)
  const shown = op.expect.identity
  if (
    sorted(identity.hwaddrs) !== sorted(shown.hwaddrs) || sorted(identity.volumes) !== sorted(shown.volumes) ||
    identity.smbiosUuid !== shown.smbiosUuid
  ) {
    return "another guest"
  }
  if (Effect.runSync(Effect.provideService(configHash(config), Crypto, crypto)) !== op.expect.configHash) {
    return "another configuration"
  }
  if (op.expect.name !== null && nameOf(guest) !== op.expect.name) return "another name"
  const taken = [...guest.file.snapshots].map(([name, { values }]) => `${name} ${values.get("snaptime") ?? "null"}`)
  const seen = op.expect.snapshots.map(({ name, takenAt }) => `${name} ${takenAt ?? "null"}`)
  return sorted(taken) === sorted(seen) ? undefined : "other snapshots"
}

/** The volume of this name, wherever it is. */
const volumeOf = (machine: Machine, volid: string) =>
  [...machine.content.values()].flat().find((volume) => volume.volid === volid)

/** How the op's target differs from what its operator was shown, by the simulator's own state; undefined: in nothing. */
export const unmetOf = (machine: Machine, op: SignedOp): string | undefined => {
  if ("guest" in op.target) {
    const guest = machine.guests.get(op.target.guest.vmid)
    if (guest === undefined || guest.type !== op.target.guest.type) return "no such guest"
    return guestUnmet(guest, op as Extract<SignedOp, { readonly target: { readonly guest: unknown } }>)
  }
  if ("volid" in op.target) return volumeOf(machine, op.target.volid) === undefined ? "no such volume" : undefined
  return undefined
}

/** Whether what the op asks for is so now. */
export const isDone = (machine: Machine, op: SignedOp): boolean => {
  switch (op.op) {
    case "guest.destroy":
      return !machine.guests.has(op.target.guest.vmid)
    case "guest.stop_hard":
      return machine.guests.get(op.target.guest.vmid)?.running !== true
    case "snapshot.delete":
      return machine.guests.get(op.target.guest.vmid)?.file.snapshots.has(op.target.snapshot) !== true
    case "guest.rollback":
      return machine.guests.get(op.target.guest.vmid)?.file.current.values.get("parent") === op.target.snapshot
    case "backup.delete":
    case "volume.delete":
      return volumeOf(machine, op.target.volid) === undefined
    case "backup.unprotect":
      return volumeOf(machine, op.target.volid)?.protected !== true
    default:
      return true
  }
}
