import { describe, it } from "@effect/vitest"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { agentPrivileges } from "@felhom/reconciler/Rights"
import { Effect } from "effect"
import { expect } from "vitest"
import { host, look, makeCounter, noSensors, reasonOf, valueOf } from "./ObservedHost.ts"

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
