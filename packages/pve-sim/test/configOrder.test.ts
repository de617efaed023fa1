import { it } from "@effect/vitest"
import { agentPrivileges } from "@felhom/pve-sim/AccessControl"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { Effect, TestClock } from "effect"
import { expect } from "vitest"
import { ask, node, secrets, statusOf, upidOf } from "./Asking.ts"

const sixteen = Effect.provide(PveSim.layer({ secrets, roles: { FelhomAgent: agentPrivileges } }))

const config = `${node}/lxc/9999/config`
const put = (form: string) => ask("PUT", config, form)
const value = (key: string) =>
  Effect.map(ask("GET", config), ({ data }) => new Map(Object.entries(data as Record<string, unknown>)).get(key))

const reasonOf = (form: string) => Effect.map(put(form), ({ reason }) => reason)

it.effect("a guest that is not there is told before an option that is not either, and a lock before both", () =>
  Effect.gen(function*() {
    expect((yield* ask("PUT", `${node}/lxc/4711/config`, "delete=nosuch")).reason)
      .toBe("Configuration file 'nodes/demo-felhom/lxc/4711.conf' does not exist")
    expect((yield* put("delete=nosuch")).errors).toEqual({ delete: "unknown option 'nosuch'" })
    expect((yield* put("delete=onboot&onboot=1")).errors)
      .toEqual({ delete: "you can't use '-onboot' and -delete onboot' at the same time" })
    expect((yield* put("revert=onboot&onboot=1")).errors)
      .toEqual({ revert: "you can't use '-onboot' and '-revert onboot' at the same time" })
    const sim = yield* PveSim
    yield* sim.change({ _tag: "guest.set", vmid: 9999, key: "lock", value: "backup" })
    expect(yield* reasonOf("delete=nosuch")).toBe("CT is locked (backup)")
  }).pipe(sixteen))

it.effect("what must stay can't be deleted, what is not set can, and a protected guest keeps its volumes", () =>
  Effect.gen(function*() {
    expect(yield* reasonOf("delete=memory")).toBe("unable to delete required option 'memory'")
    expect(yield* reasonOf("delete=unprivileged")).toBe("unable to delete read-only option: 'unprivileged'")
    expect((yield* put("delete=startup")).status).toBe(200)
    yield* put(`mp0=${encodeURIComponent("ctstore:1,mp=/data")}&protection=1`)
    expect(yield* reasonOf("delete=mp0")).toBe("can't remove CT 9999 drive 'mp0' - protection mode enabled")
    expect(yield* reasonOf(`mp1=${encodeURIComponent("ctstore:1,mp=/other")}`))
      .toBe("can't update CT 9999 drive 'mp1' - protection mode enabled")
  }).pipe(sixteen))

it.effect("values are stored as Proxmox prints them: mounts by name, lists by spaces, weights within bounds", () =>
  Effect.gen(function*() {
    yield* put([
      `mp0=${encodeURIComponent("ctstore:0.5,mp=/data,ro=yes,backup=1")}`,
      "nameserver=192.0.2.1%2C192.0.2.2",
      "cpuunits=20000",
      `net0=${encodeURIComponent("ip=dhcp,hwaddr=bc:24:11:00:00:aa,bridge=vmbr0,name=eth0")}`
    ].join("&"))
    expect(yield* value("mp0")).toBe("ctstore:9999/vm-9999-disk-1.raw,mp=/data,backup=1,ro=1,size=512M")
    expect(yield* value("nameserver")).toBe("192.0.2.1 192.0.2.2")
    expect(yield* value("cpuunits")).toBe(10000)
    expect(yield* value("net0")).toBe("name=eth0,bridge=vmbr0,hwaddr=bc:24:11:00:00:aa,ip=dhcp,type=veth")
  }).pipe(sixteen))

it.effect("a storage that takes no containers, a bridge's packets and a guest's flags are reasons to refuse", () =>
  Effect.gen(function*() {
    const sim = yield* PveSim
    yield* sim.change({
      _tag: "storage.set",
      storage: "bkp",
      config: { type: "dir", path: "/mnt/bkp", content: "backup" }
    })
    expect(yield* reasonOf(`mp0=${encodeURIComponent("bkp:1,mp=/x")}`))
      .toBe("storage 'bkp' does not allow content type 'rootdir' (Container)")
    expect(yield* reasonOf(`net0=${encodeURIComponent("name=eth0,bridge=vmbr0,mtu=9000")}`))
      .toBe("net0: MTU size '9000' is bigger than bridge MTU '1500'")
    expect((yield* put("features=nesting%3D1")).status).toBe(200)
    // A flag that is named and off is another flag than before.
    expect(yield* reasonOf("features=nesting%3D1%2Cfuse%3D0"))
      .toBe("Permission check failed (changing feature flags (except nesting) is only allowed for root@pam)")
    expect(yield* reasonOf(`mp0=${encodeURIComponent("ctstore:101/vm-101-disk-9.raw,mp=/x")}`)).toBe("OK")
  }).pipe(sixteen))

it.effect("on a card's bridge each VLAN is asked for, and the bridge itself only when there is none", () =>
  Effect.gen(function*() {
    expect(yield* reasonOf(`net1=${encodeURIComponent("name=eth1,bridge=vmbr0,trunks=5;7")}`))
      .toBe("Permission check failed (/sdn/zones/localnetwork/vmbr0/5, SDN.Use)")
  }).pipe(Effect.provide(
    PveSim.layer({ secrets, roles: { FelhomAgent: agentPrivileges.filter((name) => name !== "SDN.Use") } })
  )))

const create = (form: string) =>
  ask(
    "POST",
    `${node}/lxc`,
    `vmid=9000&ostemplate=${encodeURIComponent("local:vztmpl/felhom-tiny_1.0-1_amd64.tar.gz")}&${form}`
  )

it.effect("a new container is refused over its template, its storages and its mounts in Proxmox's order", () =>
  Effect.gen(function*() {
    const from = (volid: string, more = "") =>
      Effect.map(
        ask("POST", `${node}/lxc`, `vmid=9000&storage=ctstore&ostemplate=${encodeURIComponent(volid)}${more}`),
        ({ reason }) => reason
      )
    expect(yield* from("nosuch:vztmpl/x.tar.gz")).toBe("storage 'nosuch' does not exist")
    expect(yield* from("local:whatever/x")).toBe("unable to parse directory volume name 'whatever/x'")
    expect(yield* from("local:backup/vzdump-lxc-9999-2026_01_01-00_00_00.tar.zst"))
      .toBe(
        "unable to use volume local:backup/vzdump-lxc-9999-2026_01_01-00_00_00.tar.zst - content type needs to be 'vztmpl'"
      )
    expect(yield* from("/root/x.tar.gz"))
      .toBe("Only root can pass arbitrary filesystem paths. at /usr/share/perl5/PVE/Storage.pm line 651.")
    expect((yield* create(`storage=ctstore&mp0=${encodeURIComponent("ctstore:1,mp=/x")}`)).reason)
      .toBe("mount points configured, but 'rootfs' not set - aborting")
    const sim = yield* PveSim
    yield* sim.change({ _tag: "storage.set", storage: "ctstore", config: { nodes: "elsewhere" } })
    expect((yield* create("storage=ctstore")).reason).toBe("storage 'ctstore' is not available on node 'demo-felhom'")
  }).pipe(sixteen))

it.effect("a restore over a locked guest says whose restore it was", () =>
  Effect.gen(function*() {
    const sim = yield* PveSim
    yield* sim.change({ _tag: "guest.set", vmid: 9999, key: "lock", value: "snapshot" })
    const archive = encodeURIComponent("local:backup/vzdump-lxc-9999-2026_01_01-00_00_00.tar.zst")
    const { reason } = yield* ask(
      "POST",
      `${node}/lxc`,
      `vmid=9999&ostemplate=${archive}&restore=1&force=1&storage=ctstore`
    )
    expect(reason).toBe("unable to restore CT 9999 - CT is locked (snapshot)")
  }).pipe(sixteen))

it.effect("a volume is moved under the lock `disk`, and a bind mount can't be", () =>
  Effect.gen(function*() {
    const move = (form: string, vmid = 101) => ask("POST", `${node}/lxc/${vmid}/move_volume`, form)
    expect((yield* move("volume=rootfs")).errors).toEqual({
      "target-vmid": "both 'storage' and 'target-vmid' missing, either needs to be set",
      storage: "both 'storage' and 'target-vmid' missing, either needs to be set"
    })
    expect((yield* move("volume=rootfs&storage=ctstore&target-vmid=102")).reason)
      .toBe("either set storage or target-vmid, but not both")
    expect((yield* move("volume=mp7&storage=ctstore")).reason).toBe("format error")
    const bind = upidOf(yield* move("volume=mp0&storage=ctstore", 102))
    const moved = upidOf(yield* move("volume=rootfs&storage=ctstore"))
    expect((yield* ask("PUT", `${node}/lxc/101/config`, "onboot=1")).reason).toBe("CT is locked (disk)")
    yield* TestClock.adjust("1 minute")
    expect((yield* statusOf(bind)).data).toMatchObject({ exitstatus: "cannot copy volumes of type bind" })
    expect((yield* statusOf(moved)).data).toMatchObject({ exitstatus: "OK" })
    expect((yield* ask("PUT", `${node}/lxc/101/config`, "onboot=1")).status).toBe(200)
  }).pipe(sixteen))
