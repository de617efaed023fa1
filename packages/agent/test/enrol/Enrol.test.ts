import { describe, it } from "@effect/vitest"
import { enrol } from "@felhom/agent/enrol/Enrol"
import * as HostKey from "@felhom/agent/enrol/HostKey"
import { claimBytes, enrolNamespace, hostPublicKeyBytes } from "@felhom/domain/HostKey"
import { DurableFile } from "@felhom/domain/port/DurableFile"
import { NodeName } from "@felhom/domain/ProxmoxId"
import { decodeCanonicalBase64, verifySshsig } from "@felhom/domain/Sshsig"
import * as StateFile from "@felhom/durable/StateFile"
import { EnrolmentClient } from "@felhom/hub-client/EnrolmentClient"
import { EnrolmentError } from "@felhom/hub-client/EnrolmentError"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import * as NodeEd25519 from "@felhom/node/NodeEd25519"
import { Clock, Effect, Either, Fiber, Layer, Option, Redacted, Ref, TestClock } from "effect"
import { expect } from "vitest"

type Answer = "waiting" | "accepted" | EnrolmentError

const busy = (retryAfterSeconds?: number) =>
  new EnrolmentError({
    reason: "busy",
    hub: "https://hub",
    detail: "slowly",
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds })
  })

/** A hub that answers its claims one after the other, and a disk. */
const makeWorld = (answers: ReadonlyArray<Answer>) =>
  Effect.gen(function*() {
    const disk = yield* Ref.make(new Map<string, string>())
    const claims = yield* Ref.make<
      ReadonlyArray<{ readonly at: number; readonly challenge: string; readonly signature: string }>
    >(
      []
    )
    const files = Layer.succeed(DurableFile, {
      read: (path) =>
        Effect.map(Ref.get(disk), (map) =>
          Option.map(Option.fromNullable(map.get(path)), (text) => new TextEncoder().encode(text))),
      replace: (path, content) =>
        Ref.update(disk, (map) => new Map(map).set(path, new TextDecoder().decode(content)))
    })
    const client = Layer.succeed(EnrolmentClient, {
      ask: () => Effect.succeed("waiting"),
      challenge: Effect.map(Ref.get(claims), (all) => String(all.length).padStart(64, "0")),
      claim: ({ challenge, signature }) =>
        Effect.gen(function*() {
          const at = yield* Clock.currentTimeMillis
          const count = (yield* Ref.updateAndGet(claims, (all) => [...all, { at, challenge, signature }])).length
          const answer = answers[count - 1] ?? "accepted"
          if (typeof answer === "object") return yield* answer
          return answer === "waiting"
            ? { state: "waiting" as const }
            : { state: "accepted" as const, token: Redacted.make("felhom_host_new") }
        })
    })
    const layer = Layer.mergeAll(client, StateFile.layer("/state"), HostKey.layer("/state")).pipe(
      Layer.provideMerge(Layer.mergeAll(files, NodeCrypto.layer, NodeEd25519.layer))
    )
    const run = enrol({
      token: Redacted.make("felhom_enrol_x"),
      node: NodeName.make("attic"),
      bearerPath: "/state/hub-token",
      once: false,
      output: "text"
    }).pipe(Effect.withConsole({ ...(yield* Effect.console), log: () => Effect.void }))
    return { disk, claims, layer, run }
  })

describe("felhom-agent enrol", () => {
  it.effect("waits for a person, through a hub that is busy, and keeps the Bearer", () =>
    Effect.gen(function*() {
      const { claims, disk, layer, run } = yield* makeWorld(["waiting", busy(), busy(60), "waiting", "accepted"])
      const fiber = yield* Effect.fork(Effect.provide(run, layer))
      yield* TestClock.adjust("2 minutes")
      yield* Fiber.join(fiber)
      expect((yield* Ref.get(claims)).map(({ at }) => at / 1000)).toEqual([0, 5, 10, 70, 75])
      expect((yield* Ref.get(disk)).get("/state/hub-token")).toBe("felhom_host_new\n")
    }))

  it.effect("proves the key anew each time, over the hub's challenge and this host's id", () =>
    Effect.gen(function*() {
      const { claims, layer, run } = yield* makeWorld(["waiting", "accepted"])
      const fiber = yield* Effect.fork(
        Effect.provide(
          Effect.zipRight(run, Effect.all([HostKey.HostKey, StateFile.StateFile])),
          layer
        )
      )
      yield* TestClock.adjust("1 minute")
      const [key, state] = yield* Fiber.join(fiber)
      for (const { challenge, signature } of yield* Ref.get(claims)) {
        yield* verifySshsig({
          blob: Either.getOrThrow(decodeCanonicalBase64(signature)),
          namespace: enrolNamespace,
          message: claimBytes(state.host.id, challenge),
          expected: hostPublicKeyBytes(key.publicKey)
        })
      }
      expect(new Set((yield* Ref.get(claims)).map(({ signature }) => signature)).size).toBe(2)
    }).pipe(Effect.provide(NodeEd25519.layer)))

  it.effect("ends at a hub that refuses, with the hub's own words and nothing kept", () =>
    Effect.gen(function*() {
      const refused = new EnrolmentError({ reason: "refused", hub: "https://hub", detail: "not this key" })
      const { disk, layer, run } = yield* makeWorld([refused])
      const error = yield* Effect.flip(Effect.provide(run, layer))
      expect(error.message).toContain("not this key")
      expect((yield* Ref.get(disk)).has("/state/hub-token")).toBe(false)
    }))

  it.effect("keeps one key over restarts, and leaves one that does not read alone", () =>
    Effect.gen(function*() {
      const { disk, layer } = yield* makeWorld([])
      const key = Effect.map(HostKey.HostKey, ({ publicKey }) => publicKey).pipe(Effect.provide(layer))
      expect(yield* key).toBe(yield* key)
      yield* Ref.update(disk, (map) => new Map(map).set("/state/host-key.pem", "torn"))
      const error = yield* Effect.flip(key)
      expect(error.message).toContain("host-key.pem is not this host's key")
      expect((yield* Ref.get(disk)).get("/state/host-key.pem")).toBe("torn")
    }))
})
