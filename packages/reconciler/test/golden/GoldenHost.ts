import { GoldenName, goldenNamespace } from "@felhom/domain/GoldenManifest"
import { StorageId } from "@felhom/domain/ProxmoxId"
import { Sha256Hex } from "@felhom/domain/Sha256"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import { decodeWorld, type World } from "@felhom/pve-sim/World"
import type { ArchiveBytes } from "@felhom/reconciler/golden/ArchiveBytes"
import { GoldenBuilder } from "@felhom/reconciler/golden/GoldenBuilder"
import { GoldenOrder } from "@felhom/reconciler/golden/GoldenBuilds"
import { GoldenImages } from "@felhom/reconciler/golden/GoldenImages"
import { Effect, Schema } from "effect"
import recordedWorld from "../../../pve-sim/fixtures/scenario/world.json" with { type: "json" }
import { type Host, layerWith, type Running, sign } from "../op/SignedHost.ts"
import { passing, policy } from "../pursuit/PursuedHost.ts"

export const template = "local:vztmpl/felhom-debian-13_1.0-1_amd64.tar.zst"
export const foreignTemplate = "local:vztmpl/felhom-debian-13_1.0-1_arm64.tar.zst"
/** It does not say what it is for, as somebody has renamed it. */
export const renamedTemplate = "local:vztmpl/renamed.tar.zst"

const row = (volid: string, more: object = {}) => ({
  volid,
  content: "vztmpl",
  format: "tzst",
  size: 90_000_000,
  ctime: 1_795_000_000,
  ...more
})

/** The recorded host with templates whose containers power themselves off after their first boot. */
export const goldenWorld: World = Effect.runSync(
  Effect.orDie(Effect.map(decodeWorld(recordedWorld, "the recorded world"), (world) => ({
    ...world,
    storage_content: {
      ...world.storage_content,
      local: [
        ...(Array.isArray(world.storage_content["local"]) ? world.storage_content["local"] : []),
        row(template, { first_boot_seconds: 8 }),
        row(foreignTemplate, { first_boot_seconds: 8 }),
        row(renamedTemplate)
      ]
    }
  })))
)

export const onHost = layerWith({ world: goldenWorld })

export const name = GoldenName.make("debian-13")

export const orderFor = (change: object = {}): GoldenOrder =>
  Schema.decodeUnknownSync(GoldenOrder)({
    name,
    version: 1,
    template,
    storage: "ctstore",
    backupStorage: "local",
    rootGiB: 2,
    cores: 1,
    memoryMiB: 256,
    bridge: "vmbr0",
    firstBootMinutes: 5,
    ...change
  })

/** Archives as files of the host: of the size that Proxmox shows, and with this hash. */
export const filesOf = (host: Host, sha256 = "a".repeat(64)): typeof ArchiveBytes.Service => ({
  read: (path) =>
    Effect.gen(function*() {
      const client = yield* ProxmoxClient
      const { rows } = yield* client.storageContent(StorageId.make("local"), { content: "backup" })
      const found = rows.find(({ volid }) => path === `/var/lib/vz/dump/${volid.slice("local:backup/".length)}`)
      return found === undefined ? yield* Effect.fail(`${path} is not there`) : {
        sha256: Sha256Hex.make(sha256),
        size: found.size ?? 0
      }
    }).pipe(Effect.provide(host.proxmox), Effect.mapError(String))
})

export const builder = <A, E>(
  agent: Running,
  use: (builder: typeof GoldenBuilder.Service) => Effect.Effect<A, E>
): Effect.Effect<A, E> => agent.run(Effect.flatMap(GoldenBuilder, use))

export const images = <A, E>(
  agent: Running,
  use: (images: typeof GoldenImages.Service) => Effect.Effect<A, E, ProxmoxClient>
) => agent.run(Effect.flatMap(GoldenImages, use))

/** Builds it and waits for the end; the build as it is on record then. */
export const built = (agent: Running, change: object = {}) =>
  Effect.gen(function*() {
    yield* passing(builder(agent, ({ build }) => build(orderFor(change))), "1 second")
    yield* passing(builder(agent, ({ quiet }) => quiet), "1 second")
    return yield* recordOf(agent)
  })

/** The record of the one build. */
export const recordOf = (agent: Running) =>
  Effect.flatMap(builder(agent, ({ all }) => all), ([one]) => Effect.fromNullable(one))

/** Guests of the host that were not there at first. */
export const freshGuests = (host: Host) =>
  passing(
    Effect.flatMap(ProxmoxClient, (client) => client.guests("lxc")).pipe(
      Effect.map(({ rows }) =>
        rows.filter(({ vmid }) => ![101, 102, 9999].includes(vmid)).map(({ status, vmid }) => ({ vmid, status }))
      ),
      Effect.provide(host.proxmox)
    )
  )

export const archives = (host: Host) =>
  passing(
    Effect.flatMap(ProxmoxClient, (client) => client.storageContent(StorageId.make("local"), { content: "backup" }))
      .pipe(Effect.map(({ rows }) => rows), Effect.provide(host.proxmox))
  )

/** Signs the draft of a build as operators do, and gives it to the host. */
export const accepted = (host: Host, agent: Running, draft: string) =>
  Effect.gen(function*() {
    const signed = yield* sign(draft, [host.anna], goldenNamespace)
    return yield* images(agent, ({ accept }) => accept(signed))
  })

/** Root's policy, with this golden image. */
export const allowing = (host: Host, more: object = {}, golden: object = {}) =>
  policy(host, {
    bridges: ["vmbr0"],
    storages: ["ctstore"],
    golden: { images: [name], ...golden },
    ...more
  })
