import { destructionOf } from "../Destruction.ts"
import type { Watch } from "../Stage.ts"

/** I6: a guest that no desired state names is left alone, but for what operators sign; held against each request. */
export const watch: Watch = {
  request: ({ hub, ledger }, asked) => {
    if (asked.method === "GET" || destructionOf(asked) !== undefined) return
    const guest = /^\/nodes\/[^/]+\/(?:lxc|qemu)\/(\d+)/.exec(asked.path)?.[1]
    if (guest === undefined || hub.named.has(Number(guest))) return
    ledger.violated("I6", `${asked.method} ${asked.path}: no desired state names ${guest}`)
  }
}
