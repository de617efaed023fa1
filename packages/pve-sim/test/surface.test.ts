import { it } from "@effect/vitest"
import { agentPrivileges, allPrivileges } from "@felhom/pve-sim/AccessControl"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { Effect, TestClock } from "effect"
import { expect } from "vitest"
import { ask, logOf, node, secrets, statusOf, upidOf } from "./Asking.ts"

const api = "/api2/json"
const asAgent = Effect.provide(PveSim.layer({ secrets, roles: { FelhomAgent: agentPrivileges } }))
const asAdmin = Effect.provide(PveSim.layer({ secrets, roles: { FelhomAgent: allPrivileges } }))

it.effect("what Proxmox has and this host does not play says so in words of its own; what it has not is Proxmox's 501", () =>
  Effect.gen(function*() {
    expect(yield* ask("GET", `${node}/report`)).toMatchObject({
      status: 501,
      reason: "pve-sim does not simulate 'GET /nodes/{node}/report'; Proxmox VE has it"
    })
    expect(yield* ask("GET", `${node}/reports`)).toMatchObject({
      status: 501,
      reason: "Method 'GET /nodes/demo-felhom/reports' not implemented"
    })
  }).pipe(asAdmin))

it.effect("who may not gets the right refusal, whether the call is played or not", () =>
  Effect.gen(function*() {
    const refused = (method: string, path: string, form?: string) =>
      Effect.map(ask(method, path, form), ({ reason, status }) => [status, reason])
    const failed = (what: string) => [403, `Permission check failed (${what})`]
    expect(yield* refused("GET", `${node}/apt/update`)).toEqual(failed("/nodes/demo-felhom, Sys.Modify"))
    expect(yield* refused("PUT", `${node}/disks/wipedisk`, "disk=%2Fdev%2Fvda")).toEqual(failed("user != root@pam"))
    expect(yield* refused("POST", `${node}/lxc/9999/migrate`, "target=x")).toEqual(failed("/vms/9999, VM.Migrate"))
    expect(yield* refused("POST", `${node}/storage/local/download-url`, "url=x")).toEqual(
      failed("/storage/local, Datastore.AllocateTemplate")
    )
    expect(yield* refused("POST", `${node}/lxc/9999/clone`, "newid=777")).toEqual(failed("/vms/9999, VM.Clone"))
    expect(yield* refused("POST", `${api}/access/users`, "userid=a@pve")).toEqual(
      failed("/access/realm/pve, Realm.AllocateUser")
    )
    expect(yield* refused("POST", `${api}/access/ticket`, "username=a")).toEqual(
      failed("URI '/access/ticket' not available with API token, need proper ticket.")
    )
    // The permission comes before the parameters, and those before the guest (platform-facts 1.0).
    expect(yield* refused("POST", `${node}/lxc/1/clone`)).toEqual(failed("/vms/1, VM.Clone"))
    expect((yield* ask("GET", `${node}/lxc/1/rrddata?timeframe=hour`)).status).toBe(400)
    expect((yield* ask("GET", `${node}/lxc/4711/rrddata?timeframe=hour`)).status).toBe(500)
  }).pipe(asAgent))

it.effect("the certificates below /etc/pve are told, and the leaf among them is the one that /nodes names", () =>
  Effect.gen(function*() {
    const { data } = yield* ask("GET", `${node}/certificates/info`)
    const { data: nodes } = yield* ask("GET", `${api}/nodes`)
    const fingerprint = expect.stringMatching(/^(?:[0-9A-F]{2}:){31}[0-9A-F]{2}$/)
    expect(data).toContainEqual(expect.objectContaining({ filename: "pve-root-ca.pem", fingerprint, san: [] }))
    const leaf = Array.isArray(data) ? data.find((one) => one.filename === "pve-ssl.pem") : undefined
    expect(nodes).toContainEqual(expect.objectContaining({ ssl_fingerprint: leaf.fingerprint }))
  }).pipe(asAgent))

it.effect("samples have the figures of a host that is up, and of a guest that is off only its sizes", () =>
  Effect.gen(function*() {
    yield* TestClock.adjust("2 hours")
    const lastOf = (path: string) =>
      Effect.map(ask("GET", path), ({ data }) => Array.isArray(data) ? data.at(-1) : undefined)
    expect(yield* lastOf(`${node}/rrddata?timeframe=hour`)).toMatchObject({ maxcpu: 2, roottotal: 270553174016 })
    const off = yield* lastOf(`${node}/lxc/9999/rrddata?timeframe=hour`)
    expect(Object.keys(off).toSorted()).toEqual(["disk", "maxcpu", "maxdisk", "maxmem", "time"])
  }).pipe(asAgent))

it.effect("a task's log can be had as a file, but not in parts", () =>
  Effect.gen(function*() {
    const upid = upidOf(yield* ask("POST", `${node}/lxc/9999/snapshot`, "snapname=one"))
    yield* TestClock.adjust("3 seconds")
    const path = `${node}/tasks/${encodeURIComponent(upid)}/log?download=1`
    const { headers, status } = yield* ask("GET", path)
    expect(status).toBe(200)
    expect(headers).toContainEqual(["Content-Type", "text/plain"])
    expect((yield* ask("GET", `${path}&limit=5`)).status).toBe(500)
  }).pipe(asAgent))

it.effect("a new storage needs what its type needs, and what is fixed stays", () =>
  Effect.gen(function*() {
    const reasonOf = (method: string, path: string, form: string) =>
      Effect.map(ask(method, `${api}${path}`, form), ({ reason }) => reason)
    expect(yield* reasonOf("POST", "/storage", "storage=usb&type=dir")).toBe(
      "missing value for required option 'path'"
    )
    expect(yield* reasonOf("POST", "/storage", "storage=usb&type=dir&path=%2Fsrv&pool=x")).toBe(
      "unexpected property 'pool'"
    )
    expect(yield* reasonOf("POST", "/storage", "storage=nas&type=nfs&server=192.0.2.9&export=%2Fx")).toBe(
      "create storage failed: storage 'nas' is not online"
    )
    expect((yield* ask("PUT", `${api}/storage/local`, "path=%2Fsrv")).errors).toEqual({
      path: "property is not defined in schema and the schema does not allow additional properties"
    })
    expect(yield* reasonOf("DELETE", "/storage/nosuch", "")).toBe(
      "delete storage failed: storage 'nosuch' does not exist"
    )
    expect((yield* ask("POST", `${api}/storage`, "storage=usb&type=dir&path=%2Fsrv&content=nonsense")).errors).toEqual({
      content: "invalid format - invalid content type 'nonsense'\n"
    })
  }).pipe(asAgent))

it.effect("a volume moves to another storage, and the old one stays as unused", () =>
  Effect.gen(function*() {
    const upid = upidOf(yield* ask("POST", `${node}/lxc/9999/move_volume`, "volume=rootfs&storage=local"))
    yield* TestClock.adjust("5 seconds")
    expect((yield* statusOf(upid)).data).toMatchObject({ type: "move_volume", exitstatus: "OK" })
    expect((yield* ask("GET", `${node}/lxc/9999/config`)).data).toMatchObject({
      rootfs: "local:9999/vm-9999-disk-0.raw,size=1G",
      unused0: "ctstore:9999/vm-9999-disk-0.raw"
    })
  }).pipe(asAgent))

it.effect("a container is cloned with addresses of its own, and its source is free again", () =>
  Effect.gen(function*() {
    const upid = upidOf(yield* ask("POST", `${node}/lxc/9999/clone`, "newid=777&hostname=twin&full=1"))
    expect((yield* ask("GET", `${node}/lxc/9999/config`)).data).toMatchObject({ lock: "disk" })
    yield* TestClock.adjust("10 seconds")
    expect((yield* statusOf(upid)).data).toMatchObject({ type: "vzclone", exitstatus: "OK" })
    const twin = (yield* ask("GET", `${node}/lxc/777/config`)).data
    const source = (yield* ask("GET", `${node}/lxc/9999/config`)).data
    expect(twin).toMatchObject({ hostname: "twin", rootfs: "ctstore:777/vm-777-disk-0.raw,size=1G" })
    expect(source).not.toHaveProperty("lock")
    expect(twin).not.toMatchObject({ net0: Object(source).net0 })
  }).pipe(asAdmin))

it.effect("a container in a directory becomes a template under another name, and one with a bind mount doesn't", () =>
  Effect.gen(function*() {
    const templated = (vmid: number) =>
      Effect.gen(function*() {
        expect((yield* ask("POST", `${node}/lxc/${vmid}/template`)).data).toBeNull()
        yield* TestClock.adjust("5 seconds")
        return (yield* ask("GET", `${node}/lxc/${vmid}/config`)).data
      })
    expect(yield* templated(101)).toMatchObject({ template: 1, rootfs: "local:101/base-101-disk-0.raw,size=1G" })
    expect(yield* templated(102)).not.toHaveProperty("template")
  }).pipe(asAgent))

it.effect("destroying takes the volumes that are named, and those that nobody names only when asked", () =>
  Effect.gen(function*() {
    const volumes = Effect.map(ask("GET", `${node}/storage/ctstore/content?vmid=9999`), ({ data }) => data)
    const sim = yield* PveSim
    yield* ask("PUT", `${node}/lxc/9999/config`, `mp0=${encodeURIComponent("ctstore:2,mp=/data")}`)
    yield* sim.change({ _tag: "guest.set", vmid: 9999, key: "mp0", value: null })
    const upid = upidOf(yield* ask("DELETE", `${node}/lxc/9999?purge=1`))
    yield* TestClock.adjust("2 seconds")
    expect((yield* statusOf(upid)).data).toMatchObject({ exitstatus: "OK" })
    expect((yield* logOf(upid)).data).toContainEqual({ n: 1, t: "purging CT 9999 from related configurations.." })
    expect(yield* volumes).toEqual([expect.objectContaining({ volid: "ctstore:9999/vm-9999-disk-1.raw" })])
    // Its backup job had no other guest.
    expect((yield* ask("GET", `${api}/cluster/backup`)).data).toEqual([])
  }).pipe(asAgent))

it.effect("what root does on the console is a task of root's", () =>
  Effect.gen(function*() {
    yield* (yield* PveSim).change({ _tag: "guest.status", vmid: 9999, status: "running" })
    const { data } = yield* ask("GET", `${node}/tasks?vmid=9999&typefilter=vzstart&limit=1`)
    expect(data).toEqual([expect.objectContaining({ user: "root@pam", status: "OK" })])
  }).pipe(asAgent))
