import { describe, it } from "@effect/vitest"
import { DesiredDetail } from "@felhom/domain/DesiredApi"
import { HostEvent } from "@felhom/domain/HostEvent"
import { HostDetail } from "@felhom/domain/HubApi"
import { storyOf } from "@felhom/operator/desired/GuestStory"
import { renderStory } from "@felhom/operator/desired/WhyCommand"
import { readWish } from "@felhom/operator/desired/WishText"
import { appliedWords, changeLines, stepLines, wishWords } from "@felhom/operator/desired/WishWords"
import { renderHost } from "@felhom/operator/HostView"
import type { PlanStep } from "@felhom/reconciler/plan/PlanStep"
import { Effect, Either, Schema } from "effect"
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
