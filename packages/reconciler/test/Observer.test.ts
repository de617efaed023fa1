import { describe, it } from "@effect/vitest"
import { Crypto } from "@felhom/domain/port/Crypto"
import { NodeName, TokenId } from "@felhom/domain/ProxmoxId"
import type { Section } from "@felhom/domain/Section"
import { Sha256Hex } from "@felhom/domain/Sha256"
import { Privileged, PrivilegedError } from "@felhom/privileged/Privileged"
import * as ProxmoxClient from "@felhom/proxmox/ProxmoxClient"
import { ProxmoxConfig } from "@felhom/proxmox/ProxmoxConfig"
import * as InProcessFront from "@felhom/pve-sim/InProcessFront"
import { PveSim } from "@felhom/pve-sim/PveSim"
import * as Observer from "@felhom/reconciler/Observer"
import { agentPrivileges } from "@felhom/reconciler/Rights"
import { Effect, Fiber, Layer, Option, Redacted, TestClock } from "effect"
import { expect } from "vitest"

const secret = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"

const crypto = Layer.succeed(Crypto, {
  sha256: (data) => Effect.succeed(Sha256Hex.make(String(data.length).padStart(64, "0"))),
  randomHex: () => Effect.succeed("00")
})

const sensors = Layer.mock(Privileged, {
  smart: () => Effect.succeed({ action: "sensors", temperatures: [{ sensor: "cpu", celsius: 41 }] })
})

const noSensors = Layer.mock(Privileged, {
  smart: () => new PrivilegedError({ verb: "smart", reason: "unavailable", detail: "no helper" })
})

interface HostOptions {
  readonly token?: string
  readonly presented?: string
  readonly privileges?: ReadonlyArray<string>
  readonly root?: Layer.Layer<Privileged>
}

const host = (options: HostOptions = {}) => {
  const tokenId = TokenId.make(options.token ?? "felhom-agent@pve!agent")
  const sim = PveSim.layer({
    secrets: { [tokenId]: secret },
    roles: { FelhomAgent: options.privileges ?? agentPrivileges }
  })
  const config = Layer.effect(
    ProxmoxConfig,
    Effect.map(PveSim, ({ node }) => ({
      url: new URL("https://demo.example:8006"),
      node: NodeName.make(node),
      tokenId,
      secret: Redacted.make(options.presented ?? secret)
    }))
  )
  return Observer.layer.pipe(
    Layer.provide(Layer.provide(ProxmoxClient.layer, Layer.merge(InProcessFront.layer, config))),
    Layer.provide(Layer.merge(crypto, options.root ?? sensors)),
    Layer.provideMerge(sim)
  )
}

/** One look, while the simulated host's time passes. */
const look = Effect.gen(function*() {
  const observer = yield* Observer.Observer
  const fiber = yield* Effect.fork(observer.observe)
  yield* Effect.repeat(TestClock.adjust("100 millis"), { until: () => Effect.map(Fiber.poll(fiber), Option.isSome) })
  return yield* Fiber.join(fiber)
})

/** The requests since the last time it was asked, by path without the API's prefix. */
const makeCounter = Effect.map(PveSim, (sim) => {
  let before = new Map<string, number>()
  return Effect.map(sim.requests, (all) => {
    const now = new Map(all.map(({ count, method, path }) => [`${method} ${path.replace("/api2/json", "")}`, count]))
    const fresh = [...now].flatMap(([key, count]) => Array.from({ length: count - (before.get(key) ?? 0) }, () => key))
    before = now
    return fresh
  })
})

const valueOf = <A>(section: Section<A>): A => {
  if (section.state !== "ok") throw new Error(`the section is not there: ${section.reason}`)
  return section.value
}

const reasonOf = (section: Section<unknown>): string => (section.state === "ok" ? "" : section.reason)

describe("an observation", () => {
  it.effect("holds the recorded host with its guests, storages and disks", () =>
    Effect.gen(function*() {
      const { inventory, kernel, proxmox, pveVersion, samples, sections } = yield* look
      expect(proxmox).toEqual({ state: "ok" })
      expect(pveVersion).toBe("9.2.11")
      expect(kernel).toBe("6.18.44-1-pve")
      const guests = valueOf(inventory.guests)
      expect(guests.map(({ name, type, vmid }) => `${type}/${vmid} ${name}`).toSorted()).toEqual([
        "lxc/101 on-dir",
        "lxc/102 future",
        "lxc/9999 tiny",
        "qemu/200 vm-sample"
      ])
      const tiny = guests.find(({ vmid }) => vmid === 9999)
      expect(tiny === undefined ? undefined : valueOf(tiny.config)).toMatchObject({
        description: "felhom test guest",
        identity: { hwaddrs: ["BC:24:11:E0:7E:97"], volumes: ["ctstore:9999/vm-9999-disk-0.raw"] }
      })
      expect(valueOf(inventory.storages).map(({ storage }) => String(storage)).toSorted()).toEqual(["ctstore", "local"])
      expect(valueOf(inventory.disks).map(({ devicePath }) => devicePath)).toEqual(["/dev/vda"])
      expect(valueOf(samples.node).load).toHaveLength(3)
      expect(valueOf(samples.temperatures)).toEqual([{ sensor: "cpu", celsius: 41 }])
      expect(valueOf(sections.backup)).toEqual([])
    }).pipe(Effect.provide(host())))

  it.effect("costs the host four requests when nothing changed, and two more for the guest whose turn it is", () =>
    Effect.gen(function*() {
      const requests = yield* makeCounter
      yield* look
      yield* requests
      yield* look
      expect((yield* requests).toSorted()).toEqual([
        "GET /access/permissions",
        "GET /cluster/resources",
        "GET /nodes/demo-felhom/lxc/101/config",
        "GET /nodes/demo-felhom/lxc/101/snapshot",
        "GET /nodes/demo-felhom/status",
        "GET /nodes/demo-felhom/storage"
      ])
    }).pipe(Effect.provide(host())))

  it.effect("reads a guest again when its row changed, and keeps what it knows of the others", () =>
    Effect.gen(function*() {
      const requests = yield* makeCounter
      const sim = yield* PveSim
      yield* look
      yield* sim.change({ _tag: "guest.set", vmid: 9999, key: "tags", value: "new" })
      yield* requests
      yield* look
      expect(yield* requests).toContain("GET /nodes/demo-felhom/lxc/9999/config")
    }).pipe(Effect.provide(host())))

  it.effect("never calls a host empty that the token may not see", () =>
    Effect.gen(function*() {
      const { inventory } = yield* look
      expect(reasonOf(inventory.guests)).toContain("may do nothing here")
      expect(reasonOf(inventory.guests)).toContain("--tokens 'felhom-agent@pve!noacl'")
      expect(reasonOf(inventory.storages)).toContain("may do nothing here")
    }).pipe(Effect.provide(host({ token: "felhom-agent@pve!noacl" }))))

  it.effect("loses only the section that a missing right takes away", () =>
    Effect.gen(function*() {
      const { inventory, proxmox } = yield* look
      expect(proxmox).toEqual({ state: "ok" })
      expect(reasonOf(inventory.guests)).toContain("lacks VM.Audit on /vms")
      expect(inventory.storages.state).toBe("ok")
    }).pipe(Effect.provide(host({ privileges: agentPrivileges.filter((one) => one !== "VM.Audit") }))))

  it.effect("asks nothing more after a refused token, and says so in every section", () =>
    Effect.gen(function*() {
      const requests = yield* makeCounter
      const { inventory, proxmox, samples, sections } = yield* look
      expect(proxmox.state).toBe("refused")
      for (const section of [inventory.guests, inventory.disks, samples.node, sections.storage, sections.backup]) {
        expect(reasonOf(section)).toContain("refused the API token")
      }
      expect(yield* requests).toHaveLength(1)
    }).pipe(Effect.provide(host({ presented: "00000000-0000-0000-0000-000000000000" }))))

  it.effect("says why there are no temperatures", () =>
    Effect.gen(function*() {
      const { samples } = yield* look
      expect(reasonOf(samples.temperatures)).toContain("no helper")
    }).pipe(Effect.provide(host({ root: noSensors }))))

  it.effect("tells a stopped API daemon apart from a refusal", () =>
    Effect.gen(function*() {
      const sim = yield* PveSim
      yield* look
      yield* sim.change({ _tag: "service.set", name: "pvedaemon", running: false })
      const down = yield* look
      yield* sim.change({ _tag: "service.set", name: "pvedaemon", running: true })
      expect(reasonOf(down.inventory.storages)).not.toBe("")
      expect((yield* look).inventory.storages.state).toBe("ok")
    }).pipe(Effect.provide(host())))
})
