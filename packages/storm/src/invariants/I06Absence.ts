import { guestIdentity } from "@felhom/domain/GuestConfig"
import { type Guest, sectionAsApi } from "@felhom/pve-sim/Guest"
import { destructionOf } from "../Destruction.ts"
import type { Stage, Watch } from "../Stage.ts"

/** Between a look at a guest and the call there is time for another one to take its place, which Proxmox can't be told to watch for. */
const unseen = 120_000

const isNamed = ({ hub, ledger, timeline }: Stage, guest: Guest): boolean => {
  const { volumes } = guestIdentity(guest.type, sectionAsApi(guest.type, guest.file.current))
  return hub.named.has(JSON.stringify([...volumes].sort())) ||
    timeline.elapsed - (ledger.replacedAt.get(guest.vmid) ?? -Infinity) < unseen
}

/** I6: a guest that no desired state names is left alone, but for what operators sign; held against each request. */
export const watch: Watch = {
  request: (stage, asked) => {
    if (asked.method === "GET" || destructionOf(asked) !== undefined) return
    const vmid = Number(/^\/nodes\/[^/]+\/(?:lxc|qemu)\/(\d+)/.exec(asked.path)?.[1])
    const guest = stage.machine.guests.get(vmid)
    if (guest === undefined || stage.ledger.made.has(vmid) || isNamed(stage, guest)) return
    stage.ledger.violated("I6", `${asked.method} ${asked.path}: no desired state names that guest`)
  }
}
