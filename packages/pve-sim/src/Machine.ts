import { Clock, Duration, Effect, Random, type Scope } from "effect"
import recordedHost from "../fixtures/host.json" with { type: "json" }
import { AccessControl } from "./AccessControl.ts"
import { type ApiFailure, noGuestConfig } from "./ApiFailure.ts"
import type { CertificateInfo } from "./CertificateInfo.ts"
import type { FaultRule } from "./Fault.ts"
import { FaultPlan } from "./FaultPlan.ts"
import { FileLock } from "./FileLock.ts"
import { type Guest, makeGuest } from "./Guest.ts"
import type { RequestCount } from "./SimWire.ts"
import { loadStorages, type StorageState } from "./StorageState.ts"
import { TaskTable } from "./TaskTable.ts"
import { loadThinPools, type ThinPool } from "./ThinPools.ts"
import { loadContent, type Volume } from "./Volume.ts"
import type { World } from "./World.ts"

/** Another node of the cluster. It shares /etc/pve, so users, roles and ACL, and has guests, tasks and storages of its own. */
export interface Peer {
  readonly name: string
  readonly ip: string
  online: boolean
  readonly machine: Machine
}

/** Whether more than half of the cluster's nodes see each other: /etc/pve can be written only then. */
export const isQuorate = (machine: Machine): boolean =>
  1 + machine.peers.filter(({ online }) => online).length > (1 + machine.peers.length) / 2

/** The simulated host's whole state, as handlers and tasks see and change it. */
export interface Machine {
  readonly node: string
  readonly speed: number
  readonly world: World
  /** Hardware and figures that a world leaves open. */
  readonly host: typeof recordedHost
  /** Seconds since the epoch. */
  bootTime: number
  readonly access: AccessControl
  readonly tasks: TaskTable
  readonly guests: Map<number, Guest>
  readonly storages: Map<string, StorageState>
  /** By `VG/LV`. */
  readonly thinPools: Map<string, ThinPool>
  /** Held by the one vzdump that works; all others wait for it (platform-facts 6.3). */
  readonly vzdumpLock: FileLock
  /** What goes wrong on this host. */
  readonly faults: FaultPlan
  /** Where work goes on when nobody waits for it any more. */
  readonly scope: Scope.Scope
  /** What each storage holds, by storage id. */
  readonly content: Map<string, Array<Volume>>
  /** The cluster's other nodes; empty when there is no cluster. */
  peers: ReadonlyArray<Peer>
  /** Backup jobs, as `GET /cluster/backup` gives them. */
  backupJobs: ReadonlyArray<{ readonly [key: string]: unknown }>
  /** Services that are stopped. */
  readonly down: Set<"pvedaemon" | "pmxcfs">
  /** The firewall's options of guests, by id; none of one that never had any. */
  readonly firewalls: Map<number, ReadonlyMap<string, string>>
  /** Paths that root has mounted a file system on. */
  readonly mounts: Set<string>
  /** Other machines that answer this one. */
  readonly servers: Set<string>
  /** Disks that were plugged in since the start, as the API shows them. */
  readonly plugged: Map<string, { readonly [key: string]: string | number }>
  /** The certificates below /etc/pve, as the API tells them; the leaf that pveproxy serves is `pve-ssl.pem`. */
  certificates: ReadonlyArray<CertificateInfo>
  readonly countRequest: (method: string, path: string) => void
  readonly requestCounts: () => ReadonlyArray<RequestCount>
}

/** Simulated time: `duration` on a real host, shorter by the host's speed here. */
export const takeTime = (machine: Machine, duration: Duration.DurationInput): Effect.Effect<void> =>
  Effect.sleep(Duration.times(Duration.decode(duration), 1 / machine.speed))

export const nowSeconds: Effect.Effect<number> = Effect.map(Clock.currentTimeMillis, (now) => Math.floor(now / 1000))

/** The guest, or Proxmox's words for one that is not there or is of the other type. */
export const guestOf = (machine: Machine, type: "lxc" | "qemu", vmid: number): Effect.Effect<Guest, ApiFailure> =>
  Effect.suspend(() => {
    const guest = machine.guests.get(vmid)
    return guest === undefined || guest.type !== type
      ? Effect.fail(noGuestConfig(machine.node, type, vmid))
      : Effect.succeed(guest)
  })

const hexDigits = (count: number): Effect.Effect<string> =>
  Effect.map(
    Effect.replicateEffect(Random.nextIntBetween(0, 16), count),
    (digits) => digits.map((digit) => digit.toString(16)).join("")
  )

/** A random UUID, as a token's secret is one. */
export const randomUuid: Effect.Effect<string> = Effect.map(
  hexDigits(32),
  (hex) => `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`
)

/** A fresh address with the datacenter's prefix. */
export const freshHwaddr = (machine: Machine): Effect.Effect<string> =>
  Effect.map(
    hexDigits(6),
    (hex) => `${machine.host.macPrefix}:${(hex.match(/../g) ?? []).join(":").toUpperCase()}`
  )

export interface MachineOptions {
  readonly world: World
  readonly speed: number
  readonly secrets: { readonly [tokenId: string]: string }
  readonly roles: { readonly [roleid: string]: ReadonlyArray<string> }
  readonly faults: ReadonlyArray<FaultRule>
  readonly seed: number
}

/** Puts a host together from its world, and the other nodes of its cluster with it. Its tasks live in the scope. */
export const makeMachine = (options: MachineOptions): Effect.Effect<Machine, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { world } = options
    const machine = yield* makeNode(options)
    machine.peers = yield* Effect.forEach(world.peers, ({ ip, name, online }) =>
      Effect.map(
        makeNode({
          ...options,
          world: {
            ...world,
            node: name,
            node_ip: ip,
            peers: [],
            guests: [],
            // What is not shared is there under the same name on every node, and empty.
            storage_content: {},
            cluster_tasks_at_start: []
          },
          faults: []
        }),
        (peer): Peer => ({ name, ip, online, machine: { ...peer, access: machine.access } })
      ))
    const self: Peer = { name: world.node, ip: world.node_ip, online: true, machine }
    for (const peer of machine.peers) {
      peer.machine.peers = [self, ...machine.peers.filter((other) => other !== peer)]
    }
    return machine
  })

const makeNode = (options: MachineOptions): Effect.Effect<Machine, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { speed, world } = options
    const scope = yield* Effect.scope
    const faults = new FaultPlan(options.faults, options.seed)
    const now = yield* Clock.currentTimeMillis
    const made: { [tokenId: string]: string } = {}
    for (const { tokenid } of world.tokens) made[tokenid] = options.secrets[tokenid] ?? (yield* randomUuid)
    const access = new AccessControl(
      { ...world, roles: { ...world.roles, ...options.roles } },
      (tokenId) => made[tokenId] ?? ""
    )
    // A test's clock starts at 0, long before any world was taken; a host can't be up for longer than there is time.
    const bootTime = Math.max(0, Math.floor(now / 1000) - recordedHost.status.uptime)
    const tasks = yield* TaskTable.make({
      node: world.node,
      bootTime,
      speed,
      scope,
      faults,
      before: world.cluster_tasks_at_start
    })
    const guests = new Map(world.guests.map((given) => {
      const guest = makeGuest({ vmid: given.vmid, type: given.type, configFile: given.config_file, speed })
      guest.running = given.status === "running"
      if (guest.running) guest.pid = given.vmid + 1000
      if (given.lock !== null) guest.file.current.values.set("lock", given.lock)
      return [given.vmid, guest] as const
    }))
    const storages = loadStorages(world)
    const counts = new Map<string, { method: string; path: string; count: number }>()
    return {
      node: world.node,
      speed,
      world,
      host: recordedHost,
      bootTime,
      access,
      tasks,
      guests,
      storages,
      thinPools: loadThinPools(world, storages.values()),
      vzdumpLock: new FileLock("/var/run/vzdump.lock", speed),
      scope,
      faults,
      content: loadContent(world, guests),
      peers: [],
      backupJobs: world.backup_jobs,
      down: new Set(),
      firewalls: new Map(),
      mounts: new Set(),
      servers: new Set(),
      plugged: new Map(),
      certificates: recordedHost.certificates,
      countRequest: (method, path) => {
        const key = `${method} ${path}`
        const entry = counts.get(key) ?? { method, path, count: 0 }
        entry.count++
        counts.set(key, entry)
      },
      requestCounts: () => Array.from(counts.values(), (entry) => ({ ...entry }))
    }
  })
