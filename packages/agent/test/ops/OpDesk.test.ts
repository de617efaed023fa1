import { describe, it } from "@effect/vitest"
import * as Daemon from "@felhom/agent/Daemon"
import { noDesk, type OpDesk } from "@felhom/agent/ops/OpDesk"
import { envelopeType } from "@felhom/domain/Envelope"
import { HostEpoch, HostId } from "@felhom/domain/HostId"
import type { HostReport } from "@felhom/domain/HostReport"
import { NodeName } from "@felhom/domain/ProxmoxId"
import { sectionOk, sectionUnavailable } from "@felhom/domain/Section"
import { Sha256Hex } from "@felhom/domain/Sha256"
import { EpochMillis } from "@felhom/domain/Time"
import { StateFile } from "@felhom/durable/StateFile"
import { HubClient } from "@felhom/hub-client/HubClient"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import { Observer } from "@felhom/reconciler/Observer"
import { Clock, Effect, Layer, Queue, TestClock } from "effect"
import { expect } from "vitest"

const unread = sectionUnavailable("not in this test")
const host = { id: HostId.make("1".repeat(32)), epoch: HostEpoch.make("2".repeat(32)) }
const op = { payload: "e30=", signatures: [] }

/** A daemon with this desk, whose hub sends one op with each answer and asks for a report in ten minutes. */
const running = (open: Effect.Effect<OpDesk>) =>
  Effect.gen(function*() {
    const taken: Array<HostReport> = []
    const recorded: Array<string> = []
    const observer = Layer.succeed(Observer, {
      observe: Effect.succeed({
        takenAt: EpochMillis.make(0),
        proxmox: { state: "ok" as const },
        pveVersion: null,
        kernel: null,
        inventory: { guests: unread, storages: unread, disks: unread, policyHash: null, desired: null, hold: false },
        samples: { node: unread, guests: unread, temperatures: unread },
        sections: { storage: unread, backup: unread, restore: unread, pbs: unread, audit: unread }
      })
    })
    const hub = Layer.succeed(HubClient, {
      exchange: (report) =>
        Effect.map(Clock.currentTimeMillis, (now) => {
          taken.push(report)
          return {
            typ: envelopeType,
            host: host.id,
            hostEpoch: host.epoch,
            serverTime: EpochMillis.make(now),
            nextReportSeconds: 600,
            acked: 0,
            ops: [op],
            signers: []
          }
        })
    })
    const state = Layer.succeed(StateFile, {
      host,
      nextSequence: Effect.succeed(1),
      record: (events) => Effect.sync(() => void recorded.push(...events.map(({ kind }) => kind))),
      pending: Effect.succeed({ events: [], dropped: 0 }),
      recordLasting: () => Effect.succeed(true),
      lasting: Effect.succeed([]),
      settled: () => Effect.void,
      acknowledge: () => Effect.void,
      failure: Effect.succeedNone
    })
    yield* Effect.fork(
      Daemon.run({ node: NodeName.make("demo"), bootId: null }, open).pipe(
        Effect.provide([observer, hub, state, NodeCrypto.layer])
      )
    )
    yield* TestClock.adjust("1 second")
    return { taken, recorded }
  })

describe("the daemon with signed ops", () => {
  it.effect("hands on what the hub sends, reports whom the host trusts, and reports at once when there is news", () =>
    Effect.gen(function*() {
      const received: Array<unknown> = []
      const bell = yield* Queue.unbounded<void>()
      const trust = {
        opEpoch: HostEpoch.make("3".repeat(32)),
        storeSeq: 7,
        signers: null,
        policy: Sha256Hex.make("4".repeat(64)),
        hold: { since: EpochMillis.make(5), reason: "moving house" }
      }
      const { recorded, taken } = yield* running(Effect.succeed({
        takes: "yes",
        received: ({ ops }) => Effect.sync(() => void received.push(...ops)),
        trust: Effect.succeed(trust),
        desired: Effect.succeed(null),
        pursue: () => Effect.void,
        audit: Effect.succeed(sectionOk(EpochMillis.make(0), { head: Sha256Hex.make("0".repeat(64)), length: 3 })),
        beside: Effect.succeed({}),
        urgent: Queue.take(bell),
        mend: Effect.void
      }))
      expect(taken.map(({ trust }) => trust)).toEqual([null])
      expect(received).toEqual([])
      yield* Queue.offer(bell, undefined)
      yield* TestClock.adjust("1 second")
      expect(taken).toHaveLength(2)
      expect(taken[1]).toMatchObject({
        trust,
        inventory: { hold: true, policyHash: trust.policy },
        sections: { audit: { state: "ok", value: { length: 3 } } }
      })
      expect(received).toEqual([op])
      // What came with the first answer was not ignored: it came again.
      expect(recorded).toEqual(["agent.started"])
      yield* TestClock.adjust("5 minutes")
      expect(taken).toHaveLength(2)
    }))

  it.effect("says that it ignores signed ops when their stores can't be had", () =>
    Effect.gen(function*() {
      const { recorded } = yield* running(Effect.succeed(noDesk))
      yield* TestClock.adjust("20 minutes")
      expect(recorded).toEqual(["agent.started", "envelope.ignored"])
    }))
})
