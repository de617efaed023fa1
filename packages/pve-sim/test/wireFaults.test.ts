import { it } from "@effect/vitest"
import type { FaultRule } from "@felhom/pve-sim/Fault"
import { HttpsFront } from "@felhom/pve-sim/HttpsFront"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { Effect, Layer } from "effect"
import * as Tls from "node:tls"
import { expect } from "vitest"
import { secrets } from "./Asking.ts"

const front = (...faults: ReadonlyArray<FaultRule>) =>
  HttpsFront.layer({ host: "127.0.0.1", port: 0 }).pipe(Layer.provideMerge(PveSim.layer({ secrets, faults })))

const sure = { path: "*", type: "*", skip: 0, times: 1, chance: 1 }

/** Asks on a connection of its own; all that came until it was closed, and the leaf that was shown. */
const asked = (path: string) =>
  Effect.gen(function*() {
    const { url } = yield* HttpsFront
    return yield* Effect.async<{ readonly text: string; readonly leaf: string }>((resume) => {
      let text = ""
      let leaf = ""
      const socket = Tls.connect({ host: "127.0.0.1", port: Number(new URL(url).port), rejectUnauthorized: false })
      socket.on("secureConnect", () => {
        leaf = socket.getPeerCertificate().fingerprint256
        socket.write(
          `GET /api2/json${path} HTTP/1.1\r\nHost: pve\r\n` +
            "Authorization: PVEAPIToken=felhom-agent@pve!agent=agent-secret\r\n\r\n"
        )
      })
      socket.on("data", (chunk: Buffer) => {
        text += chunk.toString("utf8")
        if (text.includes("\"data\"") && text.endsWith("}")) socket.end()
      })
      // A reset is what some of these are about.
      socket.on("error", () => socket.destroy())
      socket.on("close", () => resume(Effect.succeed({ text, leaf })))
    })
  })

it.live("a reset answers nothing, and the next connection is served again", () =>
  Effect.gen(function*() {
    expect((yield* asked("/version")).text).toBe("")
    expect((yield* asked("/version")).text).toContain("HTTP/1.1 200 OK")
  }).pipe(Effect.provide(front({ ...sure, fault: { _tag: "reset", when: "before" } }))))

it.live("a truncated answer promises more than comes", () =>
  Effect.gen(function*() {
    const { text } = yield* asked("/version")
    const [head = "", body = ""] = text.split("\r\n\r\n")
    const promised = Number(/Content-Length: (\d+)/.exec(head)?.[1])
    expect(body.length).toBeGreaterThan(0)
    expect(body.length).toBeLessThan(promised)
  }).pipe(Effect.provide(front({ ...sure, fault: { _tag: "truncate" } }))))

it.live("after a reload old and new leaf take turns", () =>
  Effect.gen(function*() {
    const certificates = yield* (yield* HttpsFront).certificates
    expect((yield* asked("/version")).leaf).toBe(certificates.original.leaf)
    const leaves = [(yield* asked("/version")).leaf, (yield* asked("/version")).leaf, (yield* asked("/version")).leaf]
    expect(new Set(leaves)).toEqual(new Set([certificates.original.leaf, certificates.renewed.leaf]))
  }).pipe(
    Effect.provide(front({ ...sure, fault: { _tag: "certificate", serve: "renewed", alternating: 3600 } }))
  ))
