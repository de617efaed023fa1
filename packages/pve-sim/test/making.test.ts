import { it } from "@effect/vitest"
import { agentPrivileges } from "@felhom/pve-sim/AccessControl"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { Effect, Fiber, TestClock } from "effect"
import { expect } from "vitest"
import { ask, logOf, node, secrets, statusOf, upidOf } from "./Asking.ts"

const sixteen = Effect.provide(PveSim.layer({ secrets, roles: { FelhomAgent: agentPrivileges } }))

const form = (fields: { readonly [key: string]: string }): string => new URLSearchParams(fields).toString()

const tiny = { ostemplate: "local:vztmpl/felhom-tiny_1.0-1_amd64.tar.gz", storage: "ctstore", ostype: "unmanaged" }

const create = (fields: { readonly [key: string]: string }) => ask("POST", `${node}/lxc`, form({ ...tiny, ...fields }))

/** How a task ended, after so much time. */
const endOf = (upid: string) =>
  Effect.gen(function*() {
    yield* TestClock.adjust("2 minutes")
    const { data } = yield* statusOf(upid)
    return typeof data === "object" && data !== null && "exitstatus" in data ? data.exitstatus : undefined
  })

const logText = (upid: string) =>
  Effect.map(
    logOf(upid),
    ({ data }) => Array.isArray(data) ? data.map((line: { readonly t: string }) => line.t).join("\n") : ""
  )

const configOf = (vmid: number) => Effect.map(ask("GET", `${node}/lxc/${vmid}/config`), ({ data }) => data)

it.effect("of two guests made at once under one number the second is refused before there is a task", () =>
  Effect.gen(function*() {
    const both = yield* Effect.all([create({ vmid: "777" }), create({ vmid: "777" })])
    expect(both.map(({ status }) => status).toSorted()).toEqual([200, 500])
    expect(both.map(({ reason }) => reason)).toContain("CT 777 already exists on node 'demo-felhom'")
  }).pipe(sixteen))

it.effect("a guest on a bridge that is not there is made, and does not start", () =>
  Effect.gen(function*() {
    expect(yield* endOf(upidOf(yield* create({ vmid: "777", net0: "name=eth0,bridge=vmbr9" })))).toBe("OK")
    const upid = upidOf(yield* ask("POST", `${node}/lxc/777/status/start`, ""))
    expect(yield* endOf(upid)).toBe("startup for container '777' failed")
    expect(yield* logText(upid)).toContain("lxc_spawn: 1840 Failed to create the network")
  }).pipe(sixteen))

it.effect("a card that can't be put on its bridge is refused under a running guest, and nothing of the request is written", () =>
  Effect.gen(function*() {
    const put = (fields: { readonly [key: string]: string }) => ask("PUT", `${node}/lxc/9999/config`, form(fields))
    expect((yield* put({ net1: "name=eth1,bridge=vmbr9,mtu=1400" })).reason).toBe("bridge 'vmbr9' does not exist")
    yield* endOf(upidOf(yield* ask("POST", `${node}/lxc/9999/status/start`, "")))
    const refused = yield* put({ net1: "name=eth1,bridge=vmbr9", description: "new" })
    expect(refused.status).toBe(400)
    expect(refused.errors).toEqual({ net1: "unable to hotplug net1: bridge 'vmbr9' does not exist\n" })
    const config = yield* configOf(9999)
    expect(config).not.toHaveProperty("net1")
    expect(config).toMatchObject({ description: "felhom test guest\n" })
  }).pipe(sixteen))

it.effect("what a new guest is asked to have is looked at before there is a task", () =>
  Effect.gen(function*() {
    const reasonOf = (fields: { readonly [key: string]: string }) =>
      Effect.map(create({ vmid: "777", ...fields }), ({ reason }) => reason)
    expect(yield* reasonOf({ net0: "name=eth0,bridge=vmbr0,mtu=9000" }))
      .toBe("net0: MTU size '9000' is bigger than bridge MTU '1500'")
    expect(yield* reasonOf({ "ssh-public-keys": "nonsense" })).toBe("SSH public key validation error")
    expect((yield* ask("GET", `${node}/lxc/777/config`)).status).toBe(500)
    const made = yield* create({
      vmid: "777",
      unused0: "local:1",
      "ssh-public-keys": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGm0 me@here\n"
    })
    expect(yield* endOf(upidOf(made))).toBe("OK")
    expect(yield* configOf(777)).not.toHaveProperty("unused0")
  }).pipe(sixteen))

it.effect("a root volume of size 0 is a plain folder without a limit", () =>
  Effect.gen(function*() {
    const upid = upidOf(yield* create({ vmid: "777", rootfs: "local:0" }))
    expect(yield* endOf(upid)).toBe("OK")
    expect(yield* logText(upid)).not.toContain("mke2fs")
    expect(yield* configOf(777)).toMatchObject({ rootfs: "local:777/subvol-777-disk-0.subvol,size=0T" })
  }).pipe(sixteen))

it.effect("a volume is made in whole mebibytes", () =>
  Effect.gen(function*() {
    yield* endOf(upidOf(yield* create({ vmid: "777", rootfs: "ctstore:0.1" })))
    expect(yield* configOf(777)).toMatchObject({ rootfs: "ctstore:777/vm-777-disk-0.raw,size=102M" })
  }).pipe(sixteen))

it.effect("the archive of a template becomes a template, with volumes that clones stand upon", () =>
  Effect.gen(function*() {
    yield* endOf(upidOf(yield* create({ vmid: "777" })))
    yield* ask("POST", `${node}/lxc/777/template`, "")
    yield* TestClock.adjust("1 minute")
    const backup = upidOf(yield* ask("POST", `${node}/vzdump`, "vmid=777&storage=local&compress=zstd"))
    expect(yield* endOf(backup)).toBe("OK")
    const { data } = yield* ask("GET", `${node}/storage/local/content?content=backup&vmid=777`)
    const [archive] = Array.isArray(data) ? data : []
    const restore = yield* ask(
      "POST",
      `${node}/lxc`,
      form({ vmid: "778", ostemplate: archive.volid, restore: "1", storage: "ctstore" })
    )
    expect(yield* endOf(upidOf(restore))).toBe("OK")
    expect(yield* logText(upidOf(restore))).toContain("Convert restored container to template...")
    expect(yield* configOf(778)).toMatchObject({ template: 1, rootfs: expect.stringContaining("base-778-disk-0") })
  }).pipe(sixteen))

it.effect("a guest's firewall comes along in its archive", () =>
  Effect.gen(function*() {
    yield* ask("PUT", `${node}/lxc/9999/firewall/options`, "enable=1&policy_in=DROP")
    yield* endOf(upidOf(yield* ask("POST", `${node}/vzdump`, "vmid=9999&storage=local&compress=zstd")))
    const { data } = yield* ask("GET", `${node}/storage/local/content?content=backup&vmid=9999`)
    const [archive] = Array.isArray(data) ? data : []
    const fields = { vmid: "778", ostemplate: archive.volid, restore: "1", storage: "ctstore" }
    yield* endOf(upidOf(yield* ask("POST", `${node}/lxc`, form(fields))))
    expect((yield* ask("GET", `${node}/lxc/778/firewall/options`)).data).toMatchObject({ enable: 1, policy_in: "DROP" })
  }).pipe(sixteen))

it.effect("a guest with a volume that can't be reached is not destroyed, though what can be is gone", () =>
  Effect.gen(function*() {
    const sim = yield* PveSim
    yield* endOf(upidOf(yield* create({ vmid: "777", rootfs: "local:1", mp0: "ctstore:1,mp=/data" })))
    yield* sim.change({ _tag: "storage.mounted", path: "/mnt/ctstore", mounted: false })
    const upid = upidOf(yield* ask("DELETE", `${node}/lxc/777`))
    expect(yield* endOf(upid)).toBe(
      "unable to activate storage 'ctstore' - directory is expected to be a mount point but is not mounted: '/mnt/ctstore'"
    )
    expect(yield* configOf(777)).toMatchObject({ rootfs: expect.stringContaining("local:777/") })
    expect((yield* ask("GET", `${node}/storage/local/content?vmid=777`)).data).toEqual([])
  }).pipe(sixteen))

it.effect("whoever writes to a guest that is being made waits for its lock, and does not get it", () =>
  Effect.gen(function*() {
    const sim = yield* PveSim
    yield* sim.change({ _tag: "guest.data", vmid: 9999, bytes: 8e9 })
    yield* endOf(upidOf(yield* ask("POST", `${node}/vzdump`, "vmid=9999&storage=local&compress=zstd")))
    const { data } = yield* ask("GET", `${node}/storage/local/content?content=backup&vmid=9999`)
    const [archive] = Array.isArray(data) ? data : []
    yield* ask(
      "POST",
      `${node}/lxc`,
      form({ vmid: "778", ostemplate: archive.volid, restore: "1", storage: "local", rootfs: "local:16" })
    )
    yield* TestClock.adjust("1 second")
    const put = yield* Effect.fork(ask("PUT", `${node}/lxc/778/config`, "cores=1"))
    yield* TestClock.adjust("11 seconds")
    expect((yield* Fiber.join(put)).reason).toBe("can't lock file '/run/lock/lxc/pve-config-778.lock' - got timeout")
  }).pipe(sixteen))
