import { HttpClient, HttpClientError, type HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { describe, it } from "@effect/vitest"
import { HostReport } from "@felhom/domain/HostReport"
import { PinMismatch } from "@felhom/domain/PeerPin"
import { HubClient, layer } from "@felhom/hub-client/HubClient"
import { HubClientConfig } from "@felhom/hub-client/HubClientConfig"
import { Effect, Exit, Fiber, Layer, Redacted, Schema, TestClock } from "effect"
import { expect } from "vitest"

const id = "0123456789abcdef0123456789abcdef"
const epoch = "fedcba9876543210fedcba9876543210"
const missing = { state: "unavailable", reason: "not looked at" } as const

const report = Schema.decodeUnknownSync(HostReport)({
  typ: "felhom/report/v1",
  host: { id, epoch, bootId: null, node: "pve", agentVersion: "0.1.0", pveVersion: null, kernel: null },
  sequence: 1,
  takenAt: 1_700_000_000_000,
  inventoryHash: "a".repeat(64),
  inventory: null,
  samples: { node: missing, guests: missing, temperatures: missing },
  events: [],
  eventsDropped: 0,
  sections: { storage: missing, backup: missing, restore: missing, pbs: missing, audit: missing }
})

const envelope = {
  typ: "felhom/envelope/v1",
  host: id,
  hostEpoch: epoch,
  serverTime: 1_700_000_000_001,
  nextReportSeconds: 30,
  acked: 0,
  ops: [],
  signers: []
}

const json = (body: unknown, status = 200) => new Response(JSON.stringify(body), { status })

type Answer = (
  request: HttpClientRequest.HttpClientRequest
) => Effect.Effect<Response, HttpClientError.HttpClientError>

type Sign = (body: Uint8Array) => Effect.Effect<string>

const clientLayer = (answer: Answer, url = "https://hub.test:8443/", sign?: Sign) =>
  layer.pipe(
    Layer.provide(
      Layer.succeed(
        HttpClient.HttpClient,
        HttpClient.make((request) =>
          Effect.map(answer(request), (response) => HttpClientResponse.fromWeb(request, response))
        )
      )
    ),
    Layer.provide(Layer.succeed(HubClientConfig, {
      url: new URL(url),
      token: Redacted.make("felhom_host_x"),
      ...(sign === undefined ? {} : { sign })
    }))
  )

const exchange = (answer: Answer, sign?: Sign) =>
  Effect.flatMap(HubClient, (hub) => hub.exchange(report)).pipe(
    Effect.provide(Layer.orDie(clientLayer(answer, "https://hub.test:8443/", sign)))
  )

const failure = (answer: Answer) => Effect.flip(exchange(answer))

const gunzipText = (bytes: Uint8Array) =>
  Effect.promise(() =>
    new Response(new Blob([new Uint8Array(bytes)]).stream().pipeThrough(new DecompressionStream("gzip"))).text()
  )

it.effect("sends the report gzipped, with the host's token, to the host's own address", () =>
  Effect.gen(function*() {
    const requests: Array<HttpClientRequest.HttpClientRequest> = []
    const answer = yield* exchange((request) => {
      requests.push(request)
      return Effect.succeed(json(envelope))
    })
    expect(answer.acked).toBe(0)
    const [request] = requests
    expect(requests).toHaveLength(1)
    expect(request?.url).toBe(`https://hub.test:8443/api/v1/hosts/${id}/report`)
    expect(request?.headers["authorization"]).toBe("Bearer felhom_host_x")
    expect(request?.headers["content-encoding"]).toBe("gzip")
    expect(request?.headers["traceparent"]).toBeUndefined()
    const body = request?.body
    const sent = body?._tag === "Uint8Array" ? yield* gunzipText(body.body) : ""
    expect(JSON.parse(sent)).toEqual(yield* Schema.encode(HostReport)(report))
  }).pipe(Effect.withSpan("a cycle")))

it.effect("signs the report's exact bytes before they are packed", () =>
  Effect.gen(function*() {
    const requests: Array<HttpClientRequest.HttpClientRequest> = []
    const signed: Array<string> = []
    const sign = (body: Uint8Array) =>
      Effect.sync(() => {
        signed.push(new TextDecoder().decode(body))
        return "c2lnbmVk"
      })
    yield* exchange((request) => {
      requests.push(request)
      return Effect.succeed(json(envelope))
    }, sign)
    const [request] = requests
    expect(request?.headers["felhom-signature"]).toBe("c2lnbmVk")
    const body = request?.body
    expect(signed).toEqual([body?._tag === "Uint8Array" ? yield* gunzipText(body.body) : ""])
  }))

it.effect("passes on for how long a hub asks to be left alone", () =>
  Effect.gen(function*() {
    const busy = (status: number, header: string) =>
      failure(() =>
        Effect.succeed(
          new Response(JSON.stringify({ message: "slowly" }), { status, headers: { "retry-after": header } })
        )
      )
    expect(yield* busy(429, "90")).toMatchObject({ reason: "unavailable", retryAfterSeconds: 90 })
    expect(yield* busy(503, "7")).toMatchObject({ reason: "unavailable", retryAfterSeconds: 7 })
    expect((yield* busy(429, "Wed, 21 Oct 2026 07:28:00 GMT")).retryAfterSeconds).toBeUndefined()
  }))

it.effect("ignores what a newer hub adds to its envelope", () =>
  Effect.gen(function*() {
    const answer = yield* exchange(() =>
      Effect.succeed(
        json({ ...envelope, want: "full", weather: "fine", ops: [{ payload: "", signatures: [], by: 1 }] })
      )
    )
    expect(answer.want).toBe("full")
    expect(answer).not.toHaveProperty("weather")
  }))

describe("says why an exchange failed, and what to do", () => {
  it.effect.each([
    [400, "rejected"],
    [401, "unauthorized"],
    [403, "forbidden"],
    [413, "too-large"],
    [429, "unavailable"],
    [500, "unavailable"],
    [503, "unavailable"],
    [404, "unavailable"],
    [302, "malformed"],
    [204, "malformed"]
  ])("status %d is %s", ([status, reason]) =>
    Effect.gen(function*() {
      const error = yield* failure(() =>
        Effect.succeed(
          status === 204
            ? new Response(null, { status })
            : json({ _tag: "Hub", message: "because of the moon" }, Number(status))
        )
      )
      expect(error.reason).toBe(reason)
      if (Number(status) >= 400) expect(error.message).toContain("because of the moon")
    }))

  it.effect("a proxy that says nothing but its status is no more than away", () =>
    Effect.gen(function*() {
      const error = yield* failure(() => Effect.succeed(new Response(null, { status: 502 })))
      expect(error.reason).toBe("unavailable")
    }))

  it.effect("whatever the peer says can't play with a terminal", () =>
    Effect.gen(function*() {
      const error = yield* failure(() => Effect.succeed(json({ message: "\u001b[2J" }, 403)))
      expect(error.message).toContain("\\u001b[2J")
    }))

  it.effect("a web page is no envelope", () =>
    Effect.gen(function*() {
      const error = yield* failure(() => Effect.succeed(new Response("<html>hello</html>")))
      expect(error.reason).toBe("malformed")
      expect(error.message).toMatch(
        /its answer is no envelope: .*not valid JSON; something else answers at the hub's address/
      )
    }))

  it.effect("what is wrong with an answer is said in one line: what, where, and what to do", () =>
    Effect.gen(function*() {
      const wrong: ReadonlyArray<readonly [object, RegExp]> = [
        [{}, /no envelope: typ: is missing; something else answers at the hub's address; check FELHOM_AGENT_HUB_URL$/],
        [{ ...envelope, serverTime: "now" }, /no envelope: serverTime: Expected [^;]*; something else answers/],
        [{ ...envelope, ops: [{ payload: 1 }] }, /no envelope: ops\.0\.payload: Expected [^;]*; something else answers/]
      ]
      for (const [body, said] of wrong) {
        const { message } = yield* failure(() => Effect.succeed(json(body)))
        expect(message).toMatch(said)
        expect(message).not.toContain("└─")
        expect(message.split("\n")).toHaveLength(1)
      }
    }))

  it.effect("an envelope of another version is none", () =>
    Effect.gen(function*() {
      const error = yield* failure(() => Effect.succeed(json({ ...envelope, typ: "felhom/envelope/v9" })))
      expect(error.reason).toBe("malformed")
    }))

  it.effect("an endless answer is cut off", () =>
    Effect.gen(function*() {
      let given = 0
      const endless = new ReadableStream<Uint8Array>({
        pull: (controller) => {
          given += 1
          controller.enqueue(new Uint8Array(64 * 1024))
        }
      })
      const error = yield* failure(() => Effect.succeed(new Response(endless)))
      expect(error.reason).toBe("malformed")
      expect(given).toBeLessThan(80)
    }))

  it.effect.each([{ host: "f".repeat(32) }, { hostEpoch: "0".repeat(32) }])(
    "an envelope for %j is not taken",
    (other) =>
      Effect.gen(function*() {
        const error = yield* failure(() => Effect.succeed(json({ ...envelope, ...other })))
        expect(error.reason).toBe("wrong-host")
      })
  )

  it.effect("a certificate that is not pinned is named, with what was shown", () =>
    Effect.gen(function*() {
      const mismatch = new PinMismatch({ peer: "hub.test:8443", leaf: "AA:BB", spki: "CC:DD" })
      const error = yield* failure((request) =>
        Effect.fail(
          new HttpClientError.RequestError({
            request,
            reason: "Transport",
            cause: new Error("connect", { cause: mismatch })
          })
        )
      )
      expect(error.reason).toBe("refused-certificate")
      expect(error.mismatch).toEqual(mismatch)
      expect(error.message).toContain("AA:BB")
    }))

  it.effect("nobody answers there", () =>
    Effect.gen(function*() {
      const error = yield* failure((request) =>
        Effect.fail(
          new HttpClientError.RequestError({ request, reason: "Transport", cause: new Error("ECONNREFUSED") })
        )
      )
      expect(error.reason).toBe("unreachable")
      expect(error.message).toContain("ECONNREFUSED")
    }))

  it.effect("a hub that never answers is given up after 30 s", () =>
    Effect.gen(function*() {
      let asked = () => {}
      const underWay = new Promise<void>((resolve) => {
        asked = resolve
      })
      const fiber = yield* Effect.fork(failure(() => Effect.sync(asked).pipe(Effect.zipRight(Effect.never))))
      yield* Effect.promise(() => underWay)
      yield* TestClock.adjust("30 seconds")
      expect((yield* Fiber.join(fiber)).reason).toBe("unreachable")
    }))
})

it.effect("refuses a hub in the clear before anything is sent", () =>
  Effect.gen(function*() {
    const built = yield* Effect.exit(Effect.scoped(Layer.build(clientLayer(() => Effect.never, "http://hub.test/"))))
    expect(Exit.isFailure(built)).toBe(true)
    expect(String(built)).toContain("not https")
  }))
