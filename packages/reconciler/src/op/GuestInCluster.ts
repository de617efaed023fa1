import type { GuestResource } from "@felhom/proxmox/GuestRows"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import { Effect } from "effect"

/** The guest by its number, on whatever node of the cluster it is; its lock is read live (platform-facts 1.1). */
export const guestInCluster = (
  vmid: number
): Effect.Effect<GuestResource | undefined, ProxmoxError, ProxmoxClient> =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const { guests } = yield* client.clusterResources
    return guests.find((guest) => guest.vmid === vmid)
  })
