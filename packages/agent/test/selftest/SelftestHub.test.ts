import { describe, it } from "@effect/vitest"
import { selftestHub } from "@felhom/agent/selftest/SelftestHub"
import { envelopeType } from "@felhom/domain/Envelope"
import type { HostReport } from "@felhom/domain/HostReport"
import { DurableFile } from "@felhom/domain/port/DurableFile"
import { EpochMillis } from "@felhom/domain/Time"
import * as StateFile from "@felhom/durable/StateFile"
import { HubClient } from "@felhom/hub-client/HubClient"
import { HubError } from "@felhom/hub-client/HubError"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import { agentPrivileges } from "@felhom/reconciler/Rights"
import { Clock, Effect, Layer, Ref } from "effect"
import { expect } from "vitest"
import { host, type HostOptions, stepsOf } from "./SimulatedHost.ts"

/** A hub that keeps what it is sent, or refuses it, with a clock of its own. */
const hub = (
  taken: Ref.Ref<ReadonlyArray<HostReport>>,
  options: { readonly refuses?: boolean; readonly ahead?: number }
) =>
  Layer.succeed(HubClient, {
    exchange: (report) =>
      Effect.gen(function*() {
        if (options.refuses === true) {
          return yield* new HubError({
            reason: "unauthorized",
            hub: "https://hub",
            detail: "no such token",
            mismatch: null
          })
        }
        yield* Ref.update(taken, (all) => [...all, report])
        return {
          typ: envelopeType,
          host: report.host.id,
          hostEpoch: report.host.epoch,
          serverTime: EpochMillis.make((yield* Clock.currentTimeMillis) + (options.ahead ?? 0)),
          nextReportSeconds: 30,
          acked: 0,
          ops: [],
          signers: []
        }
      })
  })

const state = StateFile.layer("/state").pipe(
  Layer.provide(Layer.merge(
    NodeCrypto.layer,
    Layer.succeed(DurableFile, { read: () => Effect.succeedNone, replace: () => Effect.void })
  ))
)

const test = (options: HostOptions & { readonly refuses?: boolean; readonly ahead?: number } = {}) =>
  Effect.gen(function*() {
    const taken = yield* Ref.make<ReadonlyArray<HostReport>>([])
    const steps = yield* stepsOf(selftestHub("boot")).pipe(
      Effect.provide(Layer.mergeAll(host(options), hub(taken, options), state))
    )
    return { steps, taken: yield* Ref.get(taken) }
  })

describe("selftest hub", () => {
  it.effect("makes one round trip, with a report that replaces nothing", () =>
    Effect.gen(function*() {
      const { steps, taken } = yield* test()
      expect(steps.map((step) => step.split(":")[0])).toEqual([
        "passed collect",
        "note temperatures",
        "passed report",
        "passed clock",
        "passed permissions"
      ])
      expect(steps[0]).toBe("passed collect: 4 guests, 2 storages, 1 disks")
      expect(taken).toHaveLength(1)
      expect(taken[0]).toMatchObject({ sequence: null, events: [], host: { node: "demo-felhom", bootId: "boot" } })
      expect(taken[0]?.inventory).not.toBeNull()
    }))

  for (const privilege of ["VM.Audit", "Datastore.Audit", "Sys.Audit", "VM.Snapshot"] as const) {
    it.effect(`fails without ${privilege}, and names it`, () =>
      Effect.gen(function*() {
        const { steps } = yield* test({ privileges: agentPrivileges.filter((one) => one !== privilege) })
        expect(steps.filter((step) => step.startsWith("failed")).join("\n")).toContain(privilege)
      }))
  }

  it.effect("sends no report of a host that it could not look at", () =>
    Effect.gen(function*() {
      const { steps, taken } = yield* test({ presented: "00000000-0000-0000-0000-000000000000" })
      expect(steps).toHaveLength(1)
      expect(steps[0]).toContain("failed collect: ")
      expect(taken).toEqual([])
    }))

  it.effect("ends at a hub that refuses the token, and says how to get one", () =>
    Effect.gen(function*() {
      const { steps } = yield* test({ refuses: true })
      expect(steps.at(-1)).toContain("failed report: ")
      expect(steps.at(-1)).toContain("no such token")
    }))

  it.effect("fails when the two clocks are minutes apart", () =>
    Effect.gen(function*() {
      const { steps } = yield* test({ ahead: 86_400_000 })
      expect(steps).toContainEqual(
        "failed clock: the hub's clock is 86400 s off this host's: check both (timedatectl)"
      )
    }))
})
