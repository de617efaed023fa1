import type { DesiredGuest } from "@felhom/domain/DesiredGuest"
import type { ObservedGuest } from "./ObservedHost.ts"

/** What a guest's power takes; `blocked` says why it is not the agent's to give. */
export type PowerWish =
  | { readonly power: "as-it-is" }
  | { readonly power: "start" | "shutdown" }
  | { readonly power: "blocked"; readonly why: string }

const asItIs: PowerWish = { power: "as-it-is" }

const blocked = (why: string): PowerWish => ({ power: "blocked", why })

/** Holds a guest's power against its wish. */
export const powerWish = ({ power }: Pick<DesiredGuest, "power">, guest: ObservedGuest): PowerWish => {
  if (power === undefined || guest.status === power) return asItIs
  if (guest.status === "unknown") return blocked("Proxmox VE does not say yet whether it runs")
  if (guest.template && power === "running") return blocked("it is a template, and no template is ever started")
  // What is asked over the API only becomes a request to the HA manager (platform-facts 5.13).
  if (guest.ha !== null) {
    return blocked(
      `the HA manager looks after it (${guest.ha}): set its state there, ha-manager set ${
        guest.ref.type === "lxc" ? "ct" : "vm"
      }:${guest.ref.vmid} --state ${power === "running" ? "started" : "stopped"}`
    )
  }
  return { power: power === "running" ? "start" : "shutdown" }
}
