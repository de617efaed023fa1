import { describe, it } from "@effect/vitest"
import { HostId } from "@felhom/domain/HostId"
import { hostPublicKey, reportNamespace } from "@felhom/domain/HostKey"
import { isHostsWord, isOver, type OpState, OpSummary } from "@felhom/domain/OpsApi"
import { Ed25519 } from "@felhom/domain/port/Ed25519"
import { signSshsig, writeArmor } from "@felhom/domain/Sshsig"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import * as NodeEd25519 from "@felhom/node/NodeEd25519"
import { doubt, toldOps } from "@felhom/operator/HostWord"
import { HubOps } from "@felhom/operator/HubOps"
import { KnownHosts } from "@felhom/operator/KnownHosts"
import { followed } from "@felhom/operator/OpApproval"
import { renderOps } from "@felhom/operator/OpsView"
import { Effect, Layer, Option, Schema, TestClock } from "effect"
import { createHash } from "node:crypto"
import { expect } from "vitest"
import { hostId, now, wireDetail, wireSummary } from "./HostBuilder.ts"

const host = HostId.make(hostId)
const op = "a".repeat(64)
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex")

const { inventory, samples, sections } = wireDetail([])

const said = (seq: number, kind: string, subject = op) => ({
  seq,
  at: now - 60_000,
  kind,
  severity: "info",
  subject,
  message: `${kind} by the host`
})

const report = (events: ReadonlyArray<object>, more: object = {}) =>
  JSON.stringify({
    typ: "felhom/report/v1",
    host: wireSummary().host,
    sequence: 7,
    takenAt: now,
    inventoryHash: "d".repeat(64),
    inventory,
    samples,
    sections,
    events,
    eventsDropped: 0,
    ...more
  })

const summaryOf = (state: OpState, named: string | null, more: object = {}) =>
  Schema.decodeUnknownSync(OpSummary)({
    host: hostId,
    node: "attic",
    op,
    state,
    message: "by the hub",
    claim: { op: "guest.destroy", target: "lxc/101", reason: "r" },
    signatures: 1,
    needs: 1,
    submittedBy: "anna",
    submittedAt: now,
    changedAt: now,
    expiresAt: now,
    report: named,
    ...more
  })

/** What a person is told of these ops by a hub that shows this report for each of them, whose key they compared or not. */
const told = (
  summaries: ReadonlyArray<OpSummary>,
  shown: string | null,
  more: { readonly changed?: boolean; readonly unknown?: boolean; readonly stranger?: boolean } = {}
) =>
  Effect.gen(function*() {
    const curve = yield* Ed25519
    const key = yield* curve.generate
    const signer = more.stranger === true ? yield* curve.generate : key
    let asked = 0
    const signed = shown === null ? Option.none() : Option.some({
      payload: Buffer.from(more.changed === true ? `${shown} ` : shown).toString("base64"),
      signatures: [writeArmor(yield* signSshsig(signer, reportNamespace, new TextEncoder().encode(shown)))]
    })
    const answer = yield* toldOps(summaries).pipe(
      Effect.provide(Layer.mergeAll(
        Layer.mock(HubOps, {
          report: () =>
            Effect.sync(() => {
              asked += 1
              return signed
            })
        }),
        Layer.mock(KnownHosts, {
          find: (id) => more.unknown !== true && id === host ? Option.some(hostPublicKey(key.publicKey)) : Option.none()
        })
      ))
    )
    return { ops: answer, asked, table: renderOps(answer, now, false).join("\n") }
  }).pipe(Effect.provide(Layer.merge(NodeEd25519.layer, NodeCrypto.layer)))

describe("how an op ended", () => {
  it.effect("is told in the host's own words, from the report that it signed", () =>
    Effect.gen(function*() {
      const text = report([said(3, "op.started"), said(4, "op.finished"), said(5, "op.failed", "b".repeat(64))])
      const { ops: [only], table } = yield* told([summaryOf("finished", sha256(text))], text)
      expect(only).toMatchObject({
        state: "finished",
        message: "op.finished by the host",
        word: { by: "host", at: now - 60_000, report: 7 }
      })
      expect(table).toContain("the host's")
      expect(table).not.toContain("by the hub")
    }))

  it.effect("is what the host says, where the hub says something else, and that is told loudly", () =>
    Effect.gen(function*() {
      const text = report([said(4, "op.failed")])
      const { ops: [only], table } = yield* told([summaryOf("finished", sha256(text))], text)
      expect(only).toMatchObject({ state: "failed", message: "op.failed by the host", word: { by: "forger" } })
      expect(table).toContain("NOT THE HOST'S WORD: the hub says finished, and the host says failed")
    }))

  it.effect("is the later word of a host that went on between two questions, and nobody's lie", () =>
    Effect.gen(function*() {
      const text = report([said(4, "op.finished")])
      const { ops: [only] } = yield* told([summaryOf("started", "c".repeat(64))], text)
      expect(only).toMatchObject({ state: "finished", word: { by: "host" } })
    }))

  it.effect("is the hub's alone where the host's key is not known, or no report of it was signed", () =>
    Effect.gen(function*() {
      const text = report([said(4, "op.finished")])
      const finished = summaryOf("finished", sha256(text))
      const stranger = yield* told([finished], text, { unknown: true })
      expect(stranger).toMatchObject({ asked: 0, ops: [{ state: "finished", word: { by: "hub" } }] })
      expect(stranger.table).toContain("the hub's alone")
      expect(stranger.table).toContain("only the hub says so: the host's key is not known here (felhom trust HOST)")
      const unsigned = yield* told([finished], null)
      expect(unsigned).toMatchObject({ ops: [{ word: { by: "hub" } }] })
      expect(unsigned.table).toContain("the hub has no report to show")
    }))

  it.effect.each(
    [
      ["was changed", [said(4, "op.finished")], {}, { changed: true }, "the bytes are not those that were signed"],
      ["somebody else signed", [said(4, "op.finished")], {}, { stranger: true }, "another key"],
      [
        "is of another host",
        [said(4, "op.finished")],
        { host: { ...wireSummary().host, id: "f".repeat(32) } },
        {},
        "of another host"
      ],
      ["speaks of another op", [said(4, "op.finished", "b".repeat(64))], {}, {}, "does not speak of it"]
    ] as const
  )("is nobody's word in a report that %s", ([, events, wire, how, why]) =>
    Effect.gen(function*() {
      const text = report(events, wire)
      const { ops: [only], table } = yield* told([summaryOf("finished", sha256(text))], text, how)
      if (only === undefined) return expect.unreachable()
      expect(only.word.by).toBe("forger")
      expect(Option.getOrNull(doubt(only))).toContain(why)
      expect(table).toContain("NOT THE HOST'S")
    }))

  it.effect("is not asked of a host that has nothing to say of it", () =>
    Effect.gen(function*() {
      const { asked, ops } = yield* told([summaryOf("awaiting", null), summaryOf("expired", null)], null)
      expect({ asked, words: ops.map(({ word }) => word.by) }).toEqual({ asked: 0, words: ["nobody", "nobody"] })
    }))

  it.effect("is verified once for all ops that one report speaks of", () =>
    Effect.gen(function*() {
      const other = "b".repeat(64)
      const text = report([said(4, "op.finished"), said(5, "op.refused", other)])
      const both = [summaryOf("finished", sha256(text)), summaryOf("refused", sha256(text), { op: other })]
      const { asked, ops } = yield* told(both, text)
      expect(asked).toBe(1)
      expect(ops).toMatchObject([{ state: "finished", word: { by: "host" } }, {
        state: "refused",
        word: { by: "host" }
      }])
    }))
})

describe("an op that a person waits for", () => {
  it.effect("and that waits on its host is told once, and anew when it waits for something else", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const states: Array<readonly [OpState, string]> = [
        ["accepted", "accepted"],
        ["waiting", "waits: lxc/101 is locked (backup); vzdump runs"],
        ["waiting", "waits: lxc/101 is locked (backup); vzdump runs"],
        ["waiting", "waits: lxc/101 is locked (backup), and no task of it runs"],
        ["started", "begun"],
        ["failed", "it is protected"]
      ]
      let asked = 0
      const one = Effect.sync(() => {
        const [state, message] = states[asked] ?? ["failed", "asked too often"]
        asked += 1
        return { summary: summaryOf(state, null, { message }), signed: { payload: "", signatures: [] } }
      })
      const console = yield* Effect.console
      const ends = yield* Effect.fork(
        Effect.flip(followed(host, summaryOf("accepted", null).op)).pipe(
          Effect.provide(Layer.mergeAll(
            Layer.mock(HubOps, { one: () => one }),
            Layer.mock(KnownHosts, { find: () => Option.none() }),
            NodeEd25519.layer,
            NodeCrypto.layer
          )),
          Effect.withConsole({ ...console, log: (line) => Effect.sync(() => void lines.push(String(line))) })
        )
      )
      yield* Effect.repeatN(TestClock.adjust("1 seconds"), 6)
      expect((yield* ends).message).toContain("it is protected")
      expect(lines.map((line) => line.split(" (the hub")[0]?.split(" (only")[0])).toEqual([
        "accepted: accepted",
        "waiting: waits: lxc/101 is locked (backup); vzdump runs",
        "waiting: waits: lxc/101 is locked (backup), and no task of it runs",
        "started: begun",
        "failed: it is protected"
      ])
    }))

  it.effect("is a row of its own while it waits, and is not over", () =>
    Effect.gen(function*() {
      const { ops, table } = yield* told([summaryOf("waiting", null)], null)
      expect(ops[0]?.state).toBe("waiting")
      expect(table).toMatch(/waiting/)
      expect(isOver("waiting")).toBe(false)
      expect(isHostsWord("waiting")).toBe(true)
    }))
})
