import { guestIdentity } from "@felhom/domain/GuestConfig"
import { formatGuestRef, type GuestRef } from "@felhom/domain/ProxmoxId"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import { Effect } from "effect"
import { keyedIdentity } from "../plan/Matching.ts"
import type { MadeGuest, ObservedGuest } from "../plan/ObservedHost.ts"

const nobody: ObservedGuest | undefined = undefined

/** The guest as it is at this moment; undefined where there is none under its number. Two requests. */
export const freshGuest = (
  ref: GuestRef,
  made: ReadonlyArray<MadeGuest>
): Effect.Effect<ObservedGuest | undefined, ProxmoxError, ProxmoxClient> =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const row = yield* client.guestStatus(ref)
    // Read last, so that the digest is that of all that is gone by.
    const merged = yield* client.guestConfig(ref)
    const at = formatGuestRef(ref)
    return {
      ref,
      name: row.name,
      status: row.status,
      template: row.template,
      lock: row.lock,
      ha: null,
      identity: keyedIdentity(ref, guestIdentity(ref.type, merged), made.find((one) => formatGuestRef(one.ref) === at)),
      merged,
      current: merged,
      memoryUsed: row.status === "running" ? row.mem : null
    }
  }).pipe(Effect.catchIf(({ reason }) => reason === "guest-not-found", () => Effect.succeed(nobody)))
