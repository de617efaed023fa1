import { type GuestConfig, guestIdentity } from "@felhom/domain/GuestConfig"
import { formatGuestRef, type GuestRef } from "@felhom/domain/ProxmoxId"
import type { Upid } from "@felhom/domain/Upid"
import { OpJournal } from "@felhom/durable/OpJournal"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import { TaskWaiter } from "@felhom/proxmox/TaskWaiter"
import { Data, Effect } from "effect"
import { identityText } from "../plan/Matching.ts"
import { sinceMaking } from "./MakeCall.ts"
import { patiently } from "./Patience.ts"

/** It was left where it stands, and why. */
export class LeftThere extends Data.TaggedError("LeftThere")<{ readonly why: string }> {}

const nobody: GuestConfig | undefined = undefined

/** The guest's configuration; undefined where there is none under its number. */
export const configOf = (ref: GuestRef): Effect.Effect<GuestConfig | undefined, ProxmoxError, ProxmoxClient> =>
  Effect.flatMap(ProxmoxClient, (client) =>
    patiently(client.guestConfig(ref)).pipe(
      Effect.catchIf(({ reason }) => reason === "guest-not-found", () => Effect.succeed(nobody))
    ))

/** Who a guest is by its configuration, as the journal knows it. */
export const identityOf = (ref: GuestRef, config: GuestConfig): string =>
  identityText(ref.type, guestIdentity(ref.type, config))

const left = (why: string) => new LeftThere({ why })

/**
 * Removes a guest that was made by half: by the journal's own record of having made it, while it is still who it was and was
 * never started by anybody; then its record is forgotten. All else leaves it, with the reason.
 */
export const removeHalfMade = (
  key: string,
  ref: GuestRef,
  madeBy: Upid
): Effect.Effect<void, LeftThere, ProxmoxClient | TaskWaiter | OpJournal> =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const { desired } = yield* OpJournal
    const config = yield* configOf(ref)
    if (config === undefined) return yield* desired.forgotten(key)
    // What a restore found under the number of a former machine would go with this one (qemu-server, rescan).
    const found = Object.keys(config).find((one) => /^unused\d+$/.test(one))
    if (found !== undefined) return yield* left(`it has a volume that it did not come with (${found})`)
    if ((yield* client.guestStatus(ref)).status !== "stopped") return yield* left("it runs by now")
    const { remade, started } = yield* sinceMaking(ref, madeBy)
    if (remade) return yield* left("somebody has put another guest in its place")
    if (started) return yield* left("somebody has started it since")
    const mandate = yield* desired.ownMade(
      key,
      { op: "guest.destroy", guest: ref, unreferencedDisks: false },
      identityOf(ref, config)
    )
    const upid = yield* client.destroyGuest(ref, mandate)
    const outcome = yield* (yield* TaskWaiter).wait(upid)
    if (outcome._tag === "failed") return yield* left(`it could not be removed: ${outcome.exitStatus}`)
    if ((yield* configOf(ref)) !== undefined) {
      return yield* left(`its removal was asked for, and ${formatGuestRef(ref)} is still there`)
    }
    yield* desired.forgotten(key)
  }).pipe(
    Effect.mapError((error) => error._tag === "LeftThere" ? error : left(`it could not be removed: ${error.message}`))
  )
