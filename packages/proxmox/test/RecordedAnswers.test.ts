import { it } from "@effect/vitest"
import { GuestType, SnapshotName, StorageId, Vmid } from "@felhom/domain/ProxmoxId"
import { Upid } from "@felhom/domain/Upid"
import { MandateMint } from "@felhom/mandate/Mandate"
import * as Mandate from "@felhom/mandate/Mandate"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import { Effect, Option, Schema } from "effect"
import { describe, expect } from "vitest"
import { answers, type Recording } from "./Recordings.ts"
import { scripted } from "./ScriptedApi.ts"

const anyUpid = Upid.make("UPID:demo-felhom:000001D5:00064B2C:6B023662:vzsnapshot:9999:felhom-agent@pve!agent:")

const refOf = (type: string | undefined, vmid: string | undefined) => ({
  type: Schema.decodeUnknownSync(GuestType)(type),
  vmid: Vmid.make(Number(vmid))
})

const one = <A, E, R>(call: (client: ProxmoxClient["Type"]) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(ProxmoxClient, call)

/** The call that asks what was recorded, or none for what this client never asks. */
const callFor = (recording: Recording) => {
  const url = new URL(recording.path, "https://demo.example")
  const path = decodeURIComponent(url.pathname.replace("/api2/json", ""))
  const [, type, vmid, rest = ""] = /^\/nodes\/[^/]+\/(lxc|qemu)\/(\d+)\/(.*)$/.exec(path) ?? []
  const parameter = (name: string) => url.searchParams.get(name) ?? undefined

  if (path === "/version") return one((client) => client.version)
  if (path === "/nodes") return one((client) => client.nodes)
  if (path === "/cluster/resources") return one((client) => client.clusterResources)
  if (path === "/storage") return one((client) => client.storageConfig)
  if (path === "/access/permissions") return one((client) => client.permissions(parameter("path")))
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
    case "POST status/start":
      return one((client) => client.start(ref))
    case "POST status/shutdown":
      return one((client) => client.shutdown(ref))
  }
  if (snapshot?.[1] === undefined || recording.method === "GET") return undefined
  const name = SnapshotName.make(snapshot[1])
  const op = snapshot[2] === undefined ? "snapshot.delete" as const : "guest.rollback" as const
  return Effect.gen(function*() {
    const mint = yield* MandateMint
    const client = yield* ProxmoxClient
    const mandate = yield* mint.own({ op, guest: ref, snapshot: name }, anyUpid)
    return yield* op === "snapshot.delete"
      ? client.deleteSnapshot(ref, name, mandate)
      : client.rollback(ref, name, mandate)
  })
}

const WithUnreadable = Schema.Struct({ unreadable: Schema.Array(Schema.Unknown) })

describe("each recorded answer is understood", () => {
  const asked = answers.flatMap((recording) => {
    const call = callFor(recording)
    return call === undefined ? [] : [{ name: recording.name, recording, call }]
  })

  it.effect.each(asked)("$name", ({ call, recording }) => {
    const api = scripted(() => Effect.succeed(new Response(recording.body, { status: recording.status })))
    return Effect.gen(function*() {
      const result = yield* call
      const unreadable = Option.map(Schema.decodeUnknownOption(WithUnreadable)(result), (listing) => listing.unreadable)
      expect(Option.getOrElse(unreadable, () => [])).toEqual([])
      expect(api.sent.map((sent) => sent.method)).toEqual([recording.method])
      const recorded = new URL(recording.path, "https://demo.example").pathname.replace(/\/$/, "")
      expect(decodeURIComponent(api.sent[0]?.path.replace(/\?.*/, "") ?? "")).toBe(decodeURIComponent(recorded))
    }).pipe(Effect.provide([api.layer, Mandate.Mandate.mintLayer]))
  })

  it("and none of them is for a call that this client does not make", () => {
    const others = answers.filter((recording) => callFor(recording) === undefined).map((recording) => recording.name)
    expect(others).toEqual([])
  })
})
