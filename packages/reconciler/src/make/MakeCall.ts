import { type GuestRef, type NodeName, Vmid } from "@felhom/domain/ProxmoxId"
import { parseUpid, type Upid } from "@felhom/domain/Upid"
import type { IntendedCall } from "@felhom/durable/JournalWords"
import type { Making } from "@felhom/durable/MakingState"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import { Effect, Either } from "effect"
import { gib } from "../plan/VolumeSize.ts"
import type { MakeOrder } from "./MakeOrder.ts"

/** The call as the journal has it, by which its task can be found. */
export const intendedMaking = (order: MakeOrder, vmid: Vmid, node: NodeName): IntendedCall => ({
  call: `POST /nodes/${node}/${order.type} vmid=${vmid}`,
  vmid,
  taskType: order.type === "qemu" ? "qmrestore" : order.restore ? "vzrestore" : "vzcreate"
})

/**
 * The one call that makes it. A container's cards are given without addresses and without `unique`, which would throw them away;
 * `features` and `unprivileged` are not said on a restore (platform-facts 5.3, 5.6). A machine's are given with `unique`, which
 * gives it another SMBIOS uuid, too.
 */
export const callMaking = (order: MakeOrder, vmid: Vmid): Effect.Effect<Upid, ProxmoxError, ProxmoxClient> =>
  Effect.flatMap(ProxmoxClient, (client) => {
    const { action: { archive, root, storage }, cards } = order
    if (order.type === "qemu") {
      return client.restoreMachine(vmid, { archive, storage, freshAddresses: true, network: cards, shape: order.shape })
    }
    return order.restore
      ? client.restoreContainer(vmid, {
        archive,
        storage,
        ...(root === null ? {} : { root: { storage, gib: root } }),
        network: { kind: "given", cards },
        shape: order.byNumber ? { ...order.shape, hostname: `CT${vmid}` } : order.shape
      })
      : client.createContainer({
        vmid,
        template: archive,
        root: { storage, gib: order.bytes / gib },
        network: cards,
        shape: order.shape
      })
  })

const isOurs = (upid: Upid, { node, tokenId }: typeof ProxmoxClient.Service): boolean =>
  Either.match(parseUpid(upid), {
    onLeft: () => false,
    onRight: (parsed) => parsed.node === node && parsed.user === tokenId
  })

/** The task that a making's call has started, if it has begun any. */
export const makingTask = (
  { at, call: { taskType }, guest: { vmid } }: Pick<Making, "at" | "call" | "guest">
): Effect.Effect<Upid | undefined, ProxmoxError, ProxmoxClient> =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    if (taskType === null) return undefined
    const { rows } = yield* client.tasks({ source: "all", vmid, type: taskType, since: Math.floor(at / 1000) })
    const [newest] = rows.filter(({ upid }) => isOurs(upid, client))
      .sort((one, other) => other.starttime - one.starttime)
    return newest?.upid
  })

/** What gives a number to another guest. */
const remakes = /^(?:vz|qm)(?:create|restore|clone|destroy|migrate)$/

/** What starts a guest, or may have it started. */
const starts = /^(?:(?:vz|qm|ha)start|(?:vz|qm)rollback)$/

/** What became of a guest since the task that made it, by whomever. */
export interface Since {
  /** It was destroyed, and made anew by somebody else. */
  readonly remade: boolean
  /** Somebody may have started it. */
  readonly started: boolean
}

export const sinceMaking = (ref: GuestRef, upid: Upid): Effect.Effect<Since, ProxmoxError, ProxmoxClient> =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const since = Either.match(parseUpid(upid), { onLeft: () => 0, onRight: ({ startTime }) => startTime })
    const { rows } = yield* client.tasks({ source: "all", vmid: Vmid.make(ref.vmid), since, limit: 500 })
    const others = rows.filter((task) => task.upid !== upid)
    return {
      remade: others.some(({ type }) => remakes.test(type)),
      started: others.some(({ type }) => starts.test(type))
    }
  })
