import { describe, it } from "@effect/vitest"
import { DesiredDetail } from "@felhom/domain/DesiredApi"
import { HostEvent } from "@felhom/domain/HostEvent"
import { HostId } from "@felhom/domain/HostId"
import { HostDetail } from "@felhom/domain/HubApi"
import { Sha256Hex } from "@felhom/domain/Sha256"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import { storyOf } from "@felhom/operator/desired/GuestStory"
import { renderStory } from "@felhom/operator/desired/WhyCommand"
import { readWish } from "@felhom/operator/desired/WishText"
import { appliedWords, changeLines, stepLines, wishWords } from "@felhom/operator/desired/WishWords"
import { renderHost } from "@felhom/operator/HostView"
import { honest } from "@felhom/operator/HubDesired"
import type { PlanStep } from "@felhom/reconciler/plan/PlanStep"
import { Effect, Either, Schema } from "effect"
import { createHash } from "node:crypto"
import { expect } from "vitest"
import { desiredWorld, known } from "./DesiredWorld.ts"
import { now, wireDetail } from "./HostBuilder.ts"

/** Clears the screen, sets the title, rings, turns the line round, begins a new line that looks like ours. */
const evil = "\u001b[2J\u001b]0;owned\u0007\u202eblog\r\nlxc/102  all is well\u009b31m\u2028"

const isSafe = (lines: ReadonlyArray<string>): void => {
  for (const line of lines) {
    expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/)
  }
}

const identity = { hwaddrs: ["BC:24:11:00:00:1"], volumes: ["s:101"], smbiosUuid: null, key: null }

const detail = Schema.decodeUnknownSync(DesiredDetail)({
  entry: { applied: { version: 1, by: evil, at: now }, reason: evil, guests: 1, goodFor: 86_400 },
  published: {
    epoch: "1".repeat(32),
    hostEpoch: "2".repeat(32),
    version: 1,
    sha256: "f".repeat(64),
    issued: now,
    expires: now + 1
  },
  document: "",
  state: { guests: [{ guest: { type: "lxc", identity }, description: evil }] },
  wishes: [{ called: `lxc/101 ${evil}`, since: { version: 1, by: evil, at: now } }]
})

const host = Schema.decodeUnknownSync(HostDetail)({
  ...wireDetail([known(101, evil, { lock: evil })]),
  inventory: {
    ...wireDetail([known(101, evil, { lock: evil })]).inventory,
    desired: {
      epoch: evil,
      version: 1,
      stale: true,
      drift: [{ subject: "lxc/101", reason: evil }, { subject: evil, reason: evil }],
      blocked: [{ subject: "lxc/101", reason: evil }]
    }
  }
})

const events = [
  Schema.decodeUnknownSync(HostEvent)({
    seq: 1,
    at: now,
    kind: "desired.blocked",
    severity: "warning",
    subject: "lxc/101",
    message: evil
  })
]

describe("a hub that shows other wishes than it gives the host", () => {
  const id = HostId.make("a".repeat(32))
  const bytes = Buffer.from(JSON.stringify({
    typ: "felhom/desired/v1",
    host: id,
    hostEpoch: "2".repeat(32),
    epoch: "1".repeat(32),
    version: 1,
    issued: now,
    expires: now + 1,
    state: detail.state
  }))
  const sha256 = Sha256Hex.make(createHash("sha256").update(bytes).digest("hex"))
  const good: DesiredDetail = {
    ...detail,
    published: { ...detail.published, sha256 },
    document: bytes.toString("base64")
  }
  const why = (shown: DesiredDetail, host = id) =>
    Effect.map(
      Effect.either(Effect.provide(honest(host, shown), NodeCrypto.layer)),
      Either.match({ onLeft: ({ detail }) => detail.replace(/^.*gives the host: /, ""), onRight: () => "honest" })
    )

  it.effect("is told apart by the bytes that it gives, and their hash", () =>
    Effect.gen(function*() {
      const [guest] = good.state.guests
      if (guest === undefined) return expect.unreachable()
      expect(yield* why(good)).toBe("honest")
      const other = { ...good, state: { guests: [{ ...guest, power: "running" as const }] } }
      expect(yield* why(other)).toBe("it says something else. Ask who runs the hub")
      expect(yield* why({ ...good, published: { ...good.published, sha256: Sha256Hex.make("f".repeat(64)) } })).toBe(
        "its bytes have another hash. Ask who runs the hub"
      )
      expect(yield* why({ ...good, published: { ...good.published, version: 2 } })).toContain("another document")
      expect(yield* why(good, HostId.make("b".repeat(32)))).toContain("another document")
      expect(yield* why({ ...good, document: "" })).toContain("it is no felhom/desired/v1")
    }))
})

describe("text that hosts, hubs and other operators choose", () => {
  it("moves nothing on the terminal in one guest's story", () => {
    const story = Either.getOrThrow(storyOf("101", host.inventory, detail, events))
    expect(story.wish).not.toBeNull()
    isSafe(renderStory(story, [true, evil], 10, now, false))
    isSafe(renderHost(host, events, now, false))
  })

  it("moves nothing in what is applied", () => {
    const [guest] = detail.state.guests
    if (guest === undefined) return expect.unreachable()
    isSafe([wishWords(guest), appliedWords(detail, now)])
    isSafe(changeLines([{ desired: { ...guest, name: "web" }, called: `lxc/101 ${evil}`, guest: null }], detail))
    isSafe(changeLines([], detail))
    const step: PlanStep = {
      class: "not-possible",
      id: "x",
      guest: { type: "lxc", ref: null, identity, name: evil },
      drift: "settings",
      what: "memory",
      reason: evil,
      old: evil,
      new: evil
    }
    isSafe(stepLines(step))
  })

  it.scopedLive("moves nothing in what is wrong with a file, either", () =>
    Effect.gen(function*() {
      const { host, operator, trusts, write } = yield* desiredWorld()
      yield* host.reports([known(101, evil)])
      yield* trusts
      const label = JSON.stringify(evil)
      const path = write("attic.yaml", `host: attic\nguests:\n  ${label}: { ${label}: 1, power: ${label} }\n  b: {}\n`)
      const { code, err } = yield* operator.felhom(["apply", "-f", path])
      expect(code).toBe(2)
      expect(err.split("\n")).toHaveLength(3)
      isSafe(err.split("\n"))
      const named = write("named.yaml", `host: attic\nguests:\n  ${label}: { power: running }\n`)
      const { code: good, out } = yield* operator.felhom(["apply", "-f", named, "--yes", "--reason", evil])
      expect(good).toBe(0)
      isSafe(out.split("\n"))
      for (const args of [["desired", "show", "attic"], ["desired", "log", "attic"], ["why", "attic", "101"]]) {
        isSafe((yield* operator.felhom(args)).out.split("\n"))
      }
      expect(Either.isLeft(readWish(evil, ""))).toBe(true)
    }))
})
