import type { DesiredGuest } from "@felhom/domain/DesiredGuest"
import { type GuestType, NodeName, TokenId, Volid } from "@felhom/domain/ProxmoxId"
import * as OpJournal from "@felhom/durable/OpJournal"
import { Mandate } from "@felhom/mandate/Mandate"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import * as ProxmoxClient from "@felhom/proxmox/ProxmoxClient"
import { ProxmoxConfig } from "@felhom/proxmox/ProxmoxConfig"
import * as TaskWaiter from "@felhom/proxmox/TaskWaiter"
import * as InProcessFront from "@felhom/pve-sim/InProcessFront"
import { PveSim, type PveSimOptions } from "@felhom/pve-sim/PveSim"
import { decodeWorld, type World } from "@felhom/pve-sim/World"
import type { MakeStep } from "@felhom/reconciler/make/MakeOrder"
import { makeGuest, resumeMake } from "@felhom/reconciler/make/Making"
import { planMaking } from "@felhom/reconciler/plan/MakeGuest"
import { agentPrivileges } from "@felhom/reconciler/Rights"
import { Effect, Exit, Fiber, Layer, Option, Redacted, Scope, TestClock } from "effect"
import { type Disk, makeModel, type Model } from "../../../durable/test/ModelFileSystem.ts"
import recordedWorld from "../../../pve-sim/fixtures/scenario/world.json" with { type: "json" }
import { keyNumber, policyOf, wishOf } from "../plan/ModelHost.ts"

const secret = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
const tokenId = TokenId.make("felhom-agent@pve!agent")

export const golden = Volid.make("local:backup/vzdump-lxc-900-2026_01_01-00_00_00.tar.zst")
export const template = Volid.make("local:vztmpl/felhom-tiny_1.0-1_amd64.tar.gz")

/** The golden image's configuration, as its archive has it. */
export const goldenConfig = `#golden
arch: amd64
features: keyctl=1,nesting=1
hostname: golden
memory: 64
net0: name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:01,ip=dhcp,type=veth
ostype: unmanaged
rootfs: ctstore:900/vm-900-disk-0.raw,size=1G
swap: 0
unprivileged: 1
`

export const machine = Volid.make("local:backup/vzdump-qemu-901-2026_01_01-00_00_00.vma.zst")

/** A golden virtual machine's configuration, as its archive has it. */
export const machineConfig = `#golden machine
agent: 1
boot: order=scsi0;net0
cores: 1
ide2: none,media=cdrom
memory: 256
meta: creation-qemu=10.1.2,ctime=1795305067
name: golden-vm
net0: virtio=BC:24:11:00:00:02,bridge=vmbr0,firewall=1
ostype: l26
scsi0: local-lvm:vm-901-disk-0,discard=on,size=1G
scsihw: virtio-scsi-single
smbios1: uuid=1741368e-c387-42cc-8971-e25211e7e768
vmgenid: c9f22ee7-87f7-4583-924b-20d5c6083a6f
#qmdump#map:scsi0:drive-scsi0:local-lvm:raw:
`

/** The recorded host with golden images on it. */
export const worldWith = (
  config: string,
  change: (world: World) => World = (world) => world,
  ofMachine = machineConfig
): World =>
  Effect.runSync(
    Effect.orDie(decodeWorld(recordedWorld, "the recorded world")).pipe(
      Effect.map((world) =>
        change({
          ...world,
          storage_content: {
            ...world.storage_content,
            local: [
              ...(Array.isArray(world.storage_content["local"]) ? world.storage_content["local"] : []),
              {
                volid: golden,
                content: "backup",
                format: "tar.zst",
                size: 900_000,
                ctime: 1_795_000_000,
                vmid: 900,
                subtype: "lxc",
                archive_config: config
              },
              {
                volid: machine,
                content: "backup",
                format: "vma.zst",
                size: 900_000,
                ctime: 1_795_000_000,
                vmid: 901,
                subtype: "qemu",
                archive_config: ofMachine
              }
            ]
          }
        })
      )
    )
  )

const usualWorld = worldWith(goldenConfig)

/** For guests whose image is not what the test is about. */
const nothing: string | undefined = undefined
export const anyImage = () => Effect.succeed(nothing)

export const policy = policyOf({
  bridges: ["vmbr0"],
  storages: ["ctstore", "local", "thin"],
  images: {
    golden,
    tiny: template,
    gone: "local:vztmpl/gone.tar.gz",
    lost: "local:backup/vzdump-lxc-900-x.tar.zst",
    machine,
    lostmachine: "local:backup/vzdump-qemu-901-x.vma.zst"
  },
  scratch: { from: 100, to: 110 }
})

export const key = keyNumber(1)

const none = { hwaddrs: [], volumes: [], smbiosUuid: null, key }

/** The step that the planner makes of a wish for a new guest. */
export const stepFor = (
  image: keyof typeof policy.images,
  wish: Partial<Omit<DesiredGuest, "guest" | "make">> & { readonly storage?: string } = {},
  type: GuestType = "lxc"
): MakeStep => {
  const { storage = "ctstore", ...settings } = wish
  const { steps } = planMaking(
    wishOf({ guest: { type, identity: none }, make: { image, storage }, ...settings }),
    policy,
    {
      node: NodeName.make("demo-felhom"),
      correction: policy.correction,
      sharedNames: new Set(),
      images: new Map(Object.values(policy.images).map((volid) => [volid, 1_000_000]))
    }
  )
  const step = steps.find((one) => one.class === "benign" && one.action.kind === "guest.make")
  if (step?.class !== "benign" || step.action.kind !== "guest.make") throw new Error(`no step: ${steps[0]?.reason}`)
  return { ...step, action: step.action }
}

/** The same for a virtual machine. */
export const machineStep = (wish: Parameters<typeof stepFor>[1] = {}): MakeStep => stepFor("machine", wish, "qemu")

type Handle = (typeof PveSim.Service)["handle"]

/** An agent's journal and its way to Proxmox, on a disk. */
export const boot = (
  { disk = new Map(), handle, model = makeModel(disk), files }: {
    readonly disk?: Disk
    readonly model?: Model
    readonly files?: Model["layer"]
    /** What stands between the agent and the host. */
    readonly handle?: (sim: Handle) => Handle
  } = {}
) =>
  Effect.gen(function*() {
    const sim = yield* PveSim
    const config = Layer.succeed(ProxmoxConfig, {
      url: new URL("https://demo.example:8006"),
      node: NodeName.make(sim.node),
      tokenId,
      secret: Redacted.make(secret)
    })
    const host = Layer.succeed(PveSim, { ...sim, handle: handle?.(sim.handle) ?? sim.handle })
    const layer = TaskWaiter.layer.pipe(
      Layer.provideMerge(ProxmoxClient.layer),
      Layer.provide(Layer.merge(Layer.provide(InProcessFront.layer, host), config)),
      Layer.merge(OpJournal.layer("/state")),
      Layer.provide([Mandate.mintLayer, NodeCrypto.layer, files ?? model.layer])
    )
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(layer, scope)
    const run = <A, E>(effect: Effect.Effect<A, E, Layer.Layer.Success<typeof layer>>): Effect.Effect<A, E> =>
      Effect.provide(effect, context)
    return {
      model,
      run,
      client: yield* run(ProxmoxClient.ProxmoxClient),
      /** As at a stop or a crash: nothing more is done. */
      kill: Scope.close(scope, Exit.void),
      make: (step: MakeStep, start = true) => passing(run(makeGuest(step, { policy, start, image: anyImage }))),
      resume: (start = true) => passing(run(resumeMake(key, { start }))),
      record: run(
        Effect.flatMap(
          OpJournal.OpJournal,
          ({ desired }) => Effect.map(desired.guests, (all) => all.find((one) => one.key === key))
        )
      ),
      journal: run(Effect.map(OpJournal.OpJournal, ({ desired }) => desired))
    }
  })

/** Lets the simulated host's time pass until it is done. */
export const passing = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(effect)
    yield* Effect.repeat(TestClock.adjust("5 seconds"), {
      until: () => Effect.map(Fiber.poll(fiber), Option.isSome),
      times: 1000
    })
    return yield* Fiber.join(fiber)
  })

export const onHost = (options: PveSimOptions = {}) =>
  PveSim.layer({
    secrets: { [tokenId]: secret },
    roles: { FelhomAgent: agentPrivileges },
    world: usualWorld,
    ...options
  }).pipe(Layer.provideMerge(Layer.effectDiscard(TestClock.setTime(1_800_000_000_000))))

/** Every request that could change anything. */
export const writes = Effect.map(
  Effect.flatMap(PveSim, ({ requests }) => requests),
  (all) =>
    all.filter(({ method }) => method !== "GET").flatMap(({ count, method, path }) =>
      Array.from({ length: count }, () => `${method} ${path.replace("/api2/json/nodes/demo-felhom", "")}`)
    )
)
