import { Effect } from "effect"
import { died } from "../ApiFailure.ts"
import { required, textOf } from "../CallParameters.ts"
import { anyone, type Call, type Endpoint, missing } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"
import { removeVolume } from "../GuestBackup.ts"
import { type Mark, markBackups, parseRetention } from "../Prune.ts"
import { holds, unusable } from "../StorageState.ts"
import * as Values from "../ValueFormats.ts"
import type { Volume } from "../Volume.ts"
import { fail } from "../WorkerChecks.ts"
import { mayUseStorage } from "./Storage.ts"

const parameters = {
  node: Formats.node,
  storage: Formats.storage,
  "prune-backups": Values.of(Formats.retention),
  type: Formats.choice("qemu", "lxc"),
  vmid: Formats.optional(Formats.vmid)
}

/** All marks, guest by guest, under the retention of the call or of the storage; or why there are none. */
const marked = (call: Call): ReadonlyArray<readonly [Volume, Mark]> | string => {
  const { machine } = call
  const storage = required(call, "storage")
  const state = machine.storages.get(storage)
  if (state === undefined) return `storage '${storage}' does not exist`
  if (!holds(state, "backup")) return `storage '${storage}' does not support backups`
  const retention = parseRetention(textOf(call, "prune-backups") ?? state.config["prune-backups"]?.toString())
  if (retention === undefined) return `no prune-backups options configured for storage '${storage}'`
  const trouble = unusable(machine.storages, storage)
  if (trouble !== undefined) return trouble
  const groups = new Map<string, Array<Volume>>()
  for (const volume of machine.content.get(storage) ?? []) {
    const asked = volume.content === "backup" &&
      String(volume.vmid) === (textOf(call, "vmid") ?? String(volume.vmid)) &&
      volume.subtype === (textOf(call, "type") ?? volume.subtype)
    if (!asked) continue
    const group = `${volume.subtype}/${volume.vmid}`
    groups.set(group, [...groups.get(group) ?? [], volume])
  }
  const { localtime, time } = machine.world.taken_at_unix
  return Array.from(groups.values()).flatMap((group): ReadonlyArray<readonly [Volume, Mark]> =>
    Array.from(markBackups(group, retention, localtime - time))
  )
}

const dryRun: Endpoint = {
  method: "GET",
  path: "/nodes/{node}/storage/{storage}/prunebackups",
  permission: mayUseStorage,
  protected: true,
  parameters,
  handle: (call) =>
    Effect.suspend(() => {
      const found = marked(call)
      return typeof found === "string" ? Effect.fail(died(found)) : Effect.succeed({
        data: found.map(([volume, mark]) => ({
          volid: volume.volid,
          vmid: volume.vmid,
          ctime: volume.ctime,
          type: volume.subtype ?? "unknown",
          mark
        }))
      })
    })
}

const prune: Endpoint = {
  method: "DELETE",
  path: "/nodes/{node}/storage/{storage}/prunebackups",
  permission: anyone,
  protected: true,
  parameters,
  handle: (call) =>
    Effect.gen(function*() {
      const { identity, machine } = call
      const storage = required(call, "storage")
      const vmid = textOf(call, "vmid")
      const refused = vmid === undefined
        ? missing(machine, identity, `/storage/${storage}`, ["Datastore.Allocate"])
        : missing(machine, identity, `/storage/${storage}`, ["Datastore.AllocateSpace"]) ??
          missing(machine, identity, `/vms/${vmid}`, ["VM.Backup"])
      if (refused !== undefined) return yield* refused
      const data = yield* machine.tasks.start({
        type: "prunebackups",
        id: vmid === undefined ? storage : `${vmid}@${storage}`,
        user: identity.id,
        work: (worker) =>
          Effect.gen(function*() {
            // All that is wrong with the storage, the worker finds out.
            const found = marked(call)
            if (typeof found === "string") return yield* fail(found)
            for (const [volume, mark] of found) {
              if (mark !== "remove") continue
              yield* worker.log(`removing backup '${volume.volid}'`)
              yield* worker.take("20 millis")
              removeVolume(machine, volume)
            }
          })
      })
      return { data }
    })
}

/** Pruning backups, and what it would do (platform-facts 1.5, 6.4). */
export const endpoints: ReadonlyArray<Endpoint> = [dryRun, prune]
