import { describe, it } from "@effect/vitest"
import { StorageId, Vmid, Volid } from "@felhom/domain/ProxmoxId"
import type { ConsoleChange } from "@felhom/pve-sim/ConsoleChange"
import { PveSim } from "@felhom/pve-sim/PveSim"
import type { MakeStep } from "@felhom/reconciler/make/MakeOrder"
import { checkMaking, makeGuest } from "@felhom/reconciler/make/Making"
import { agentPrivileges } from "@felhom/reconciler/Rights"
import { Effect, Either, Fiber, TestClock } from "effect"
import { expect } from "vitest"
import { makeModel } from "../../../durable/test/ModelFileSystem.ts"
import { stuckFrom } from "../op/StuckDisk.ts"
import {
  anyImage,
  boot,
  golden,
  goldenConfig,
  key,
  machine,
  machineConfig,
  machineStep,
  onHost,
  passing,
  policy,
  stepFor,
  worldWith,
  writes
} from "./MakeHost.ts"

const ref = { type: "qemu", vmid: Vmid.make(111) } as const

const change = (what: ConsoleChange) => Effect.flatMap(PveSim, (sim) => Effect.orDie(sim.change(what)))

type Agent = Effect.Effect.Success<ReturnType<typeof boot>>

const isThere = (agent: Agent) => Effect.map(Effect.either(agent.client.guestConfig(ref)), Either.isRight)

const isMaking = ({ method, path }: { readonly method: string; readonly path: string }): boolean =>
  method === "POST" && path.endsWith("/qemu")

/** Root does something just before the call that makes the machine arrives. */
const before = (what: ConsoleChange) =>
  Effect.gen(function*() {
    const sim = yield* PveSim
    let done = false
    return yield* boot({
      handle: (handle) => (request) => {
        if (done || !isMaking(request)) return handle(request)
        done = true
        return Effect.zipRight(Effect.orDie(sim.change(what)), handle(request))
      }
    })
  })

const volumesLeft = (agent: Agent, storage = "ctstore") =>
  Effect.map(
    agent.client.storageContent(StorageId.make(storage), { vmid: ref.vmid }),
    ({ rows }) => rows.map(({ volid }) => volid)
  )

const withMachine = (config: string) => ({ world: worldWith(goldenConfig, (world) => world, config) })

describe("a virtual machine made from an archive", () => {
  it.effect("has a free number, what was wished, addresses and an identity of its own, and runs", () =>
    Effect.gen(function*() {
      const agent = yield* boot()
      const end = yield* agent.make(machineStep({
        name: "shop",
        memory: 128,
        cores: 2,
        onboot: true,
        tags: ["b", "a"],
        description: "two\nlines \n",
        cpuunits: 200,
        nets: { net0: { bridge: "vmbr0", tag: 20 } }
      }))
      expect(end).toMatchObject({ end: "finished", detail: "made as VM 111 and seen running", ref })
      const config = yield* agent.client.guestConfig(ref)
      expect(config).toMatchObject({
        name: "shop",
        memory: "128",
        cores: 2,
        onboot: 1,
        tags: "a;b",
        description: "two\nlines",
        agent: "1",
        scsi0: "ctstore:111/vm-111-disk-0.raw,discard=on,size=1G",
        ide2: "none,media=cdrom"
      })
      expect(config).not.toHaveProperty("lock")
      // The model is that of the image, whose driver the machine has.
      expect(config["net0"]).toMatch(/^virtio=BC:24:11:(?!00:00:02)[0-9A-F:]{8},bridge=vmbr0,tag=20$/)
      expect(config["smbios1"]).toMatch(/^uuid=(?!1741368e)[0-9a-f-]{36}$/)
      expect(yield* writes).toEqual(["POST /qemu", "POST /qemu/111/status/start"])
      expect(yield* agent.record).toMatchObject({ key, guest: ref, stage: "proven" })
    }).pipe(Effect.provide(onHost())))

  it.effect("gets its image's cards, with other addresses, where none is wished for", () =>
    Effect.gen(function*() {
      const agent = yield* boot()
      yield* agent.make(machineStep())
      expect((yield* agent.client.guestConfig(ref))["net0"])
        .toMatch(/^virtio=BC:24:11:(?!00:00:02)[0-9A-F:]{8},bridge=vmbr0,firewall=1$/)
    }).pipe(Effect.provide(onHost())))

  it.effect("keeps its image's protection, which does not stand in the way of its making", () =>
    Effect.gen(function*() {
      const agent = yield* boot()
      expect((yield* agent.make(machineStep())).end).toBe("finished")
      expect(yield* agent.client.guestConfig(ref)).toMatchObject({ protection: 1 })
      expect((yield* writes).at(-1)).toMatch(/\/qemu\/111\/config$/)
    }).pipe(Effect.provide(onHost(withMachine(`${machineConfig}protection: 1\n`)))))

  it.effect("is asked to shut down again where it is not to run, and is made once", () =>
    Effect.gen(function*() {
      const agent = yield* boot()
      expect(yield* agent.make(machineStep(), false)).toMatchObject({ end: "finished" })
      expect((yield* agent.client.guestStatus(ref)).status).toBe("stopped")
      expect(yield* agent.make(machineStep(), false)).toMatchObject({ detail: "it was made before, as VM 111" })
      expect((yield* writes).filter((one) => one === "POST /qemu")).toHaveLength(1)
    }).pipe(Effect.provide(onHost())))

  it.effect("made anew from the backup of a machine of this host is another one, and both run", () =>
    Effect.gen(function*() {
      const agent = yield* boot()
      yield* passing(Effect.gen(function*() {
        yield* agent.client.backUp(
          { type: "qemu", vmid: Vmid.make(200) },
          { storage: StorageId.make("local"), mode: "stop", compress: "zstd" }
        )
        yield* Effect.sleep("1 minute")
      }))
      const { rows } = yield* agent.client.storageContent(StorageId.make("local"), {
        content: "backup",
        vmid: Vmid.make(200)
      })
      const [archive] = rows
      const step = machineStep({ name: "second" })
      const made = yield* agent.make({ ...step, action: { ...step.action, archive: Volid.make(archive?.volid ?? "") } })
      expect(made).toMatchObject({ end: "finished", ref })
      const [first, second] = [
        yield* agent.client.guestConfig({ type: "qemu", vmid: Vmid.make(200) }),
        yield* agent.client.guestConfig(ref)
      ]
      for (const name of ["net0", "scsi0", "smbios1", "name"]) expect(second[name]).not.toBe(first[name])
      expect([second["memory"], second["boot"]]).toEqual([first["memory"], first["boot"]])
    }).pipe(Effect.provide(onHost())))
})

const refusedFor = (config: string, why: string, step: MakeStep = machineStep()) =>
  Effect.gen(function*() {
    const agent = yield* boot()
    expect(yield* passing(agent.run(checkMaking(step, { policy, image: anyImage })))).toContain(why)
    expect(yield* agent.make(step)).toMatchObject({ end: "failed", ref: null })
    expect(yield* writes).toEqual([])
    expect(yield* agent.record).toBeUndefined()
  }).pipe(Effect.provide(onHost(withMachine(config))))

describe("a machine's archive is looked at before anything is made from it, and refused", () => {
  const hint = "#qmdump#map:scsi0:drive-scsi0:local-lvm:raw:\n"
  const cases: ReadonlyArray<readonly [what: string, config: string, why: string]> = [
    [
      "with a hook script",
      `${machineConfig}hookscript: local:snippets/x.sh\n`,
      "a hook script, which would run as root"
    ],
    ["with arguments for qemu", `${machineConfig}args: -device x\n`, "arguments for qemu itself"],
    ["with root's settings", `${machineConfig}affinity: 0-3\n`, "a setting that only root can make (affinity)"],
    ["with a passed PCI device", `${machineConfig}hostpci0: 0000:01:00.0\n`, "a device of its host (hostpci0)"],
    ["with a passed USB device", `${machineConfig}usb0: host=1234:5678\n`, "a device of its host (usb0)"],
    ["with a serial device", `${machineConfig}serial0: /dev/ttyS0\n`, "a device of its host (serial0)"],
    ["with the host's hardware random numbers", `${machineConfig}rng0: source=/dev/hwrng\n`, "its host (rng0)"],
    ["with cloud-init files", `${machineConfig}cicustom: user=local:snippets/x\n`, "cloud-init files of its host"],
    ["with a fixed cloud-init address", `${machineConfig}ipconfig0: ip=10.0.0.5/24\n`, "fixed address (10.0.0.5/24)"],
    ["of a template", `${machineConfig}template: 1\n`, "it is a template's"],
    ["of a locked machine", `${machineConfig}lock: backup\n`, "it was taken of a locked guest"],
    ["with a key of another release", `${machineConfig}newkey: 1\n`, "a key that this version does not know (newkey)"],
    ["that says a thing twice", `${machineConfig}scsi0: local:999/vm-999-disk-0.raw,size=1G\n`, "it says scsi0 twice"],
    [
      "with another guest's disk",
      `${machineConfig}scsi1: local:101/vm-101-disk-0.raw,size=1G\n`,
      "the data of its drive scsi1 are not in it"
    ],
    [
      "with the host's disk",
      `${machineConfig}virtio0: /dev/sda,size=1G\n`,
      "the data of its drive virtio0 are not in it"
    ],
    [
      "with the host's CD drive",
      `${machineConfig}ide3: cdrom,media=cdrom\n`,
      "its drive ide3 is one of its host (cdrom)"
    ],
    [
      "with a file of the host's as a CD",
      `${machineConfig}ide3: /etc/shadow,media=cdrom\n`,
      "its drive ide3 is one of its host (/etc/shadow)"
    ],
    [
      "that leaves a disk out",
      `${machineConfig}scsi1: local-lvm:vm-901-disk-1,backup=0,size=1G\n`,
      "its disk scsi1 was left out of the archive"
    ],
    [
      "with a disk of no size",
      machineConfig.replace(",size=1G", ""),
      "it does not say how large its disk scsi0 is"
    ],
    [
      "without a disk",
      machineConfig.replace(/^scsi0.*\n/m, "").replace(hint, ""),
      "no archive of a virtual machine with a disk"
    ],
    [
      "with data of a disk that is none",
      machineConfig.replace(/^scsi0.*\n/m, "sata0: none,media=cdrom\n"),
      "with a disk"
    ],
    [
      "with data of more disks than it had",
      `${machineConfig}#qmdump#map:scsi7:drive-scsi7:local:raw:\n`,
      "data of a disk that its machine did not have (scsi7)"
    ],
    [
      "with changes that would hold from the first start on",
      `${machineConfig}\n[PENDING]\nargs: -device x\n`,
      "it has a section that no backup leaves in it ([PENDING])"
    ],
    ["that can't be read", `${machineConfig}what is this\n`, "its configuration can't be read"],
    ["of a container", goldenConfig, "it has a key that this version does not know"],
    [
      "with a card that can't be read",
      machineConfig.replace(/^net0.*$/m, "net0: bridge=vmbr0"),
      "a card of it can't be read"
    ],
    ["on a bridge that is not allowed", machineConfig.replace("bridge=vmbr0", "bridge=vmbr1"), "would be on vmbr1"],
    ["larger than there is room", machineConfig.replace("size=1G", "size=100G"), "its disks may take 100.0 GiB"]
  ]
  for (const [what, config, why] of cases) it.effect(what, () => refusedFor(config, why))

  it.effect("that is a container's, or a container's that is a machine's", () =>
    Effect.gen(function*() {
      const ofContainer = machineStep()
      yield* refusedFor(machineConfig, "nothing is made from", {
        ...ofContainer,
        action: { ...ofContainer.action, archive: golden }
      })
      const ofMachine = stepFor("golden")
      yield* refusedFor(machineConfig, "nothing is made from", {
        ...ofMachine,
        action: { ...ofMachine.action, archive: machine }
      })
      const template = Volid.make("local:vztmpl/felhom-tiny_1.0-1_amd64.tar.gz")
      yield* refusedFor(machineConfig, "no virtual machine's archive", {
        ...ofContainer,
        action: { ...ofContainer.action, archive: template }
      })
    }))

  it.effect("that is not there", () =>
    refusedFor(machineConfig, "vzdump-qemu-901-x", stepFor("lostmachine", {}, "qemu")))
})

it.effect("harmless drives, devices and cloud-init come along", () =>
  Effect.gen(function*() {
    const agent = yield* boot()
    expect(yield* agent.make(machineStep())).toMatchObject({ end: "finished" })
    expect(yield* agent.client.guestConfig(ref)).toMatchObject({
      ide0: "ctstore:111/vm-111-cloudinit.qcow2,media=cdrom",
      serial0: "socket",
      rng0: "source=/dev/urandom",
      usb0: "spice",
      ipconfig0: "ip=dhcp,ip6=auto",
      // They are made in the order of their keys.
      efidisk0: "ctstore:111/vm-111-disk-0.qcow2,efitype=4m,size=528K",
      scsi0: "ctstore:111/vm-111-disk-1.raw,discard=on,size=1G"
    })
  }).pipe(Effect.provide(onHost(withMachine(
    `${machineConfig}ide0: local:901/vm-901-cloudinit.qcow2,media=cdrom\nserial0: socket\nrng0: source=/dev/urandom\n` +
      "usb0: spice\nipconfig0: ip=dhcp,ip6=auto\nefidisk0: local:901/vm-901-disk-1.qcow2,efitype=4m,size=528K\n" +
      "#qmdump#map:efidisk0:drive-efidisk0:local:qcow2:\n"
  )))))

describe("a storage for virtual machines", () => {
  const cases: ReadonlyArray<readonly [what: string, change: ConsoleChange, why: string]> = [
    [
      "that takes none",
      { _tag: "storage.set", storage: "ctstore", config: { content: "rootdir" } },
      "the storage ctstore takes no virtual machines"
    ],
    [
      "that can't be reached",
      { _tag: "storage.mounted", path: "/mnt/ctstore", mounted: false },
      "the storage ctstore can't be reached"
    ],
    ["without room", { _tag: "storage.avail", storage: "ctstore", bytes: 2 ** 29 }, "ctstore has 0.5 GiB left"]
  ]
  for (const [what, done, why] of cases) {
    it.effect(`${what} is found out before anything is asked for`, () =>
      Effect.gen(function*() {
        const agent = yield* boot()
        yield* change(done)
        const end = yield* agent.make(machineStep())
        expect(end.end).toBe("failed")
        expect(end.detail).toContain(why)
        expect(yield* writes).toEqual([])
      }).pipe(Effect.provide(onHost())))
  }

  it.effect("that runs full meanwhile fails the restore, and what Proxmox leaves of it is removed again", () =>
    Effect.gen(function*() {
      const agent = yield* before({ _tag: "storage.avail", storage: "ctstore", bytes: 0 })
      const end = yield* agent.make(machineStep())
      expect(end).toMatchObject({ end: "failed", ref: null })
      expect(end.detail).toMatch(/failed: exit code 133; it was never started, and is removed again$/)
      expect(yield* writes).toEqual(["POST /qemu", "DELETE /qemu/111"])
      expect(yield* isThere(agent)).toBe(false)
      expect(yield* agent.record).toBeUndefined()
    }).pipe(Effect.provide(onHost())))
})

describe("an archive that", () => {
  it.effect("breaks off leaves nothing, and its key is free", () =>
    Effect.gen(function*() {
      const agent = yield* before({ _tag: "archive.damage", volid: machine, damage: "truncated" })
      expect(yield* agent.make(machineStep())).toMatchObject({ end: "failed", ref: null })
      expect(yield* isThere(agent)).toBe(false)
      expect(yield* volumesLeft(agent)).toEqual([])
      expect(yield* agent.record).toBeUndefined()
    }).pipe(Effect.provide(onHost())))

  it.effect("vanishes before the call is refused by it, and leaves nothing", () =>
    Effect.gen(function*() {
      const agent = yield* before({ _tag: "file.remove", path: machine })
      const end = yield* agent.make(machineStep())
      expect(end).toMatchObject({ end: "failed", ref: null })
      expect(end.detail).toContain(`volume '${machine}' does not exist`)
      expect(yield* agent.record).toBeUndefined()
    }).pipe(Effect.provide(onHost())))
})

describe("a number", () => {
  it.effect("that somebody takes in between is left to them, and another one is chosen", () =>
    Effect.gen(function*() {
      const agent = yield* before({
        _tag: "guest.create",
        vmid: 111,
        type: "lxc",
        config: { hostname: "theirs", storage: "ctstore" }
      })
      expect(yield* agent.make(machineStep())).toMatchObject({ end: "finished", ref: { type: "qemu", vmid: 112 } })
      expect(yield* agent.client.guestConfig({ type: "lxc", vmid: ref.vmid })).toMatchObject({ hostname: "theirs" })
    }).pipe(Effect.provide(onHost())))

  it.effect("that has left a volume on any storage is not used, since a restore would take that for its own", () =>
    Effect.gen(function*() {
      yield* change({ _tag: "guest.create", vmid: 111, type: "lxc", config: { storage: "ctstore" } })
      yield* change({ _tag: "guest.file", vmid: 111, type: "lxc", text: "hostname: emptied\n", append: false })
      yield* change({ _tag: "guest.destroy", vmid: 111 })
      const agent = yield* boot()
      expect(yield* agent.make(machineStep({ storage: "local" }))).toMatchObject({ ref: { vmid: 112 } })
    }).pipe(Effect.provide(onHost())))
})

it.effect("a machine that took a former one's volume for its own is left as it is, and told of", () =>
  Effect.gen(function*() {
    const sim = yield* PveSim
    const agent = yield* boot({
      handle: (handle) => (request) =>
        request.method === "GET" && request.path.endsWith("/qemu/111/config")
          ? Effect.zipRight(
            Effect.orDie(sim.change({
              _tag: "guest.file",
              vmid: 111,
              type: "qemu",
              text: "unused0: ctstore:111/vm-111-disk-7.raw\nargs: -x\n",
              append: true
            })),
            handle(request)
          )
          : handle(request)
    })
    const end = yield* agent.make(machineStep())
    expect(end).toMatchObject({ end: "failed", ref })
    expect(end.detail).toContain("it has args, which reaches beyond it; VM 111 is left as it is")
    expect(end.detail).toContain("it has a volume that it did not come with (unused0)")
    expect(end.detail).toContain("felhom op guest.destroy --host demo-felhom --guest qemu/111 --reason 'WHY'")
    expect(yield* writes).toEqual(["POST /qemu"])
  }).pipe(Effect.provide(onHost())))

describe("a restore whose worker is killed", () => {
  const killed = (after: "20 millis" | "100 millis") =>
    Effect.gen(function*() {
      const agent = yield* boot()
      const fiber = yield* Effect.fork(agent.run(makeGuest(machineStep(), { policy, start: true, image: anyImage })))
      yield* Effect.repeat(TestClock.adjust("10 millis"), {
        until: () => Effect.map(agent.record, (record) => record?.stage === "called")
      })
      yield* TestClock.adjust(after)
      const record = yield* agent.record
      yield* change({ _tag: "task.kill", upid: record?.upid ?? "" })
      return { agent, end: yield* passing(Fiber.join(fiber)) }
    })

  it.effect("leaves a machine without disks, which is removed again, and volumes, which are told with the line for them", () =>
    Effect.gen(function*() {
      const { agent, end } = yield* killed("100 millis")
      expect(end).toMatchObject({ end: "failed", ref: null })
      expect(end.detail).toBe(
        "it has no disk; it was never started, and is removed again; ctstore:111/vm-111-disk-0.raw of it stayed behind: " +
          "felhom op volume.delete --host demo-felhom --volid ctstore:111/vm-111-disk-0.raw --size 1073741824 " +
          "--accept-no-proven-backup --reason 'WHY'"
      )
      expect(yield* isThere(agent)).toBe(false)
      // Its number is not used again while anything of it is there.
      expect(yield* agent.make(machineStep())).toMatchObject({ end: "finished", ref: { vmid: 112 } })
    }).pipe(Effect.provide(onHost())))

  it.effect("before its disks are made stays locked, and what root can do is told", () =>
    Effect.gen(function*() {
      const { agent, end } = yield* killed("20 millis")
      expect(end).toMatchObject({ end: "unknown", ref })
      expect(end.detail).toContain("root does on the host: qm unlock 111 && qm destroy 111")
      expect(yield* isThere(agent)).toBe(true)
      expect((yield* agent.make(machineStep())).end).toBe("unknown")
      expect((yield* writes).filter((one) => one === "POST /qemu")).toHaveLength(1)
    }).pipe(Effect.provide(onHost())))
})

it.effect("a lock that stays is told, and nothing is done to what it holds", () =>
  Effect.gen(function*() {
    const sim = yield* PveSim
    const agent = yield* boot({
      handle: (handle) => (request) =>
        request.method === "GET" && request.path.endsWith("/qemu/111/config")
          ? Effect.zipRight(
            Effect.orDie(
              sim.change({ _tag: "guest.file", vmid: 111, type: "qemu", text: "lock: backup\n", append: true })
            ),
            handle(request)
          )
          : handle(request)
    })
    expect(yield* agent.make(machineStep())).toMatchObject({
      end: "unknown",
      detail: "VM 111 stays locked (backup)",
      ref
    })
    expect(yield* writes).toEqual(["POST /qemu"])
  }).pipe(Effect.provide(onHost())))

const without = (privilege: string) => ({
  roles: { FelhomAgent: agentPrivileges.filter((one) => one !== privilege) }
})

describe("without the right to", () => {
  for (const privilege of ["VM.Allocate", "Datastore.AllocateSpace", "SDN.Use", "VM.Config.Network"]) {
    it.effect(`${privilege} it is refused, and nothing of it is kept`, () =>
      Effect.gen(function*() {
        const agent = yield* boot()
        const end = yield* agent.make(machineStep())
        expect(end).toMatchObject({ end: "failed", ref: null })
        expect(end.detail).toContain("it was not begun: ")
        expect(yield* isThere(agent)).toBe(false)
        expect(yield* agent.record).toBeUndefined()
      }).pipe(Effect.provide(onHost(without(privilege)))))
  }
})

/** Longer than it takes to make a machine and to see it running. */
const longEnough = Effect.repeatN(TestClock.adjust("1 second"), 20)

const fresh = (agent: Agent) =>
  Effect.map(
    passing(agent.client.guests("qemu")),
    ({ rows }) => rows.map(({ status, vmid }) => ({ status, vmid })).filter(({ vmid }) => vmid !== 200)
  )

describe("a crash", () => {
  it.effect("at any step of the disk leads to one machine, made and proven", () =>
    Effect.gen(function*() {
      const steps = yield* Effect.gen(function*() {
        const agent = yield* boot()
        expect((yield* agent.make(machineStep())).end).toBe("finished")
        return agent.model.steps()
      }).pipe(Effect.provide(onHost()))
      expect(steps).toBeGreaterThan(5)
      for (let step = 0; step < steps; step += 1) {
        yield* Effect.gen(function*() {
          const model = makeModel()
          const cut = yield* boot({ model, files: stuckFrom(model, step) })
          yield* Effect.forkDaemon(cut.run(makeGuest(machineStep(), { policy, start: true, image: anyImage })))
          yield* longEnough
          yield* cut.kill
          const agent = yield* boot({ disk: model.present() })
          const end = yield* agent.make(machineStep())
          expect([step, end.end, end.ref?.vmid]).toEqual([step, "finished", 111])
          expect(yield* fresh(agent)).toEqual([{ vmid: 111, status: "running" }])
          expect((yield* writes).filter((one) => one === "POST /qemu")).toHaveLength(1)
          yield* agent.kill
        }).pipe(Effect.provide(onHost()))
      }
    }), 120_000)

  it.effect(
    "at any step while what failed is removed leaves none that the record does not name",
    () =>
      Effect.gen(function*() {
        const spoilt = (model = makeModel(), step = Number.POSITIVE_INFINITY) =>
          Effect.gen(function*() {
            const sim = yield* PveSim
            return yield* boot({
              model,
              files: stuckFrom(model, step),
              handle: (handle) => (request) =>
                isMaking(request)
                  ? Effect.zipRight(
                    Effect.orDie(sim.change({ _tag: "archive.damage", volid: machine, damage: "truncated" })),
                    handle(request)
                  )
                  : handle(request)
            })
          })
        const steps = yield* Effect.gen(function*() {
          const agent = yield* spoilt()
          expect((yield* agent.make(machineStep())).end).toBe("failed")
          return agent.model.steps()
        }).pipe(Effect.provide(onHost()))
        for (let step = 0; step < steps; step += 1) {
          yield* Effect.gen(function*() {
            const model = makeModel()
            const cut = yield* spoilt(model, step)
            yield* Effect.forkDaemon(cut.run(makeGuest(machineStep(), { policy, start: true, image: anyImage })))
            yield* longEnough
            yield* cut.kill
            const agent = yield* boot({ disk: model.present() })
            yield* agent.resume()
            const left = yield* fresh(agent)
            const record = yield* agent.record
            if (left.length > 0) expect(record?.guest.vmid).toBe(left[0]?.vmid)
            expect((yield* writes).filter((one) => one.endsWith("/status/start"))).toEqual([])
            yield* agent.kill
          }).pipe(Effect.provide(onHost()))
        }
      }),
    120_000
  )

  for (const carriedOut of [true, false]) {
    it.effect(
      `while the call is on its way ${
        carriedOut ? "finds its task, and follows that" : "finds nothing begun, and begins"
      }`,
      () =>
        Effect.gen(function*() {
          const cut = yield* boot({
            handle: (handle) => (request) =>
              request.method === "GET"
                ? handle(request)
                : Effect.zipRight(carriedOut ? handle(request) : Effect.void, Effect.never)
          })
          const fiber = yield* Effect.forkDaemon(
            cut.run(makeGuest(machineStep(), { policy, start: true, image: anyImage }))
          )
          yield* longEnough
          yield* Fiber.interrupt(fiber)
          yield* cut.kill
          const agent = yield* boot({ disk: cut.model.present() })
          expect(yield* agent.make(machineStep())).toMatchObject({ end: "finished", ref })
          expect((yield* writes).filter((one) => one === "POST /qemu")).toHaveLength(1)
        }).pipe(Effect.provide(onHost()))
    )
  }
})
