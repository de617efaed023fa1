import { HttpClient, HttpClientRequest } from "@effect/platform"
import { it } from "@effect/vitest"
import { boundedText } from "@felhom/domain/BoundedBody"
import { formatFingerprint, type PeerPin, pinMismatchOf } from "@felhom/domain/PeerPin"
import { AnswerLate } from "@felhom/domain/port/AnswerLimit"
import * as PinnedHttp from "@felhom/node/PinnedHttp"
import * as TlsIdentity from "@felhom/node/TlsIdentity"
import { Cause, Context, Effect, Exit, Fiber, Layer, Option, Stream } from "effect"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { describe, expect } from "vitest"
import * as TlsServer from "./TlsServer.ts"

const identity = (privateKeyPem?: string) =>
  TlsIdentity.make({
    commonName: "demo",
    altNames: ["localhost"],
    days: 30,
    ...(privateKeyPem === undefined ? {} : { privateKeyPem })
  })

const leaf = (of: TlsIdentity.TlsIdentity): PeerPin => ({ kind: "leaf", sha256: of.leafSha256 })
const spki = (of: TlsIdentity.TlsIdentity): PeerPin => ({ kind: "spki", sha256: of.spkiSha256 })

const get = (url: string) =>
  Effect.flatMap(HttpClient.HttpClient, (client) => client.get(url)).pipe(
    Effect.flatMap((response) => response.text),
    Effect.scoped
  )

/** One round of collecting garbage, and of what the program does in the next turn of its loop. */
const collected = Effect.suspend(() => {
  setFlagsFromString("--expose-gc")
  runInNewContext("gc")()
  return Effect.async<void>((resume) => {
    setImmediate(() => resume(Effect.void))
  })
})

const secretPost = (url: string) =>
  Effect.flatMap(HttpClient.HttpClient, (client) =>
    client.execute(
      HttpClientRequest.post(url).pipe(
        HttpClientRequest.setHeader("authorization", "Bearer secret"),
        HttpClientRequest.bodyText("all there is to know")
      )
    ))

const mismatchIn = <A, E>(exit: Exit.Exit<A, E>) =>
  Option.getOrUndefined(Option.map(Cause.failureOption(Exit.isFailure(exit) ? exit.cause : Cause.empty), pinMismatchOf))

const failureOf = <A, E>(exit: Exit.Exit<A, E>): unknown =>
  Option.getOrUndefined(Cause.failureOption(Exit.isFailure(exit) ? exit.cause : Cause.empty))

describe("a peer that no pin names", () => {
  it.scopedLive("is sent not one byte, and the error shows both of its fingerprints", () =>
    Effect.gen(function*() {
      const [ours, theirs] = [yield* identity(), yield* identity()]
      const server = yield* TlsServer.start(theirs)
      const exit = yield* secretPost(server.origin).pipe(
        Effect.provide(PinnedHttp.layer({ peer: server.peer, pins: [leaf(ours), spki(ours)] })),
        Effect.exit
      )
      expect(mismatchIn(exit)).toMatchObject({
        peer: server.peer,
        leaf: formatFingerprint(theirs.leafSha256),
        spki: formatFingerprint(theirs.spkiSha256)
      })
      expect(server.handshakes()).toBe(1)
      expect(server.received()).toBe(0)
    }))

  it.scopedLive("is sent not one byte by twenty posts at once, and all of them fail", () =>
    Effect.gen(function*() {
      const [ours, theirs] = [yield* identity(), yield* identity()]
      const server = yield* TlsServer.start(theirs)
      const exits = yield* Effect.all(Array.from({ length: 20 }, () => Effect.exit(secretPost(server.origin))), {
        concurrency: "unbounded"
      }).pipe(Effect.provide(PinnedHttp.layer({ peer: server.peer, pins: [leaf(ours)] })))
      expect(exits.map((exit) => mismatchIn(exit)?.leaf)).toEqual(
        Array.from({ length: 20 }, () => formatFingerprint(theirs.leafSha256))
      )
      expect(server.received()).toBe(0)
    }))

  it.scopedLive("is not let in by the pins of another peer of the same program", () =>
    Effect.gen(function*() {
      const [one, other] = [yield* identity(), yield* identity()]
      const [first, second] = [yield* TlsServer.start(one), yield* TlsServer.start(other)]
      class Second extends Context.Tag("test/Second")<Second, HttpClient.HttpClient>() {}
      // As a program builds them: both layers in one build, where equal references are built once.
      const both = Layer.merge(
        PinnedHttp.layer({ peer: first.peer, pins: [leaf(one)] }),
        Layer.project(
          PinnedHttp.layer({ peer: second.peer, pins: [leaf(other)] }),
          HttpClient.HttpClient,
          Second,
          (client) => client
        )
      )
      yield* Effect.gen(function*() {
        expect(yield* get(`${first.origin}/a`)).toBe("answered /a")
        const toSecond = Effect.provideServiceEffect(HttpClient.HttpClient, Second)
        expect(yield* toSecond(get(`${second.origin}/b`))).toBe("answered /b")
        const crossed = yield* Effect.exit(toSecond(secretPost(first.origin)))
        expect(mismatchIn(crossed)?.leaf).toBe(formatFingerprint(one.leafSha256))
      }).pipe(Effect.provide(both))
    }))

  it.scopedLive("is not let in by a pin of the other kind with the same digits", () =>
    Effect.gen(function*() {
      const ours = yield* identity()
      const server = yield* TlsServer.start(ours)
      const exit = yield* secretPost(server.origin).pipe(
        Effect.provide(PinnedHttp.layer({ peer: server.peer, pins: [{ kind: "spki", sha256: ours.leafSha256 }] })),
        Effect.exit
      )
      expect(mismatchIn(exit)?.leaf).toBe(formatFingerprint(ours.leafSha256))
      expect(server.received()).toBe(0)
    }))
})

describe("a pinned peer", () => {
  it.scopedLive("answers", () =>
    Effect.gen(function*() {
      const ours = yield* identity()
      const server = yield* TlsServer.start(ours)
      const text = yield* get(`${server.origin}/a`).pipe(
        Effect.provide(PinnedHttp.layer({ peer: server.peer, pins: [leaf(ours)] }))
      )
      expect(text).toBe("answered /a")
      expect(server.received()).toBeGreaterThan(0)
    }))

  it.scopedLive("keeps its open connection when its certificate is exchanged, is refused at the next, and let in by a second pin", () =>
    Effect.gen(function*() {
      const [old, next] = [yield* identity(), yield* identity()]
      const server = yield* TlsServer.start(old)
      yield* Effect.gen(function*() {
        // Two at once, so that both connections are open, and later both closed.
        const both = (path: string) =>
          Effect.all([get(server.origin + path), get(server.origin + path)], { concurrency: "unbounded" })
        yield* both("/before")
        server.show(next)
        expect(yield* both("/last")).toEqual(["answered /last", "answered /last"])
        expect(server.handshakes()).toBe(0)
        const bytes = server.received()
        const exit = yield* Effect.exit(secretPost(server.origin))
        expect(mismatchIn(exit)?.leaf).toBe(formatFingerprint(next.leafSha256))
        expect(server.received()).toBe(bytes)
        server.show(old)
        expect(yield* get(`${server.origin}/again`)).toBe("answered /again")
      }).pipe(Effect.provide(PinnedHttp.layer({ peer: server.peer, pins: [leaf(old)] })))

      server.show(next)
      const text = yield* get(`${server.origin}/b`).pipe(
        Effect.provide(PinnedHttp.layer({ peer: server.peer, pins: [leaf(old), leaf(next)] }))
      )
      expect(text).toBe("answered /b")
    }))

  it.scopedLive("is known by its key after a renewal with the same key", () =>
    Effect.gen(function*() {
      const old = yield* identity()
      const renewed = yield* identity(old.privateKeyPem)
      const server = yield* TlsServer.start(old)
      yield* Effect.gen(function*() {
        yield* get(`${server.origin}/last`)
        server.show(renewed)
        expect(yield* get(`${server.origin}/renewed`)).toBe("answered /renewed")
        expect(server.handshakes()).toBe(1)
      }).pipe(Effect.provide(PinnedHttp.layer({ peer: server.peer, pins: [spki(old)] })))
    }))

  it.scopedLive("may show its old and its new leaf in turn while it reloads, with both pinned", () =>
    Effect.gen(function*() {
      const [old, next] = [yield* identity(), yield* identity()]
      const server = yield* TlsServer.start(old, next)
      const texts = yield* Effect.all(Array.from({ length: 6 }, () => get(`${server.origin}/last`))).pipe(
        Effect.provide(PinnedHttp.layer({ peer: server.peer, pins: [leaf(old), leaf(next)] }))
      )
      expect(texts).toEqual(Array.from({ length: 6 }, () => "answered /last"))
      expect(server.handshakes()).toBe(6)
    }))

  it.scopedLive("is reached over two connections at most", () =>
    Effect.gen(function*() {
      const ours = yield* identity()
      const server = yield* TlsServer.start(ours)
      const texts = yield* Effect.all(Array.from({ length: 10 }, (_, n) => get(`${server.origin}/${n}`)), {
        concurrency: "unbounded"
      }).pipe(Effect.provide(PinnedHttp.layer({ peer: server.peer, pins: [leaf(ours)] })))
      expect(texts).toEqual(Array.from({ length: 10 }, (_, n) => `answered /${n}`))
      expect(server.handshakes()).toBeLessThanOrEqual(2)
    }))

  it.scopedLive("is asked again and again over one connection", () =>
    Effect.gen(function*() {
      const ours = yield* identity()
      const server = yield* TlsServer.start(ours)
      yield* Effect.forEach([1, 2, 3, 4, 5], (n) => get(`${server.origin}/${n}`)).pipe(
        Effect.provide(PinnedHttp.layer({ peer: server.peer, pins: [leaf(ours)] }))
      )
      expect(server.handshakes()).toBe(1)
    }))

  it.scopedLive("that says both close and Keep-Alive is asked again over the one that it keeps", () =>
    Effect.gen(function*() {
      const ours = yield* identity()
      const server = yield* TlsServer.start(ours)
      const texts = yield* Effect.forEach([1, 2, 3], (n) => get(`${server.origin}/protected/${n}`)).pipe(
        Effect.provide(PinnedHttp.layer({ peer: server.peer, pins: [leaf(ours)] }))
      )
      expect(texts).toEqual([1, 2, 3].map((n) => `answered /protected/${n}`))
      expect(server.handshakes()).toBe(1)
    }))

  it.scopedLive("may answer in chunks, which are read up to a limit and no further", () =>
    Effect.gen(function*() {
      const ours = yield* identity()
      const server = yield* TlsServer.start(ours)
      const read = (limit: number) =>
        Effect.flatMap(HttpClient.HttpClient, (client) => client.get(`${server.origin}/chunks`)).pipe(
          Effect.flatMap((response) => boundedText(response, limit)),
          Effect.provide(PinnedHttp.layer({ peer: server.peer, pins: [leaf(ours)] }))
        )
      expect(yield* read(100)).toBe("in pieces, answered /chunks")
      expect(yield* Effect.flip(read(15))).toMatchObject({ _tag: "BodyTooLarge", limit: 15 })
    }))

  it.scopedLive("that says close is asked over a new connection", () =>
    Effect.gen(function*() {
      const ours = yield* identity()
      const server = yield* TlsServer.start(ours)
      yield* Effect.forEach(["last", "first", "last"], (path) => get(`${server.origin}/${path}`)).pipe(
        Effect.provide(PinnedHttp.layer({ peer: server.peer, pins: [leaf(ours)] }))
      )
      expect(server.handshakes()).toBe(2)
    }))

  it.scopedLive("is still reached after requests that could not even be sent", () =>
    Effect.gen(function*() {
      const ours = yield* identity()
      const server = yield* TlsServer.start(ours)
      yield* Effect.gen(function*() {
        const client = yield* HttpClient.HttpClient
        const broken = client.execute(
          HttpClientRequest.get(server.origin).pipe(HttpClientRequest.setHeader("x-broken", "line\nbreak"))
        )
        for (let times = 0; times < 3; times++) {
          expect(failureOf(yield* Effect.exit(broken))).toMatchObject({ _tag: "RequestError", reason: "Encode" })
        }
        expect(yield* get(`${server.origin}/a`)).toBe("answered /a")
      }).pipe(Effect.provide(PinnedHttp.layer({ peer: server.peer, pins: [leaf(ours)] })))
    }))

  it.scopedLive("is still reached after requests that were given up half way", () =>
    Effect.gen(function*() {
      const ours = yield* identity()
      const server = yield* TlsServer.start(ours)
      yield* Effect.gen(function*() {
        for (let times = 0; times < 3; times++) {
          const fiber = yield* Effect.fork(get(`${server.origin}/never`))
          yield* server.asked
          yield* Fiber.interrupt(fiber)
        }
        expect(yield* get(`${server.origin}/a`)).toBe("answered /a")
      }).pipe(Effect.provide(PinnedHttp.layer({ peer: server.peer, pins: [leaf(ours)] })))
    }))

  it.scopedLive("is given up when the whole answer is not there in time, and is still reached", () =>
    Effect.gen(function*() {
      const ours = yield* identity()
      const server = yield* TlsServer.start(ours)
      yield* Effect.gen(function*() {
        const late = yield* Effect.forEach(
          ["/never", "/half/1"],
          (path) => Effect.fork(Effect.flip(get(`${server.origin}${path}`)))
        )
        const next = yield* Effect.fork(get(`${server.origin}/a`))
        for (const fiber of late) expect((yield* Fiber.join(fiber)).cause).toBeInstanceOf(AnswerLate)
        expect(yield* Fiber.join(next)).toBe("answered /a")
      }).pipe(
        Effect.provide(PinnedHttp.layer({ peer: server.peer, pins: [leaf(ours)], answerWithinMillis: 1000 }))
      )
    }))

  it.scopedLive("is still reached after answers that nobody read and nobody can read any more", () =>
    Effect.gen(function*() {
      const ours = yield* identity()
      const server = yield* TlsServer.start(ours)
      yield* Effect.gen(function*() {
        const client = yield* HttpClient.HttpClient
        yield* Effect.forEach([1, 2], (n) => Effect.asVoid(client.get(`${server.origin}/half/${n}`)))
        const next = yield* Effect.fork(get(`${server.origin}/a`))
        while (Option.isNone(yield* Fiber.poll(next))) yield* collected
        expect(yield* Fiber.join(next)).toBe("answered /a")
      }).pipe(Effect.provide(PinnedHttp.layer({ peer: server.peer, pins: [leaf(ours)] })))
    }))

  it.scopedLive("answers readably to whoever puts something before its answer", () =>
    Effect.gen(function*() {
      const ours = yield* identity()
      const server = yield* TlsServer.start(ours)
      const answer = yield* Effect.flatMap(HttpClient.HttpClient, (client) => client.get(`${server.origin}/a`)).pipe(
        Effect.flatMap((response) => {
          const wrapped: typeof response = Object.create(response, { text: { value: Effect.succeed("another") } })
          return Effect.as(response.text, { status: wrapped.status, headers: wrapped.headers })
        }),
        Effect.provide(PinnedHttp.layer({ peer: server.peer, pins: [leaf(ours)] }))
      )
      expect(answer).toMatchObject({ status: 200, headers: { connection: "keep-alive" } })
    }))

  it.scopedLive("is sent a body with its length, and no stream", () =>
    Effect.gen(function*() {
      const ours = yield* identity()
      const server = yield* TlsServer.start(ours)
      const streamed = Effect.flatMap(HttpClient.HttpClient, (client) =>
        client.execute(
          HttpClientRequest.post(server.origin).pipe(
            HttpClientRequest.bodyStream(Stream.make(new Uint8Array([1])))
          )
        ))
      const exit = yield* Effect.exit(streamed).pipe(
        Effect.provide(PinnedHttp.layer({ peer: server.peer, pins: [leaf(ours)] }))
      )
      expect(failureOf(exit)).toMatchObject({ _tag: "RequestError", reason: "Encode" })
      expect(server.received()).toBe(0)
    }))

  it.scopedLive("that redirects is not followed", () =>
    Effect.gen(function*() {
      const ours = yield* identity()
      const server = yield* TlsServer.start(ours)
      const response = yield* Effect.flatMap(
        HttpClient.HttpClient,
        (client) => client.get(`${server.origin}/elsewhere`)
      )
        .pipe(Effect.provide(PinnedHttp.layer({ peer: server.peer, pins: [leaf(ours)] })))
      expect(response.status).toBe(302)
    }))
})

it.scopedLive("a plaintext URL is refused before anything is sent", () =>
  Effect.gen(function*() {
    const ours = yield* identity()
    const server = yield* TlsServer.start(ours)
    const exit = yield* secretPost(server.origin.replace("https:", "http:")).pipe(
      Effect.provide(PinnedHttp.layer({ peer: server.peer, pins: [leaf(ours)] })),
      Effect.exit
    )
    expect(failureOf(exit)).toMatchObject({ _tag: "RequestError", cause: { name: "PlaintextRefused" } })
    expect(server.handshakes()).toBe(0)
    expect(server.received()).toBe(0)
  }))

it.scopedLive("a server that ends the connection before it showed a certificate is an error without a mismatch", () =>
  Effect.gen(function*() {
    const ours = yield* identity()
    const server = yield* TlsServer.start()
    const exit = yield* secretPost(server.origin).pipe(
      Effect.provide(PinnedHttp.layer({ peer: server.peer, pins: [leaf(ours)] })),
      Effect.exit
    )
    expect(failureOf(exit)).toMatchObject({ _tag: "RequestError", reason: "Transport" })
    expect(mismatchIn(exit)).toBeUndefined()
  }))
