import { it } from "@effect/vitest"
import { agentPrivileges } from "@felhom/pve-sim/AccessControl"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { Effect, TestClock } from "effect"
import { expect } from "vitest"
import { ask, logOf, node, secrets, statusOf, upidOf } from "./Asking.ts"
import { recordedWorld } from "./recordedWorld.ts"

const sixteen = Effect.provide(PveSim.layer({ secrets, roles: { FelhomAgent: agentPrivileges } }))

const rows = (data: unknown): ReadonlyArray<Record<string, unknown>> =>
  Array.isArray(data) ? data as ReadonlyArray<Record<string, unknown>> : []

it.effect("a storage of another node or one that is off is listed, and is not there for who asks for its content", () =>
  Effect.gen(function*() {
    const sim = yield* PveSim
    yield* sim.change({ _tag: "storage.set", storage: "ctstore", config: { nodes: "elsewhere" } })
    const listed = rows((yield* ask("GET", `${node}/storage`)).data)
    expect(listed.find(({ storage }) => storage === "ctstore")).toMatchObject({ enabled: 0, active: 0, total: 0 })
    expect(rows((yield* ask("GET", `${node}/storage?content=rootdir`)).data).map(({ storage }) => storage))
      .toEqual(["local"])
    expect((yield* ask("GET", `${node}/storage?storage=nosuch`)).errors).toEqual({ storage: "No such storage." })
    expect((yield* ask("GET", `${node}/storage/ctstore/content`)).reason)
      .toBe("storage 'ctstore' is not available on node 'demo-felhom'")
  }).pipe(sixteen))

it.effect("an image without its guest is an image, and one can be made by hand", () =>
  Effect.gen(function*() {
    const make = (form: string) => ask("POST", `${node}/storage/local/content`, form)
    expect((yield* make("filename=vm-9999-disk-7.raw&vmid=9999&size=1M")).data).toBe("local:9999/vm-9999-disk-7.raw")
    expect((yield* make("filename=vm-9999-disk-7.raw&vmid=9999&size=1M")).reason)
      .toBe("disk image '/var/lib/vz/images/9999/vm-9999-disk-7.raw' already exists")
    expect((yield* make("filename=vm-9999-disk-8&vmid=9999&size=1M")).reason)
      .toBe("unable to parse volume filename 'vm-9999-disk-8'")
    expect((yield* make("filename=vm-9999-disk-8.qcow2&vmid=9999&size=1M&format=raw")).errors)
      .toEqual({ format: "different storage formats (raw != qcow2)" })
    const kindOf = Effect.map(
      ask("GET", `${node}/storage/local/content?vmid=9999`),
      ({ data }) => rows(data).map(({ content }) => content)
    )
    expect(yield* kindOf).toEqual(["rootdir"])
    const sim = yield* PveSim
    yield* sim.change({ _tag: "guest.destroy", vmid: 9999 })
    expect(yield* kindOf).toEqual(["images"])
  }).pipe(sixteen))

it.effect("of an archive that is not there its size is missed, and its marks are taken without a word", () =>
  Effect.gen(function*() {
    const gone = `${node}/storage/local/content/backup/vzdump-lxc-9999-2020_01_01-00_00_00.tar.zst`
    expect((yield* ask("GET", gone)).reason)
      .toBe("volume_size_info on 'local:backup/vzdump-lxc-9999-2020_01_01-00_00_00.tar.zst' failed - no format")
    expect((yield* ask("PUT", gone, "notes=x&protected=1")).status).toBe(200)
    expect((yield* ask("GET", `${node}/storage/local/content/ctstore:9999/vm-9999-disk-0.raw`)).errors)
      .toEqual({ volume: "storage ID mismatch (ctstore != local)\n" })
    expect((yield* ask("PUT", `${node}/storage/ctstore/content/9999/vm-9999-disk-0.raw`, "notes=x")).reason)
      .toBe("only backups can have notes")
  }).pipe(sixteen))

it.effect("pruning finds out in its task what is wrong with a storage", () =>
  Effect.gen(function*() {
    const prune = upidOf(yield* ask("DELETE", `${node}/storage/ctstore/prunebackups?vmid=9999`))
    yield* TestClock.adjust("1 second")
    expect((yield* statusOf(prune)).data).toMatchObject({ exitstatus: "storage 'ctstore' does not support backups" })
    expect(rows((yield* logOf(prune)).data).length).toBe(1)
  }).pipe(sixteen))

it.effect("a running task counts as one of unknown end, in errors and in filters", () =>
  Effect.gen(function*() {
    yield* ask("POST", `${node}/lxc/9999/status/start`, "")
    const found = (query: string) =>
      Effect.map(ask("GET", `${node}/tasks?source=active&${query}`), ({ data }) => rows(data).map(({ type }) => type))
    expect(yield* found("errors=1")).toEqual(["vzstart"])
    expect(yield* found("statusfilter=Unknown")).toEqual(["vzstart"])
    expect(yield* found("statusfilter=ok")).toEqual([])
  }).pipe(sixteen))

it.effect("a guest's features are those of its volumes where they lie", () =>
  Effect.gen(function*() {
    const has = (vmid: number, query: string) =>
      Effect.map(ask("GET", `${node}/lxc/${vmid}/feature?${query}`), ({ data }) => data)
    expect(yield* has(9999, "feature=clone")).toEqual({ hasFeature: 1 })
    expect(yield* has(101, "feature=copy")).toEqual({ hasFeature: 1 })
    expect(yield* has(101, "feature=clone")).toEqual({ hasFeature: 0 })
    expect(yield* has(102, "feature=copy")).toEqual({ hasFeature: 0 })
  }).pipe(sixteen))

it.effect("a guest's firewall has options with a digest of their own, whether there is such a guest or not", () =>
  Effect.gen(function*() {
    const path = `${node}/lxc/9999/firewall/options`
    expect((yield* ask("GET", path)).data).toEqual({ digest: "da39a3ee5e6b4b0d3255bfef95601890afd80709" })
    expect((yield* ask("PUT", path, "enable=1&policy_in=DROP")).status).toBe(200)
    expect((yield* ask("GET", path)).data).toMatchObject({ enable: 1, policy_in: "DROP" })
    expect((yield* ask("PUT", path, "delete=nosuch")).errors).toEqual({ delete: "no such option 'nosuch'" })
    expect((yield* ask("PUT", path, "policy_in=drop")).errors)
      .toEqual({ policy_in: "value 'drop' does not have a value in the enumeration 'ACCEPT, REJECT, DROP'" })
    expect((yield* ask("GET", `${node}/lxc/4711/firewall/options`)).status).toBe(200)
  }).pipe(sixteen))

it.effect("paths of guests can be followed from the root", () =>
  Effect.gen(function*() {
    expect(rows((yield* ask("GET", `${node}/lxc/9999`)).data)[0]).toEqual({ subdir: "config" })
    expect((yield* ask("GET", `${node}/lxc/4711`)).reason)
      .toBe("Configuration file 'nodes/demo-felhom/lxc/4711.conf' does not exist")
    expect(rows((yield* ask("GET", `${node}/lxc/9999/snapshot/x1`, undefined, "noacl")).data).length).toBe(2)
  }).pipe(sixteen))

it.effect("a virtual machine's hardware is changed by its own rules", () =>
  Effect.gen(function*() {
    const put = (form: string) => ask("PUT", `${node}/qemu/200/config`, form)
    expect((yield* put("memory=8")).errors)
      .toEqual({ memory: "invalid format - format error\nmemory.current: value must have a minimum value of 16\n" })
    expect((yield* put("args=-x")).reason).toBe("only root can set 'args' config")
    expect((yield* put("kvm=0")).reason).toBe("Permission check failed (/vms/200, VM.Config.HWType)")
    expect((yield* put("description=x&digest=0000")).reason).toBe("checksum mismatch (file change by other user?)")
    expect((yield* put("balloon=4096&memory=512")).reason)
      .toBe("balloon value too large (must be smaller than assigned memory)")
    expect((yield* put(`net0=${encodeURIComponent("virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=1")}`)).status)
      .toBe(200)
    expect((yield* ask("GET", `${node}/qemu/200/config`)).data)
      .toMatchObject({ net0: "virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=1" })
  }).pipe(sixteen))

it.effect("a thin pool is told with all that lvs says of it, to whoever may look at the host", () =>
  Effect.gen(function*() {
    const sim = yield* PveSim
    const thinPools = (token = "agent") => ask("GET", `${node}/disks/lvmthin`, undefined, token)
    expect((yield* thinPools()).data).toEqual([])
    const config = { type: "lvmthin", vgname: "pve", thinpool: "data", content: "images,rootdir" }
    yield* sim.change({ _tag: "storage.set", storage: "thin", config })
    yield* sim.change({ _tag: "storage.size", storage: "thin", total: 2 ** 38, avail: 2 ** 37 })
    yield* sim.change({ _tag: "storage.metadata", storage: "thin", used: 12345 })
    expect(rows((yield* thinPools()).data)).toEqual([{
      vg: "pve",
      lv: "data",
      lv_size: 2 ** 38,
      lv_state: "a",
      lv_type: "t",
      used: 2 ** 37,
      metadata_size: expect.any(Number),
      metadata_used: 12345,
      ctime: expect.stringMatching(/^\d+$/)
    }])
    expect((yield* thinPools("noacl")).reason).toBe("Permission check failed (/, Sys.Audit)")
    expect(yield* Effect.flip(sim.change({ _tag: "storage.metadata", storage: "local", used: 1 })))
      .toMatchObject({ reason: "no-such-storage" })
  }).pipe(sixteen))

it.effect("a template that is not there is missed in the task, when the volume is made already, and nothing is left", () =>
  Effect.gen(function*() {
    const create = yield* ask(
      "POST",
      `${node}/lxc`,
      "vmid=777&ostemplate=local%3Avztmpl%2Fgone.tar.gz&storage=ctstore&ostype=unmanaged"
    )
    yield* TestClock.adjust("1 minute")
    expect((yield* statusOf(upidOf(create))).data).toMatchObject({
      exitstatus: "unable to create CT 777 - volume 'local:vztmpl/gone.tar.gz' does not exist"
    })
    expect((yield* ask("GET", `${node}/lxc/777/config`)).status).toBe(500)
    expect(rows((yield* ask("GET", `${node}/storage/ctstore/content?vmid=777`)).data)).toEqual([])
  }).pipe(sixteen))

it.effect("while a guest is made there is its lock and nothing else, and nobody can write to it", () =>
  Effect.gen(function*() {
    const sim = yield* PveSim
    yield* ask(
      "POST",
      `${node}/lxc`,
      "vmid=777&ostemplate=local%3Avztmpl%2Ffelhom-tiny_1.0-1_amd64.tar.gz&storage=ctstore&ostype=unmanaged&memory=64"
    )
    yield* TestClock.adjust("10 millis")
    expect((yield* ask("GET", `${node}/lxc/777/config`)).data).toEqual({ lock: "create", digest: expect.any(String) })
    yield* sim.change({ _tag: "node.reboot" })
    yield* TestClock.adjust("1 minute")
    // What a power failure cuts off stays as it is, and no token can clear it (platform-facts 4.5, 5.8).
    expect((yield* ask("GET", `${node}/lxc/777/config`)).data).toEqual({ lock: "create", digest: expect.any(String) })
    expect((yield* ask("DELETE", `${node}/lxc/777`)).reason).toBe("CT is locked (create)")
  }).pipe(sixteen))

it.effect("a volume on a thin pool is a device: it is listed as lvs tells it, and grows as lvextend says", () =>
  Effect.gen(function*() {
    const sim = yield* PveSim
    const config = { type: "lvmthin", vgname: "pve", thinpool: "data", content: "images,rootdir" }
    yield* sim.change({ _tag: "storage.set", storage: "thin", config })
    yield* sim.change({ _tag: "guest.create", vmid: 777, type: "lxc", config: { storage: "thin", rootfs: "thin:1" } })
    const volid = "thin:vm-777-disk-0"
    expect(rows((yield* ask("GET", `${node}/storage/thin/content`)).data)).toEqual([
      { volid, content: "rootdir", format: "raw", size: 2 ** 30, vmid: 777, ctime: expect.stringMatching(/^\d+$/) }
    ])
    expect((yield* ask("GET", `${node}/storage/thin/content/${volid}`)).data)
      .toMatchObject({ path: "/dev/pve/vm-777-disk-0" })
    const grown = upidOf(yield* ask("PUT", `${node}/lxc/777/resize`, "disk=rootfs&size=2G"))
    yield* TestClock.adjust("10 seconds")
    const log = rows((yield* logOf(grown)).data).map(({ t }) => t)
    expect(log[0]).toBe(
      "  Size of logical volume pve/vm-777-disk-0 changed from 1.00 GiB (256 extents) to 2.00 GiB (512 extents)."
    )
    expect(log.at(-1)).toBe("TASK OK")
  }).pipe(sixteen))

it.effect("a storage can be put on a thin pool that is there, and has its room; on none that is not", () =>
  Effect.gen(function*() {
    const world = yield* recordedWorld
    const thin_pools = [
      {
        vg: "pve",
        lv: "data",
        lv_size: 2 ** 38,
        used: 2 ** 36,
        metadata_size: 2 ** 30,
        metadata_used: 2 ** 20,
        ctime: 7
      }
    ]
    yield* Effect.gen(function*() {
      const add = (thinpool: string) =>
        ask("POST", "/api2/json/storage", `storage=${thinpool}&type=lvmthin&vgname=pve&thinpool=${thinpool}`)
      expect((yield* add("other")).reason).toBe("create storage failed: no such logical volume pve/other")
      expect((yield* add("data")).status).toBe(200)
      expect((yield* ask("GET", `${node}/storage/data/status`)).data)
        .toMatchObject({ active: 1, total: 2 ** 38, used: 2 ** 36, avail: 2 ** 38 - 2 ** 36 })
      expect(rows((yield* ask("GET", `${node}/disks/lvmthin`)).data)).toMatchObject([{
        lv: "data",
        metadata_used: 2 ** 20
      }])
    }).pipe(Effect.provide(PveSim.layer({
      secrets,
      roles: { FelhomAgent: agentPrivileges },
      world: { ...world, thin_pools }
    })))
  }))
