import { describe, it } from "@effect/vitest"
import { Vmid } from "@felhom/domain/ProxmoxId"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { checkMaking } from "@felhom/reconciler/make/Making"
import { Effect } from "effect"
import { expect } from "vitest"
import {
  anyImage,
  boot,
  golden,
  goldenConfig,
  key,
  onHost,
  passing,
  policy,
  stepFor,
  worldWith,
  writes
} from "./MakeHost.ts"

const ref = { type: "lxc", vmid: Vmid.make(111) } as const

describe("a guest made from an archive", () => {
  it.effect("is made of an image that has no features switched on, too", () =>
    Effect.gen(function*() {
      expect(yield* (yield* boot()).make(stepFor("golden"))).toMatchObject({ end: "finished" })
    }).pipe(Effect.provide(onHost({ world: worldWith(goldenConfig.replace(/^features: .*\n/m, "")) }))))

  it.effect("has a free number outside of the scratch range, what was wished, a fresh address, and runs", () =>
    Effect.gen(function*() {
      const agent = yield* boot()
      const end = yield* agent.make(stepFor("golden", {
        name: "web",
        memory: 128,
        cores: 1,
        onboot: true,
        tags: ["b", "a"],
        description: "two\nlines",
        startup: { order: 2, up: 5 },
        cpulimit: 1,
        cpuunits: 200,
        nets: { net0: { bridge: "vmbr0", ip: "dhcp", firewall: true } }
      }))
      expect(end).toMatchObject({ end: "finished", detail: "made as CT 111 and seen running", ref })
      const config = yield* agent.client.guestConfig(ref)
      expect(config).toMatchObject({
        hostname: "web",
        memory: 128,
        cores: 1,
        onboot: 1,
        tags: "a;b",
        description: "two\nlines\n",
        startup: "order=2,up=5",
        cpuunits: 200,
        unprivileged: 1,
        features: "keyctl=1,nesting=1"
      })
      expect(config["net0"]).toMatch(/^name=eth0,bridge=vmbr0,firewall=1,hwaddr=[0-9A-F:]{17},ip=dhcp,type=veth$/)
      expect(config["net0"]).not.toContain("BC:24:11:00:00:01")
      expect(yield* writes).toEqual(["POST /lxc", "POST /lxc/111/status/start"])
      expect(yield* agent.record).toMatchObject({ key, guest: ref, stage: "proven" })
    }).pipe(Effect.provide(onHost())))

  it.effect("gets its image's cards without their addresses where none is wished for", () =>
    Effect.gen(function*() {
      const agent = yield* boot()
      yield* agent.make(stepFor("golden"))
      const { net0 } = yield* agent.client.guestConfig(ref)
      expect(net0).toMatch(/^name=eth0,bridge=vmbr0,hwaddr=[0-9A-F:]{17},ip=dhcp,type=veth$/)
      expect(net0).not.toContain("BC:24:11:00:00:01")
    }).pipe(Effect.provide(onHost())))

  it.effect("is asked to shut down again where it is not to run", () =>
    Effect.gen(function*() {
      const agent = yield* boot()
      expect(yield* agent.make(stepFor("golden"), false)).toMatchObject({ end: "finished" })
      expect((yield* agent.client.guestStatus(ref)).status).toBe("stopped")
      expect((yield* writes).at(-1)).toBe("POST /lxc/111/status/shutdown")
    }).pipe(Effect.provide(onHost())))

  it.effect("runs on, and is never killed, where it does not shut down", () =>
    Effect.gen(function*() {
      const sim = yield* PveSim
      const agent = yield* boot({
        handle: (handle) => (request) =>
          request.path.endsWith("/status/shutdown")
            ? Effect.zipRight(
              Effect.orDie(sim.change({ _tag: "guest.stubborn", vmid: 111, stubborn: true })),
              handle(request)
            )
            : handle(request)
      })
      const end = yield* agent.make(stepFor("golden"), false)
      expect(end).toMatchObject({ end: "finished" })
      expect(end.detail).toContain("it was asked to shut down again and runs on: container did not stop")
      expect((yield* writes).at(-1)).toBe("POST /lxc/111/status/shutdown")
    }).pipe(Effect.provide(onHost())))

  it.effect("is protected once it is proven, where that is wished or its image was", () =>
    Effect.gen(function*() {
      const agent = yield* boot()
      yield* agent.make(stepFor("golden", { protection: true }))
      expect(yield* agent.client.guestConfig(ref)).toMatchObject({ protection: 1 })
    }).pipe(Effect.provide(onHost())))

  it.effect("keeps its image's protection, which does not stand in the way of its making", () =>
    Effect.gen(function*() {
      const agent = yield* boot()
      yield* agent.make(stepFor("golden"))
      expect(yield* agent.client.guestConfig(ref)).toMatchObject({ protection: 1 })
      expect((yield* writes).at(-1)).toBe("PUT /lxc/111/config")
    }).pipe(Effect.provide(onHost({ world: worldWith(`${goldenConfig}protection: 1\n`) }))))

  it.effect("is made once, however often it is asked for", () =>
    Effect.gen(function*() {
      const agent = yield* boot()
      yield* agent.make(stepFor("golden"))
      expect(yield* agent.make(stepFor("golden"))).toMatchObject({
        end: "finished",
        detail: "it was made before, as CT 111"
      })
      expect((yield* writes).filter((one) => one === "POST /lxc")).toHaveLength(1)
    }).pipe(Effect.provide(onHost())))
})

describe("a guest made from a template", () => {
  it.effect("is unprivileged, of the size that is wished for, and seen running", () =>
    Effect.gen(function*() {
      const agent = yield* boot()
      const end = yield* agent.make(
        stepFor("tiny", { name: "fresh", memory: 64, volumes: { rootfs: 2 }, nets: { net0: { bridge: "vmbr0" } } })
      )
      expect(end).toMatchObject({ end: "finished", ref })
      const config = yield* agent.client.guestConfig(ref)
      expect(config).toMatchObject({ hostname: "fresh", unprivileged: 1 })
      expect(config["features"]).toBeUndefined()
      expect(config["rootfs"]).toMatch(/^ctstore:111\/vm-111-disk-0\.raw,size=2G$/)
    }).pipe(Effect.provide(onHost())))

  it.effect("that is not there is missed before anything is asked for", () =>
    Effect.gen(function*() {
      const agent = yield* boot()
      const end = yield* agent.make(stepFor("gone"))
      expect(end).toMatchObject({
        end: "failed",
        detail: "it was not begun: there is no local:vztmpl/gone.tar.gz on this host; put it there"
      })
      expect(yield* writes).toEqual([])
      expect(yield* agent.record).toBeUndefined()
    }).pipe(Effect.provide(onHost())))
})

const refusedFor = (config: string, why: string, image: "golden" | "tiny" = "golden") =>
  Effect.gen(function*() {
    const agent = yield* boot()
    expect(yield* passing(agent.run(checkMaking(stepFor(image), { policy, image: anyImage })))).toContain(why)
    expect(yield* agent.make(stepFor(image))).toMatchObject({ end: "failed", ref: null })
    expect(yield* writes).toEqual([])
    expect(yield* agent.record).toBeUndefined()
  }).pipe(Effect.provide(onHost({ world: worldWith(config) })))

describe("an archive is looked at before anything is made from it, and refused", () => {
  const cases: ReadonlyArray<readonly [what: string, config: string, why: string]> = [
    [
      "with a hook script",
      `${goldenConfig}hookscript: local:snippets/x.sh\n`,
      "it has a hook script, which would run as root"
    ],
    ["with a device", `${goldenConfig}dev0: /dev/ttyUSB0\n`, "it has a device of its host (dev0)"],
    [
      "with a raw key",
      `${goldenConfig}lxc.mount.entry: /root root none bind\n`,
      "it has a raw LXC key (lxc.mount.entry)"
    ],
    ["with a bind mount", `${goldenConfig}mp0: /srv,mp=/srv\n`, "besides its root (mp0)"],
    ["of a template", `${goldenConfig}template: 1\n`, "it is a template's"],
    ["of a locked guest", `${goldenConfig}lock: backup\n`, "it was taken of a locked guest"],
    ["with a key of another release", `${goldenConfig}newkey: 1\n`, "a key that this version does not know (newkey)"],
    ["of a privileged container", goldenConfig.replace("unprivileged: 1", "unprivileged: 0"), "privileged container's"],
    ["with a feature that reaches far", goldenConfig.replace("keyctl=1", "mknod=1"), "no new guest gets (mknod)"],
    ["of a virtual machine", "cores: 1\nmemory: 512\n", "it is no archive of a container"],
    ["that can't be read", `${goldenConfig}what is this\n`, "its configuration can't be read"],
    ["with a fixed address", goldenConfig.replace("ip=dhcp", "ip=10.0.0.5/24"), "fixed address (10.0.0.5/24)"],
    ["on a bridge that is not allowed", goldenConfig.replace("vmbr0", "vmbr9"), "would be on vmbr9"],
    ["that does not say its size", goldenConfig.replace(",size=1G", ""), "does not say how large"],
    ["larger than the storage", goldenConfig.replace("size=1G", "size=900G"), "its root volume may take 900.0 GiB"]
  ]
  for (const [what, config, why] of cases) it.effect(what, () => refusedFor(config, why))

  it.effect("but not for what stands in a snapshot of its guest", () =>
    Effect.gen(function*() {
      const agent = yield* boot()
      expect(yield* agent.make(stepFor("golden"))).toMatchObject({ end: "finished" })
    }).pipe(
      Effect.provide(onHost({ world: worldWith(`${goldenConfig}\n[before]\nhookscript: local:snippets/x.sh\n`) }))
    ))

  it.effect("that is not on the host is missed", () =>
    Effect.gen(function*() {
      const agent = yield* boot()
      const end = yield* agent.make(stepFor("lost"))
      expect(end.detail).toContain("vzdump-lxc-900-x.tar.zst' does not exist")
      expect(yield* writes).toEqual([])
    }).pipe(Effect.provide(onHost())))
})

describe("a storage is refused", () => {
  it.effect("that the host has not, that takes no containers, that can't be reached", () =>
    Effect.gen(function*() {
      const sim = yield* PveSim
      const agent = yield* boot()
      const why = (storage: string) =>
        passing(agent.run(checkMaking(stepFor("golden", { storage }), { policy, image: anyImage })))
      expect(yield* why("none")).toBe("this host has no storage none")
      yield* sim.change({ _tag: "storage.set", storage: "local", config: { content: "backup,vztmpl" } })
      expect(yield* why("local")).toBe("the storage local takes no containers")
      yield* sim.change({ _tag: "storage.mounted", path: "/mnt/ctstore", mounted: false })
      expect(yield* why("ctstore")).toBe("the storage ctstore can't be reached")
    }).pipe(Effect.provide(onHost())))
})

it.effect("a number whose leftovers are still on a storage is not given away again", () =>
  Effect.gen(function*() {
    const sim = yield* PveSim
    const agent = yield* boot()
    // Somebody has restored guest 111, and destroyed it with its backups kept.
    yield* sim.change({ _tag: "archive.copy", from: golden, to: golden.replaceAll("900", "111") })
    expect(yield* agent.make(stepFor("golden"))).toMatchObject({ ref: { type: "lxc", vmid: 112 } })
  }).pipe(Effect.provide(onHost())))
