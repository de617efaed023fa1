import type { SignedOp } from "@felhom/domain/SignedOp"
import { parseUpid, type Upid } from "@felhom/domain/Upid"
import type { JournalledCall } from "@felhom/durable/JournalState"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import { Effect, Either } from "effect"
import { storageOf } from "./OpTarget.ts"

/** Of a removed volume, the task is called after its owner and the storage, or after the storage alone. */
const isAbout = (op: SignedOp, id: string): boolean => {
  if (!("volid" in op.target)) return true
  const storage = storageOf(op.target.volid)
  return id === storage || id.endsWith(`@${storage}`)
}

/**
 * The tasks of this agent that a call of which no answer is known may have started (protocol 5, after a crash), as far as their
 * ids fit. There is no filter by user (platform-facts 11, item 14), so that is told from the UPIDs.
 */
export const ownTasks = (
  call: Pick<JournalledCall, "vmid" | "taskType" | "at">,
  fits: (id: string) => boolean
): Effect.Effect<ReadonlyArray<Upid>, ProxmoxError, ProxmoxClient> =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    if (call.taskType === null) return []
    const { rows } = yield* client.tasks({
      source: "all",
      type: call.taskType,
      since: Math.floor(call.at / 1000),
      ...(call.vmid === null ? {} : { vmid: call.vmid })
    })
    return [...new Set(rows.map(({ upid }) => upid))].filter((upid) =>
      Either.match(parseUpid(upid), {
        onLeft: () => false,
        onRight: ({ id, node, user }) => node === client.node && user === client.tokenId && fits(id)
      })
    )
  })

/** Those that this op's call may have started. */
export const tasksOf = (
  op: SignedOp,
  call: Pick<JournalledCall, "vmid" | "taskType" | "at">
): Effect.Effect<ReadonlyArray<Upid>, ProxmoxError, ProxmoxClient> => ownTasks(call, (id) => isAbout(op, id))
