import { describe, it } from "@effect/vitest"
import { HostId } from "@felhom/domain/HostId"
import { HostPublicKey } from "@felhom/domain/HostKey"
import { NodeName } from "@felhom/domain/ProxmoxId"
import * as Challenges from "@felhom/hub/Challenges"
import * as EnrolmentTokens from "@felhom/hub/EnrolmentTokens"
import * as HostKeyStore from "@felhom/hub/HostKeyStore"
import * as RateLimit from "@felhom/hub/RateLimit"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import { Effect, Either, Encoding, Layer, Redacted, TestClock } from "effect"
import { expect } from "vitest"
import { hostA, hostB } from "./ReportBuilder.ts"
import { storeLayer } from "./TestStore.ts"

const key = (byte: number) => HostPublicKey.make(Encoding.encodeBase64(new Uint8Array(32).fill(byte)))

const request = (token: string, host = hostA, publicKey = key(9)) => ({
  token,
  host: HostId.make(host),
  publicKey,
  node: NodeName.make("attic"),
  agentVersion: "0.2.0"
})

const layers = Layer.mergeAll(EnrolmentTokens.layer, HostKeyStore.layer).pipe(
  Layer.provide(NodeCrypto.layer),
  Layer.provideMerge(storeLayer)
)

describe("an enrolment token", () => {
  const made = Effect.flatMap(EnrolmentTokens.EnrolmentTokens, (tokens) => tokens.create(1, "attic", 48)).pipe(
    Effect.map(([token]) => (token === undefined ? "" : Redacted.value(token.token)))
  )

  it.scoped("is good until its hours are over, and not after", () =>
    Effect.gen(function*() {
      const tokens = yield* EnrolmentTokens.EnrolmentTokens
      const [early, late] = [yield* made, yield* made]
      yield* TestClock.adjust("47 hours")
      yield* tokens.use(request(early))
      yield* TestClock.adjust("2 hours")
      const refused = yield* Effect.flip(tokens.use(request(late)))
      expect(refused.message).toContain("expired at 1970-01-03 00:00 UTC; ask for a new one (felhom enrol)")
      expect((yield* tokens.list).map(({ state }) => state).toSorted()).toEqual(["expired", "used"])
      // What was used in time stays so for the same host, should it have to ask again.
      yield* tokens.use(request(early))
    }).pipe(Effect.provide(layers)))

  it.scoped("is spent by the host and key that showed it first", () =>
    Effect.gen(function*() {
      const tokens = yield* EnrolmentTokens.EnrolmentTokens
      const token = yield* made
      yield* tokens.use(request(token))
      yield* tokens.use(request(token))
      expect((yield* Effect.flip(tokens.use(request(token, hostB)))).message).toContain("used already")
      expect((yield* Effect.flip(tokens.use(request(token, hostA, key(8))))).message).toContain("used already")
    }).pipe(Effect.provide(layers)))
})

it.scoped("a host has one pinned key, whoever accepts another", () =>
  Effect.gen(function*() {
    const keys = yield* HostKeyStore.HostKeyStore
    const host = HostId.make(hostA)
    yield* keys.wait(request("", hostA, key(8)))
    yield* keys.wait(request("", hostA, key(9)))
    yield* keys.accept(host, key(8), "me")
    yield* keys.accept(host, key(9), "you")
    expect((yield* keys.standing(host)).pinned).toBe(key(8))
    expect((yield* keys.standing(HostId.make(hostB))).pinned).toBeNull()
  }).pipe(Effect.provide(layers)))

describe("a challenge", () => {
  it.effect("is good once, and for two minutes", () =>
    Effect.gen(function*() {
      const challenges = yield* Challenges.Challenges
      const [first, second] = [yield* challenges.give, yield* challenges.give]
      expect(yield* challenges.take(first)).toBe(true)
      expect(yield* challenges.take(first)).toBe(false)
      yield* TestClock.adjust("3 minutes")
      expect(yield* challenges.take(second)).toBe(false)
      expect(yield* challenges.take("0".repeat(64))).toBe(false)
    }).pipe(Effect.provide(Layer.provide(Challenges.layer, NodeCrypto.layer))))

  it.effect("can't fill the hub's memory: beyond a thousand the oldest are void", () =>
    Effect.gen(function*() {
      const challenges = yield* Challenges.Challenges
      const oldest = yield* challenges.give
      yield* Effect.replicateEffect(challenges.give, 1000)
      expect(yield* challenges.take(oldest)).toBe(false)
    }).pipe(Effect.provide(Layer.provide(Challenges.layer, NodeCrypto.layer))))
})

describe("a sender", () => {
  it.effect("has ten requests at once and one a second, without taking any from another", () =>
    Effect.gen(function*() {
      const limits = yield* RateLimit.RateLimit
      const take = (sender: string) => Effect.either(limits.take(sender, RateLimit.tokenAllowance))
      const burst = yield* Effect.replicateEffect(take("a"), 12)
      expect(burst.filter(Either.isRight)).toHaveLength(10)
      expect(yield* Effect.flip(limits.take("a", RateLimit.tokenAllowance))).toMatchObject({ retryAfterSeconds: 1 })
      expect(Either.isRight(yield* take("b"))).toBe(true)
      yield* TestClock.adjust("2 seconds")
      expect((yield* Effect.replicateEffect(take("a"), 3)).filter(Either.isRight)).toHaveLength(2)
    }).pipe(Effect.provide(RateLimit.layer)))
})
