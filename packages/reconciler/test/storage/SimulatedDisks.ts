import { HostPolicy } from "@felhom/authz/HostPolicy"
import { parsePolicy, type PolicyDocument, usualPolicy } from "@felhom/authz/PolicyDocument"
import { HostEpoch, HostId } from "@felhom/domain/HostId"
import { DurableFile, DurableFileError } from "@felhom/domain/port/DurableFile"
import { NodeName, TokenId } from "@felhom/domain/ProxmoxId"
import { EpochMillis } from "@felhom/domain/Time"
import { Hold } from "@felhom/durable/Hold"
import { type NewEvent, StateFile } from "@felhom/durable/StateFile"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import { Privileged } from "@felhom/privileged/Privileged"
import * as PrivilegedSocket from "@felhom/privileged/PrivilegedSocket"
import * as ProxmoxClient from "@felhom/proxmox/ProxmoxClient"
import { ProxmoxConfig } from "@felhom/proxmox/ProxmoxConfig"
import * as InProcessFront from "@felhom/pve-sim/InProcessFront"
import { PveSim } from "@felhom/pve-sim/PveSim"
import * as RootDisks from "@felhom/pve-sim/RootDisks"
import { agentPrivileges } from "@felhom/reconciler/Rights"
import * as HostStorageKeeper from "@felhom/reconciler/storage/HostStorageKeeper"
import { NoSecret } from "@felhom/reconciler/storage/NetworkStorages"
import { Effect, Either, Layer, Option, Redacted } from "effect"

const tokenId = TokenId.make("felhom-agent@pve!agent")
const secret = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"

/** What a test holds of the host: its disk, its policy, its secrets, whether it is held, and what was told. */
export class TestHost {
  readonly files = new Map<string, Uint8Array>()
  readonly events: Array<NewEvent> = []
  readonly secrets = new Map<string, string>()
  policy: PolicyDocument = usualPolicy
  isFull = false
  isHeld = false

  /** `storage` of the policy, as root would write it. */
  set storage(storage: object) {
    const bytes = new TextEncoder().encode(JSON.stringify({ typ: "felhom/policy/v1", storage }))
    this.policy = Either.getOrThrowWith(parsePolicy(bytes), (why) => new Error(why))
  }

  get told(): ReadonlyArray<string> {
    return this.events.map(({ kind, message }) => `${kind}: ${message}`)
  }

  readonly layer = Layer.mergeAll(
    Layer.succeed(DurableFile, {
      read: (path) => Effect.sync(() => Option.fromNullable(this.files.get(path))),
      replace: (path, content) =>
        Effect.suspend(() =>
          this.isFull
            ? new DurableFileError({ operation: "replace", path, code: "ENOSPC", detail: "no space left on device" })
            : Effect.sync(() => void this.files.set(path, content))
        )
    }),
    Layer.mock(StateFile, {
      host: { id: HostId.make("1".repeat(32)), epoch: HostEpoch.make("2".repeat(32)) },
      record: (events) => Effect.sync(() => void this.events.push(...events))
    }),
    Layer.mock(HostPolicy, {
      current: Effect.sync(() => ({ policy: this.policy, sha256: null, root: null, problem: Option.none() }))
    }),
    Layer.mock(Hold, {
      current: Effect.sync(() =>
        this.isHeld
          ? Option.some({ typ: "felhom/hold/v1" as const, since: EpochMillis.make(0), by: "root", reason: "moving" })
          : Option.none()
      )
    }),
    NodeCrypto.layer
  )

  readonly secretOf = (name: string) =>
    Effect.suspend(() => {
      const found = this.secrets.get(name)
      return found === undefined
        ? new NoSecret({ message: `the host has no secret ${name}` })
        : Effect.succeed(Redacted.make(found))
    })
}

/** The root side of the simulated host, over the same lines as its sockets carry. */
const rootSide = Layer.effect(
  Privileged,
  Effect.map(RootDisks.RootDisks, ({ mount, smart }) =>
    PrivilegedSocket.make({
      exchange: (verb, line) =>
        verb === "mount" ? mount(line) : verb === "smart" ? smart(line) : Effect.dieMessage(verb)
    }))
)

export interface SimulatedOptions {
  readonly nodes?: number
  /** Of the agent's role; left out: the 16 that it needs. */
  readonly privileges?: ReadonlyArray<string>
}

/** A simulated Proxmox VE host whose USB ports the test has in hand. */
export const simulated = (options: SimulatedOptions = {}) => {
  const sim = PveSim.layer({
    secrets: { [tokenId]: secret },
    roles: { FelhomAgent: options.privileges ?? agentPrivileges },
    nodes: options.nodes ?? 1
  })
  const config = Layer.effect(
    ProxmoxConfig,
    Effect.map(PveSim, ({ node }) => ({
      url: new URL("https://demo.example:8006"),
      node: NodeName.make(node),
      tokenId,
      secret: Redacted.make(secret)
    }))
  )
  return Layer.mergeAll(
    Layer.provide(ProxmoxClient.layer, Layer.merge(InProcessFront.layer, config)),
    rootSide
  ).pipe(Layer.provideMerge(RootDisks.layer), Layer.provideMerge(sim))
}

/** The keeper over that host, its ports, and what its console may do. */
export const keeping = (host: TestHost) =>
  Effect.gen(function*() {
    const keeper = yield* HostStorageKeeper.make("/state", host.secretOf)
    const { plug, pull } = yield* RootDisks.RootDisks
    const { change } = yield* PveSim
    const client = yield* ProxmoxClient.ProxmoxClient
    const storage = (id: string) =>
      Effect.map(client.storageConfig, ({ rows }) => rows.find((row) => row.storage === id))
    const status = (id: string) => Effect.map(client.storages, ({ rows }) => rows.find((row) => row.storage === id))
    const kept = Effect.map(keeper.now, ({ kept }) => kept)
    const set = Effect.map(kept, ({ sets }) => {
      const [first] = sets
      if (first === undefined) throw new Error("there is no set")
      return first
    })
    return { keeper, plug, pull, change, storage, status, kept, set }
  })

export const started = (host: TestHost, options: SimulatedOptions = {}) => Layer.merge(host.layer, simulated(options))

/** Two disks that take turns. */
export const uuids = {
  blue: "1741368e-c387-42cc-8971-e25211e7e768",
  red: "5a0c8b1e-7f4d-4e0a-9d7c-0f3b2a1c4d5e"
} as const

export const rotation = {
  disks: {
    backup: {
      storage: "usb-backup",
      disks: {
        blue: { uuid: uuids.blue, serial: "BLUE1", backAfterDays: 14 },
        red: { uuid: uuids.red, serial: "RED2", backAfterDays: 14 }
      }
    }
  }
}

const usual = { fstype: "ext4", label: null, size: 1_000_204_886_016, passed: true, celsius: 34 } as const
const noBad = { reallocated: 0, pending: 0, uncorrectable: 0 }

export const blue = { ...usual, bad: noBad, path: "/dev/sdb", serial: "BLUE1", uuid: uuids.blue }
export const red = { ...usual, bad: noBad, path: "/dev/sdc", serial: "RED2", uuid: uuids.red }
