import { it } from "@effect/vitest"
import type { FaultRule } from "@felhom/pve-sim/Fault"
import { HttpsFront } from "@felhom/pve-sim/HttpsFront"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { Effect, Layer } from "effect"
import * as Net from "node:net"
import * as Tls from "node:tls"
import { expect } from "vitest"
import { secrets } from "./Asking.ts"

const front = (...faults: ReadonlyArray<FaultRule>) =>
  HttpsFront.layer({ host: "127.0.0.1", port: 0 }).pipe(Layer.provideMerge(PveSim.layer({ secrets, faults })))

const once = (fault: FaultRule["fault"]): FaultRule => ({ path: "*", type: "*", skip: 0, times: 1, chance: 1, fault })

const authorization = "Authorization: PVEAPIToken=felhom-agent@pve!agent=agent-secret\r\n"

/** All that comes until the other side, or `until`, ends the connection. */
const said = (sent: string, secure: boolean, until: (text: string) => boolean = () => false) =>
  Effect.gen(function*() {
    const port = Number(new URL((yield* HttpsFront).url).port)
    return yield* Effect.async<string>((resume) => {
      let text = ""
      const at = { host: "127.0.0.1", port }
      const socket = secure ? Tls.connect({ ...at, rejectUnauthorized: false }) : Net.connect(at)
      socket.once(secure ? "secureConnect" : "connect", () => socket.write(sent))
      socket.on("data", (chunk: Buffer) => {
        text += chunk.toString("utf8")
        if (until(text)) socket.end()
      })
      socket.on("error", () => socket.destroy())
      socket.on("close", () => resume(Effect.succeed(text)))
    })
  })

it.live("plain HTTP at the TLS port is sent to https, and nothing is answered", () =>
  Effect.gen(function*() {
    const host = "Host: pve.example:8006\r\n\r\n"
    const moved = yield* said(`GET /api2/json/version?x=1 HTTP/1.1\r\n${host}`, false)
    expect(moved).toMatch(/^HTTP\/1\.1 301 Moved Permanently\r\n/)
    expect(moved).toContain("\r\nLocation: https://pve.example:8006/api2/json/version?x=1\r\n")
    expect(moved).toMatch(/\r\n\r\nMoved Permanently$/)
    expect(yield* said(`POST /api2/json/nodes HTTP/1.1\r\n${host}`, false)).toMatch(
      /^HTTP\/1\.1 308 Permanent Redirect\r\n/
    )
    expect(yield* (yield* PveSim).requests).toEqual([])
  }).pipe(Effect.provide(front())))

it.live("HTTP/1.0 is answered, and then the connection is closed", () =>
  Effect.gen(function*() {
    const text = yield* said(`GET /api2/json/version HTTP/1.0\r\n${authorization}\r\n`, true)
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect(text).toContain("\r\nConnection: close\r\n")
  }).pipe(Effect.provide(front())))

it.live("two requests that are sent at once get two answers", () =>
  Effect.gen(function*() {
    const request = `GET /api2/json/version HTTP/1.1\r\nHost: pve\r\n${authorization}\r\n`
    const answers = (text: string): number => text.split("\"repoid\"").length - 1
    const text = yield* said(request + request, true, (soFar) => answers(soFar) === 2)
    expect(text.split("HTTP/1.1 200 OK").length - 1).toBe(2)
  }).pipe(Effect.provide(front())))

it.live("an answer may come in chunks, and be longer than any body that Proxmox reads", () =>
  Effect.gen(function*() {
    const request = `GET /api2/json/version HTTP/1.1\r\nHost: pve\r\n${authorization}\r\n`
    const chunked = yield* said(request, true, (text) => text.endsWith("\r\n0\r\n\r\n"))
    expect(chunked).toContain("\r\nTransfer-Encoding: chunked\r\n")
    expect(chunked).not.toContain("Content-Length")
    const long = yield* said(request, true, (text) => text.length > 600_000)
    expect(long).toContain("\r\nContent-Length: 600000\r\n")
    const body = long.split("\r\n\r\n")[1] ?? ""
    expect(JSON.parse(body)).toMatchObject({ data: { release: "9.2" } })
  }).pipe(Effect.provide(front(once({ _tag: "chunked" }), {
    ...once({ _tag: "padded", bytes: 600_000 }),
    skip: 1
  }))))
