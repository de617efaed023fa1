import { describe, it } from "@effect/vitest"
import { StorageId, Vmid } from "@felhom/domain/ProxmoxId"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { nothingDone } from "@felhom/reconciler/plan/Counts"
import { judgePlan } from "@felhom/reconciler/plan/Gate"
import { lookAtHost } from "@felhom/reconciler/plan/HostSight"
import { plan } from "@felhom/reconciler/plan/Planner"
import type { Plan } from "@felhom/reconciler/plan/PlanStep"
import { withThinPools } from "@felhom/reconciler/plan/ThinPools"
import { agentPrivileges } from "@felhom/reconciler/Rights"
import { Effect } from "effect"
import { expect } from "vitest"
import { passing } from "../make/MakeHost.ts"
import { host, makeCounter } from "../ObservedHost.ts"
import { openPolicy, stateOf, wishFor } from "./ModelHost.ts"

const thin = StorageId.make("thin")
const gib = 2 ** 30

/** The recorded host with a guest whose volume lies on a thin pool with so many of its books' bytes in use. */
const withPool = (used: number) =>
  Effect.gen(function*() {
    const sim = yield* PveSim
    const config = { type: "lvmthin", vgname: "pve", thinpool: "data", content: "images,rootdir" }
    yield* sim.change({ _tag: "storage.set", storage: thin, config })
    yield* sim.change({ _tag: "storage.metadata", storage: thin, used })
    yield* sim.change({
      _tag: "guest.create",
      vmid: 300,
      type: "lxc",
      config: { storage: thin, net0: "name=eth0,bridge=vmbr0" }
    })
  })

/** What would be done for a wish for the guest, and the gate's word on it. */
const judged = (wish: { readonly [key: string]: unknown }) =>
  Effect.gen(function*() {
    const seen = yield* passing(lookAtHost({ archives: [], made: [] }))
    const guest = seen.guests.find(({ ref }) => ref.vmid === 300)
    if (guest === undefined) throw new Error("it was made")
    const planned: Plan = plan(stateOf(wishFor(guest, wish)), seen, openPolicy)
    const counter = yield* makeCounter
    yield* counter
    const storages = yield* passing(withThinPools(seen.storages, planned))
    const [first] = judgePlan(planned, {
      policy: openPolicy,
      now: 0,
      hold: null,
      expires: Number.MAX_SAFE_INTEGER,
      counts: nothingDone,
      storages
    })
    return { asked: yield* counter, verdict: first?.verdict, same: storages === seen.storages }
  })

const grows = { volumes: { rootfs: 8 } }

describe("a volume on a thin pool", () => {
  it.effect("grows where there is room in what the pool keeps its books in", () =>
    Effect.gen(function*() {
      yield* withPool(0.5 * gib)
      const { asked, verdict } = yield* judged(grows)
      expect(verdict).toMatchObject({ answer: "go" })
      expect(asked).toEqual(["GET /storage", "GET /nodes/demo-felhom/disks/lvmthin"])
    }).pipe(Effect.provide(host())))

  it.effect("waits where those are 97 % full, however much room for data there is", () =>
    Effect.gen(function*() {
      yield* withPool(0)
      const client = yield* ProxmoxClient
      const { rows: [pool] } = yield* passing(client.thinPools)
      yield* (yield* PveSim).change({
        _tag: "storage.metadata",
        storage: thin,
        used: Math.floor((pool?.metadata_size ?? 0) * 0.97)
      })
      expect((yield* judged(grows)).verdict).toMatchObject({
        answer: "wait",
        reason: expect.stringContaining(
          "the metadata of the thin pool thin is more than 80 % full: root makes it larger"
        )
      })
    }).pipe(Effect.provide(host())))

  it.effect("waits where the token may not look, and says what it lacks", () =>
    Effect.gen(function*() {
      yield* withPool(0)
      const { verdict } = yield* judged(grows)
      expect(verdict).toMatchObject({ answer: "wait" })
      expect(verdict?.reason).toContain("it is not known how full the metadata of the thin pool thin is")
      expect(verdict?.reason).toContain("the token lacks Sys.Audit on /")
    }).pipe(Effect.provide(host({ privileges: agentPrivileges.filter((one) => one !== "Sys.Audit") }))))

  it.effect("costs no request while nothing grows, or what grows lies elsewhere", () =>
    Effect.gen(function*() {
      yield* withPool(0)
      for (const wish of [{}, { cores: 2 }]) {
        expect(yield* judged(wish)).toMatchObject({ asked: [], same: true })
      }
      const seen = yield* passing(lookAtHost({ archives: [], made: [] }))
      const tiny = seen.guests.find(({ ref }) => ref.vmid === Vmid.make(9999))
      if (tiny === undefined) throw new Error("the recorded host has it")
      const elsewhere = plan(stateOf(wishFor(tiny, grows)), seen, openPolicy)
      expect(elsewhere.steps).toHaveLength(1)
      const counter = yield* makeCounter
      yield* counter
      yield* withThinPools(seen.storages, elsewhere)
      expect(yield* counter).toEqual([])
    }).pipe(Effect.provide(host())))
})
