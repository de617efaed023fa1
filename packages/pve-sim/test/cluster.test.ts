import { it } from "@effect/vitest"
import { agentPrivileges } from "@felhom/pve-sim/AccessControl"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { Effect } from "effect"
import { expect } from "vitest"
import { ask, node, secrets } from "./Asking.ts"

const api = "/api2/json"
const provide = Effect.provide(PveSim.layer({ secrets, nodes: 3, roles: { FelhomAgent: agentPrivileges } }))
const dataOf = (path: string) => Effect.map(ask("GET", `${api}${path}`), ({ data }) => data)

it.effect("a cluster of three lists its nodes, and says that it is quorate", () =>
  Effect.gen(function*() {
    const status = yield* dataOf("/cluster/status")
    expect(status).toHaveLength(4)
    expect(status).toContainEqual(
      expect.objectContaining({ type: "cluster", id: "cluster", nodes: 3, quorate: 1 })
    )
    expect(status).toContainEqual(
      expect.objectContaining({ type: "node", name: "demo-felhom-3", online: 1, local: 0, nodeid: 3 })
    )
    expect(yield* dataOf("/nodes")).toHaveLength(3)
    expect(yield* dataOf("/cluster/resources?type=node")).toHaveLength(3)
    expect(yield* dataOf("/cluster/config/nodes")).toHaveLength(3)
  }).pipe(provide))

it.effect("a call to another node is passed on, and one to a node that is gone is 595", () =>
  Effect.gen(function*() {
    const there = `${api}/nodes/demo-felhom-2`
    expect((yield* ask("GET", `${there}/lxc`)).data).toEqual([])
    yield* (yield* PveSim).change({ _tag: "peer.set", node: "demo-felhom-2", online: false })
    expect(yield* ask("GET", `${there}/lxc`)).toMatchObject({ status: 595, reason: "No route to host" })
    expect(yield* dataOf("/nodes")).toContainEqual(
      expect.objectContaining({ node: "demo-felhom-2", status: "offline" })
    )
    expect((yield* ask("GET", `${node}/lxc`)).status).toBe(200)
  }).pipe(provide))

it.effect("a guest's number is taken on all nodes", () =>
  Effect.gen(function*() {
    expect((yield* ask("GET", `${api}/cluster/nextid?vmid=9999`)).errors).toEqual({ vmid: "VM 9999 already exists" })
    const template = encodeURIComponent("local:vztmpl/felhom-tiny_1.0-1_amd64.tar.gz")
    expect(
      yield* ask("POST", `${api}/nodes/demo-felhom-2/lxc`, `vmid=9999&ostemplate=${template}&storage=ctstore`)
    ).toMatchObject({ status: 500, reason: "CT 9999 already exists on node 'demo-felhom'" })
  }).pipe(provide))

it.effect("a node that is left alone reads, and writes nothing", () =>
  Effect.gen(function*() {
    const sim = yield* PveSim
    for (const name of ["demo-felhom-2", "demo-felhom-3"]) {
      yield* sim.change({ _tag: "peer.set", node: name, online: false })
    }
    expect(yield* dataOf("/cluster/status")).toContainEqual(expect.objectContaining({ type: "cluster", quorate: 0 }))
    expect((yield* ask("GET", `${node}/lxc/9999/config`)).status).toBe(200)
    expect(yield* ask("PUT", `${node}/lxc/9999/config`, "description=x")).toMatchObject({
      status: 500,
      reason: "cluster not ready - no quorum?"
    })
    expect((yield* ask("PUT", `${api}/access/acl`, "path=/vms/9999&roles=FelhomAgent&users=root@pam")).reason)
      .toBe("ACL update failed: cfs-lock 'file-user_cfg' error: no quorum!")
    expect((yield* ask("DELETE", `${api}/storage/local`)).reason)
      .toBe("delete storage failed: cfs-lock 'file-storage_cfg' error: no quorum!")
    yield* sim.change({ _tag: "peer.set", node: "demo-felhom-3", online: true })
    expect((yield* ask("PUT", `${node}/lxc/9999/config`, "description=x")).status).toBe(200)
  }).pipe(provide))
