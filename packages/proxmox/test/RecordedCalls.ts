import { GuestType, SnapshotName, StorageId, Vmid, Volid } from "@felhom/domain/ProxmoxId"
import { Upid } from "@felhom/domain/Upid"
import { type Destruction, Mandate, MandateMint, type MandateRefused } from "@felhom/mandate/Mandate"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import { Effect, Schema } from "effect"
import type { Recording } from "./Recordings.ts"

const anyUpid = Upid.make("UPID:demo-felhom:000001D5:00064B2C:6B023662:vzsnapshot:9999:felhom-agent@pve!agent:")

const tiny = { type: "lxc", vmid: Vmid.make(9999) } as const
const local = StorageId.make("local")

const refOf = (type: string | undefined, vmid: string | undefined) => ({
  type: Schema.decodeUnknownSync(GuestType)(type),
  vmid: Vmid.make(Number(vmid))
})

const one = <A, E, R>(call: (client: ProxmoxClient["Type"]) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(ProxmoxClient, call)

const withMandate = <A, E, R>(
  destruction: Destruction,
  call: (client: ProxmoxClient["Type"], mandate: Mandate) => Effect.Effect<A, E, R>
) =>
  Effect.gen(function*() {
    const mandate = yield* (yield* MandateMint).own(destruction, anyUpid)
    return yield* call(yield* ProxmoxClient, mandate)
  }).pipe(Effect.provide(Mandate.mintLayer))

const onVolume = (method: Recording["method"], volid: Volid) => {
  switch (method) {
    case "GET":
      return one((client) => client.volumeAttributes(volid))
    case "PUT":
      return one((client) => client.annotateBackup(volid, { notes: "kept by felhom", protect: true }))
    default:
      return withMandate({ op: "backup.delete", volid }, (client, mandate) => client.deleteBackup(volid, mandate))
  }
}

/** The call that asks what was recorded, or none for what this client never asks. */
export const callFor = (
  recording: Recording
): Effect.Effect<unknown, ProxmoxError | MandateRefused, ProxmoxClient> | undefined => {
  const url = new URL(recording.path, "https://demo.example")
  const path = decodeURIComponent(url.pathname.replace("/api2/json", ""))
  const [, type, vmid, rest = ""] = /^\/nodes\/[^/]+\/(lxc|qemu)\/(\d+)\/?(.*)$/.exec(path) ?? []
  const parameter = (name: string) => url.searchParams.get(name) ?? undefined

  if (path === "/version") return one((client) => client.version)
  if (path === "/nodes") return one((client) => client.nodes)
  if (path === "/cluster/resources") return one((client) => client.clusterResources)
  if (path === "/storage") return one((client) => client.storageConfig)
  if (path === "/access/permissions") return one((client) => client.permissions(parameter("path")))
  if (path === "/cluster/status") return one((client) => client.clusterStatus)
  if (path === "/access/acl") return one((client) => client.acl)
  if (path === "/nodes/demo-felhom/time") return one((client) => client.nodeTime)
  if (path === "/nodes/demo-felhom/certificates/info") return one((client) => client.certificates)
  if (path === "/nodes/demo-felhom/disks/smart") return one((client) => client.smart(parameter("disk") ?? ""))
  if (path === "/nodes/demo-felhom/vzdump") return one((client) => client.backUp(tiny, { storage: local }))
  if (path === "/nodes/demo-felhom/vzdump/extractconfig") {
    return one((client) => client.archivedConfig(Volid.make(parameter("volume") ?? "")))
  }
  if (path === "/nodes/demo-felhom/storage/local/prunebackups") {
    return one((client) => client.pruneDryRun(local, tiny, { last: 1 }))
  }
  if (path === "/nodes/demo-felhom/startall") return one((client) => client.startAll([tiny.vmid]))
  if (path === "/nodes/demo-felhom/lxc" && recording.method === "POST") {
    return one((client) =>
      client.restoreContainer(tiny.vmid, {
        archive: Volid.make("local:backup/vzdump-lxc-9999-2026_11_22-01_26_20.tar.zst"),
        storage: local,
        network: { kind: "archived" }
      })
    )
  }
  const volume = /^\/nodes\/[^/]+\/storage\/[^/]+\/content\/(.+)$/.exec(path)?.[1]
  if (volume !== undefined) return onVolume(recording.method, Volid.make(volume))
  if (path === "/nodes/demo-felhom/status") return one((client) => client.nodeStatus)
  if (path === "/nodes/demo-felhom/storage") return one((client) => client.storages)
  if (path === "/nodes/demo-felhom/disks/list") return one((client) => client.disks())
  if (path === "/nodes/demo-felhom/tasks") return one((client) => client.tasks({ source: "all" }))
  const list = /^\/nodes\/[^/]+\/(lxc|qemu)$/.exec(path)?.[1]
  if (list !== undefined && recording.method === "GET") {
    return one((client) => client.guests(Schema.decodeUnknownSync(GuestType)(list)))
  }
  const storage = /^\/nodes\/[^/]+\/storage\/([^/]+)\/content$/.exec(path)?.[1]
  if (storage !== undefined) return one((client) => client.storageContent(StorageId.make(storage)))
  const task = /^\/nodes\/[^/]+\/tasks\/(UPID[^/]*)\/(status|log)$/.exec(path)
  if (task !== null) {
    const upid = Upid.make(task[1] ?? "")
    return task[2] === "status"
      ? one((client) => client.taskStatus(upid))
      : one((client) => client.taskLog(upid, { start: 0, limit: 0 }))
  }
  if (type === undefined) return undefined
  const ref = refOf(type, vmid)
  const snapshot = /^snapshot\/([^/]+)(\/rollback)?$/.exec(rest)
  switch (`${recording.method} ${rest}`) {
    case "GET config":
      return one((client) => client.guestConfig(ref))
    case "GET status/current":
      return one((client) => client.guestStatus(ref))
    case "GET snapshot":
      return one((client) => client.snapshots(ref))
    case "GET feature":
      return one((client) => client.hasFeature(ref, "snapshot"))
    case "PUT config":
      return one((client) => client.setConfig(ref, { set: { description: "x" } }))
    case "POST snapshot":
      return one((client) => client.createSnapshot(ref, { name: SnapshotName.make("felhom1") }))
    case "PUT resize":
      return one((client) => client.growVolume(ref, "rootfs", { growBy: 64 * 1024 * 1024 }))
    case "POST status/stop":
      return withMandate({ op: "guest.stop_hard", guest: ref }, (client, mandate) => client.stopHard(ref, mandate))
    case "DELETE ":
      return withMandate(
        { op: "guest.destroy", guest: ref, unreferencedDisks: false },
        (client, mandate) => client.destroyGuest(ref, mandate)
      )
    case "POST status/start":
      return one((client) => client.start(ref))
    case "POST status/shutdown":
      return one((client) => client.shutdown(ref))
  }
  if (snapshot?.[1] === undefined || recording.method === "GET") return undefined
  const name = SnapshotName.make(snapshot[1])
  const op = snapshot[2] === undefined ? "snapshot.delete" as const : "guest.rollback" as const
  return withMandate(
    { op, guest: ref, snapshot: name },
    (client, mandate) =>
      op === "snapshot.delete" ? client.deleteSnapshot(ref, name, mandate) : client.rollback(ref, name, mandate)
  )
}
