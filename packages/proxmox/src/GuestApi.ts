import type { GuestConfig } from "@felhom/domain/GuestConfig"
import type { GuestRef, GuestType, SnapshotName, Vmid } from "@felhom/domain/ProxmoxId"
import type { Upid } from "@felhom/domain/Upid"
import type { Mandate, MandateRefused } from "@felhom/mandate/Mandate"
import { type Array as Arr, Effect } from "effect"
import { type ConfigChange, needsMandate } from "./BenignConfig.ts"
import { type Caller, upid, upidOrDone } from "./Caller.ts"
import { Feature, GuestRow, WireGuestConfig } from "./GuestRows.ts"
import { decodeListing, decodeObject, type Listing } from "./Listing.ts"
import type { ProxmoxError } from "./ProxmoxError.ts"
import type { Call } from "./Transport.ts"

/**
 * Guests as they are, their configuration and power. Proxmox's own reboot is not offered: it kills a guest that does not shut
 * down in time (platform-facts 5.13), so a reboot is `shutdown`, then `start`.
 */
export interface GuestApi {
  /** The node's guests of one type, read now; guests without VM.Audit are left out by Proxmox. @see platform-facts 1.2 */
  readonly guests: (type: GuestType) => Effect.Effect<Listing<GuestRow>, ProxmoxError>
  /**
   * A guest's configuration with pending changes merged in, or, with `current`, what is in force, or that of a snapshot.
   * `digest` is among its keys. @see platform-facts 5.9
   */
  readonly guestConfig: (
    ref: GuestRef,
    options?: { readonly current?: boolean } | { readonly snapshot: SnapshotName }
  ) => Effect.Effect<GuestConfig, ProxmoxError>
  /** @see platform-facts 1.2 */
  readonly guestStatus: (ref: GuestRef) => Effect.Effect<GuestRow, ProxmoxError>
  /** Whether the guest's volumes allow snapshots. @see platform-facts 5.11 */
  readonly hasFeature: (ref: GuestRef, feature: "snapshot" | "clone" | "copy") => Effect.Effect<boolean, ProxmoxError>
  /**
   * Writes benign keys of a guest's configuration. Null: it is done. A UPID: wait for it (`TaskWaiter.settle` takes either).
   * Any other key fails with `no-mandate` and nothing is sent; a stale digest with `conflict`. If one key can't be applied,
   * none is written, though others may already be live: send independent changes by themselves. @see platform-facts 5.9
   */
  readonly setConfig: (ref: GuestRef, change: ConfigChange) => Effect.Effect<Upid | null, ProxmoxError>
  /** A guest that runs already is `wrong-state`. Pending changes are applied. @see platform-facts 5.13 */
  readonly start: (ref: GuestRef) => Effect.Effect<Upid, ProxmoxError>
  /** Asks the guest to shut down; when it has not after the time, the task fails and the guest runs on. @see platform-facts 5.13 */
  readonly shutdown: (
    ref: GuestRef,
    options?: { readonly timeoutSeconds?: number }
  ) => Effect.Effect<Upid, ProxmoxError>
  /**
   * Kills a running guest: what it has not written is lost. `overruleShutdown` ends a shutdown that is under way, which else
   * holds the guest's lock for its whole wait. @see platform-facts 5.8, 5.13
   */
  readonly stopHard: (
    ref: GuestRef,
    mandate: Mandate,
    options?: { readonly overruleShutdown?: boolean }
  ) => Effect.Effect<Upid, ProxmoxError | MandateRefused>
  /**
   * Clears a `backup` lock that was left behind on these guests, and starts those of them that have `onboot`. It is the only
   * way for a token; other locks stay, and the task ends `OK` all the same: read the configuration afterwards. The guests are
   * always named, because without them Proxmox starts every one of the node. @see platform-facts 4.5, 11 item 5
   */
  readonly startAll: (guests: Arr.NonEmptyReadonlyArray<Vmid>) => Effect.Effect<Upid, ProxmoxError>
  /**
   * Destroys a stopped guest with every volume that it owns, on whatever storage; a running or protected one is refused. Its
   * backups stay; its ACL entries go. Volumes that its configuration does not name go only if the mandate says so.
   *
   * @see platform-facts 5.12
   */
  readonly destroyGuest: (
    ref: GuestRef,
    mandate: Mandate,
    options?: { readonly unreferencedDisks?: boolean }
  ) => Effect.Effect<Upid, ProxmoxError | MandateRefused>
}

const rows = decodeListing(GuestRow)
const row = decodeObject(GuestRow)
const config = decodeObject(WireGuestConfig)
const feature = decodeObject(Feature)

export const makeGuestApi = ({ destroy, get, node, refuse, write }: Caller): GuestApi => {
  const at = (ref: GuestRef) => [...node, ref.type, ref.vmid]
  return {
    guests: (type) => get([...node, type], rows),
    guestConfig: (ref, options) => get([...at(ref), "config"], config, { ...options }),
    guestStatus: (ref) => get([...at(ref), "status", "current"], row),
    hasFeature: (ref, name) =>
      Effect.map(get([...at(ref), "feature"], feature, { feature: name }), (answer) => answer.hasFeature),
    setConfig: (ref, change) => {
      const call: Call = {
        method: "PUT",
        path: [...at(ref), "config"],
        parameters: {
          ...change.set,
          delete: change.delete === undefined || change.delete.length === 0 ? undefined : change.delete.join(","),
          digest: change.digest
        }
      }
      const refused = needsMandate(change)
      return refused === undefined ? write(call, upidOrDone) : refuse(call, "no-mandate", refused)
    },
    start: (ref) => write({ method: "POST", path: [...at(ref), "status", "start"] }, upid),
    shutdown: (ref, options) =>
      write({
        method: "POST",
        path: [...at(ref), "status", "shutdown"],
        parameters: { timeout: options?.timeoutSeconds }
      }, upid),
    stopHard: (ref, mandate, options) =>
      destroy(
        {
          method: "POST",
          path: [...at(ref), "status", "stop"],
          parameters: { "overrule-shutdown": options?.overruleShutdown }
        },
        mandate,
        { op: "guest.stop_hard", guest: ref },
        upid
      ),
    startAll: (guests) => {
      const call: Call = { method: "POST", path: [...node, "startall"], parameters: { vms: guests.join(",") } }
      return write(call, upid)
    },
    destroyGuest: (ref, mandate, options) => {
      const unreferencedDisks = options?.unreferencedDisks ?? false
      return destroy(
        // Said in so many words, so that no default of another release can decide it.
        { method: "DELETE", path: at(ref), parameters: { "destroy-unreferenced-disks": unreferencedDisks } },
        mandate,
        { op: "guest.destroy", guest: ref, unreferencedDisks },
        upid
      )
    }
  }
}
