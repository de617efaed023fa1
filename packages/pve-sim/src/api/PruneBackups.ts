import { Effect } from "effect"
import { died } from "../ApiFailure.ts"
import { required, textOf } from "../CallParameters.ts"
import { anyone, type Call, type Endpoint, missing } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"
import { removeVolume } from "../GuestBackup.ts"
import { type Mark, markBackups, parseRetention } from "../Prune.ts"
import { unusable } from "../StorageState.ts"
import * as Values from "../ValueFormats.ts"
import type { Volume } from "../Volume.ts"
import { mayUseStorage } from "./Storage.ts"

const parameters = {
  node: Formats.node,
  storage: Formats.storage,
  "prune-backups": Values.of(Formats.retention),
  type: Formats.choice("qemu", "lxc"),
  vmid: Formats.optional(Formats.vmid)
}

/** All marks, guest by guest, under the retention of the call or of the storage. */
const marked = (call: Call) =>
  Effect.gen(function*() {
    const { machine } = call
    const storage = required(call, "storage")
    const trouble = unusable(machine.storages, storage)
    if (trouble !== undefined) return yield* died(trouble)
    const configured = machine.storages.get(storage)?.config["prune-backups"]?.toString()
    const retention = parseRetention(textOf(call, "prune-backups") ?? configured)
    if (retention === undefined) return yield* died("no prune-backups options configured for storage")
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
  })

const dryRun: Endpoint = {
  method: "GET",
  path: "/nodes/{node}/storage/{storage}/prunebackups",
  permission: mayUseStorage,
  protected: true,
  parameters,
  handle: (call) =>
    Effect.map(marked(call), (all) => ({
      data: all.map(([volume, mark]) => ({
        volid: volume.volid,
        vmid: volume.vmid,
        ctime: volume.ctime,
        type: volume.subtype ?? "unknown",
        mark
      }))
    }))
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
      const all = yield* marked(call)
      const data = yield* machine.tasks.start({
        type: "prunebackups",
        id: vmid === undefined ? storage : `${vmid}@${storage}`,
        user: identity.id,
        work: (worker) =>
          Effect.gen(function*() {
            for (const [volume, mark] of all) {
              if (mark !== "remove") continue
              yield* worker.take("20 millis")
              removeVolume(machine, volume)
              yield* worker.log(`Removed volume '${volume.volid}'`)
            }
          })
      })
      return { data }
    })
}

/** Pruning backups, and what it would do (platform-facts 1.5, 6.4). */
export const endpoints: ReadonlyArray<Endpoint> = [dryRun, prune]
