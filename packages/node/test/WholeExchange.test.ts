import type { HttpClient } from "@effect/platform"
import { it } from "@effect/vitest"
import { type PeerPin, pinMismatchOf } from "@felhom/domain/PeerPin"
import { AnswerLate } from "@felhom/domain/port/AnswerLimit"
import { wholeExchange, type WholeRequest } from "@felhom/domain/port/WholeExchange"
import * as PinnedHttp from "@felhom/node/PinnedHttp"
import * as TlsIdentity from "@felhom/node/TlsIdentity"
import { Cause, Effect, Exit, Fiber, Option } from "effect"
import { describe, expect } from "vitest"
import * as TlsServer from "./TlsServer.ts"

const identity = TlsIdentity.make({ commonName: "demo", altNames: ["localhost"], days: 30 })

const leaf = (of: TlsIdentity.TlsIdentity): PeerPin => ({ kind: "leaf", sha256: of.leafSha256 })

const getting = (url: string, limit = 1000): WholeRequest => ({ method: "GET", url, headers: {}, limit })

const posting = (url: string): WholeRequest => ({
  method: "POST",
  url,
  headers: { authorization: "Bearer secret" },
  body: { type: "text/plain", bytes: new TextEncoder().encode("all there is to know") },
  limit: 1000
})

type Way = (request: WholeRequest) => ReturnType<ReturnType<typeof wholeExchange>>

/** A server, and both ways to it: the client's own, and the one over any client, which is what the own one must be like. */
const reached = <A, E>(
  body: (server: TlsServer.TlsServer, ways: ReadonlyArray<Way>) => Effect.Effect<A, E>,
  answerWithinMillis = 60_000
) =>
  Effect.gen(function*() {
    const ours = yield* identity
    const server = yield* TlsServer.start(ours)
    const own = yield* PinnedHttp.make({ peer: server.peer, pins: [leaf(ours)], answerWithinMillis })
    // Nothing is noted of another object, though it is the same client.
    const any: HttpClient.HttpClient = Object.create(own)
    expect(wholeExchange(any)).not.toBe(wholeExchange(own))
    return yield* body(server, [wholeExchange(own), wholeExchange(any)])
  })

const failureOf = <A, E>(exit: Exit.Exit<A, E>): unknown =>
  Option.getOrUndefined(Cause.failureOption(Exit.isFailure(exit) ? exit.cause : Cause.empty))

describe("a whole exchange with a pinned peer", () => {
  it.scopedLive("gives status, headers and body, in one piece and in chunks", () =>
    reached((server, ways) =>
      Effect.forEach(ways, (way) =>
        Effect.gen(function*() {
          const plain = yield* way(getting(`${server.origin}/a?b=c%20d`))
          expect([plain.status, plain.text, plain.header("connection"), plain.header("retry-after")]).toEqual(
            [200, "answered /a?b=c%20d", "keep-alive", undefined]
          )
          expect((yield* way(getting(`${server.origin}/chunks`))).text).toBe("in pieces, answered /chunks")
          const moved = yield* way(getting(`${server.origin}/elsewhere`))
          expect([moved.status, moved.header("location"), moved.text]).toEqual([302, "/moved", ""])
          expect((yield* way(posting(`${server.origin}/post`))).text).toBe("answered /post")
        }))
    ))

  it.scopedLive("asks again over the connection that it has, pveproxy's own word counted", () =>
    Effect.gen(function*() {
      const ours = yield* identity
      const server = yield* TlsServer.start(ours)
      const way = wholeExchange(yield* PinnedHttp.make({ peer: server.peer, pins: [leaf(ours)] }))
      for (const n of [1, 2, 3]) {
        expect((yield* way(getting(`${server.origin}/protected/${n}`))).text).toBe(`answered /protected/${n}`)
      }
      expect(server.handshakes()).toBe(1)
      yield* Effect.forEach(["last", "first"], (path) => way(getting(`${server.origin}/${path}`)))
      expect(server.handshakes()).toBe(2)
    }))

  it.scopedLive("reads no more than it may, with an announced length or without, and the peer is still reached", () =>
    reached((server, ways) =>
      Effect.forEach(ways, (way) =>
        Effect.gen(function*() {
          for (const path of ["/a-long-one", "/chunks", "/a-long-one"]) {
            expect(yield* Effect.flip(way(getting(`${server.origin}${path}`, 12)))).toMatchObject({
              _tag: "BodyTooLarge",
              limit: 12
            })
          }
          expect((yield* way(getting(`${server.origin}/a`, 11))).text).toBe("answered /a")
        }))
    ))

  it.scopedLive("given up half way, before its answer or within it, keeps nobody from the peer", () =>
    reached((server, ways) =>
      Effect.forEach(ways, (way) =>
        Effect.gen(function*() {
          for (let times = 0; times < 3; times++) {
            const fiber = yield* Effect.fork(way(getting(`${server.origin}/never`)))
            yield* server.asked
            yield* Fiber.interrupt(fiber)
          }
          expect((yield* way(getting(`${server.origin}/a`))).text).toBe("answered /a")
        }))
    ))

  it.scopedLive("that is late fails as a request before its answer began, and as an answer after that", () =>
    reached((server, ways) =>
      Effect.forEach(ways, (way) =>
        Effect.gen(function*() {
          const never = yield* Effect.fork(Effect.flip(way(getting(`${server.origin}/never`))))
          const half = yield* Effect.fork(Effect.flip(way(getting(`${server.origin}/half/1`))))
          const next = yield* Effect.fork(way(getting(`${server.origin}/a`)))
          const [unanswered, unfinished] = [yield* Fiber.join(never), yield* Fiber.join(half)]
          expect(unanswered).toMatchObject({ _tag: "RequestError", reason: "Transport" })
          expect(unfinished).toMatchObject({ _tag: "ResponseError", reason: "Decode" })
          for (const late of [unanswered, unfinished]) {
            expect(late._tag === "BodyTooLarge" ? undefined : late.cause).toBeInstanceOf(AnswerLate)
          }
          expect((yield* Fiber.join(next)).text).toBe("answered /a")
        })), 1000))

  it.scopedLive("that is cut off within its answer is no request that never arrived", () =>
    reached((server, ways) =>
      Effect.forEach(ways, (way) =>
        Effect.gen(function*() {
          const cut = yield* Effect.flip(way(getting(`${server.origin}/cut`)))
          expect(cut).toMatchObject({ _tag: "ResponseError", reason: "Decode" })
        }))
    ))

  it.scopedLive("is not begun for what can't be sent, and the peer is still reached", () =>
    reached((server, ways) =>
      Effect.forEach(ways, (way) =>
        Effect.gen(function*() {
          for (let times = 0; times < 3; times++) {
            const broken = { ...getting(server.origin), headers: { "x-broken": "line\nbreak" } }
            expect(yield* Effect.flip(way(broken))).toMatchObject({ _tag: "RequestError", reason: "Encode" })
          }
          const before = server.received()
          const plaintext = yield* Effect.exit(way(posting(server.origin.replace("https:", "http:"))))
          expect(failureOf(plaintext)).toMatchObject({ _tag: "RequestError", cause: { name: "PlaintextRefused" } })
          expect(yield* Effect.flip(way(getting("nowhere")))).toMatchObject({
            _tag: "RequestError",
            reason: "InvalidUrl"
          })
          expect(server.received()).toBe(before)
          expect((yield* way(getting(`${server.origin}/a`))).text).toBe("answered /a")
        }))
    ))
})

it.scopedLive("a whole exchange sends a peer that no pin names not one byte", () =>
  Effect.gen(function*() {
    const [ours, theirs] = [yield* identity, yield* identity]
    const server = yield* TlsServer.start(theirs)
    const way = wholeExchange(yield* PinnedHttp.make({ peer: server.peer, pins: [leaf(ours)] }))
    const refused = yield* Effect.flip(way(posting(server.origin)))
    expect(refused._tag).toBe("RequestError")
    expect(pinMismatchOf(refused)?.peer).toBe(server.peer)
    expect([server.handshakes(), server.received()]).toEqual([1, 0])
  }))
