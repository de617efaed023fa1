import { describe, it } from "@effect/vitest"
import { nothingRevoked, readRevocationList } from "@felhom/authz/RevocationList"
import { HostId } from "@felhom/domain/HostId"
import { FleetId } from "@felhom/domain/SignersDocument"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import * as NodeSignatureCrypto from "@felhom/node/NodeSignatureCrypto"
import { renderLog } from "@felhom/operator/SignersLog"
import { nextVersion } from "@felhom/operator/SignersProposal"
import { heldIn, type Trail, trailOf } from "@felhom/operator/SignersTrail"
import { changeWords, listWords } from "@felhom/operator/SignersWords"
import { paint } from "@felhom/operator/Table"
import { Effect, Either, Layer } from "effect"
import { generateKeyPairSync } from "node:crypto"
import { expect } from "vitest"
import { hostId } from "./HostBuilder.ts"

/** Turns the line round, begins what looks like ours, and is as long as a name may be. */
const evil = `\u202e"bert"\u2066\u009b31m${"x".repeat(150)}`

const blob = (type: string, ...parts: ReadonlyArray<Uint8Array>): string => {
  const string = (bytes: Uint8Array) => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(bytes.length)
    return Buffer.concat([length, bytes])
  }
  return Buffer.concat([string(Buffer.from(type)), ...parts.map(string)]).toString("base64")
}

const key = (): string => {
  const { publicKey } = generateKeyPairSync("ed25519")
  return `ssh-ed25519 ${blob("ssh-ed25519", publicKey.export({ type: "spki", format: "der" }).subarray(-32))}`
}

const allowed = (text: string): boolean =>
  !/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/.test(text)

const services = Layer.merge(NodeCrypto.layer, NodeSignatureCrypto.layer)
const fleet = FleetId.make("f".repeat(32))

const trailWith = (allowedSigners: string): Effect.Effect<Trail, unknown, Layer.Layer.Success<typeof services>> =>
  trailOf({ fleet, threshold: 1, anchor: { allowedSigners }, versions: [] })

const plain = (cells: ReadonlyArray<Parameters<typeof paint>[0]>) => cells.map((cell) => paint(cell, false))

describe("a list of signers", () => {
  // A principal may hold all that is no control character of ASCII and no quote.
  const name = evil.replaceAll("\"", "").replaceAll("\u009b", "\u0085")

  it.effect("says who is on it on lines of its own, in its own direction, whatever its names are", () =>
    Effect.gen(function*() {
      const before = yield* trailWith(`anna ${key()}\n${name} namespaces="${name}" ${key()}\n`)
      const after = yield* trailWith(`carla ${key()}\n`)
      for (
        const lines of [
          plain(yield* changeWords(before.reading, after.reading)),
          plain(yield* changeWords(after.reading, before.reading)),
          plain(yield* listWords(before.reading))
        ]
      ) {
        for (const line of lines) {
          expect(allowed(line)).toBe(true)
          expect(line.length).toBeLessThan(700)
        }
        expect(lines.filter((line) => line.startsWith("  comes") || line.startsWith("  may sign"))).toHaveLength(1)
      }
    }).pipe(Effect.provide(services)))

  it.effect("says whose key comes back that was revoked, and marks whose is", () =>
    Effect.gen(function*() {
      const carla = key()
      const { reading: { signers } } = yield* trailWith(`anna ${key()}\ncarla ${carla}\n`)
      const revoked = Either.getOrThrow(readRevocationList(new TextEncoder().encode(`${carla}\n`)))
      const out = { signers, revoked }
      const back = { signers, revoked: nothingRevoked }
      expect(plain(yield* changeWords(out, back)).join("\n")).toMatch(
        /PARDONED +"carla" {2}ssh-ed25519 SHA256:\S+; it was revoked/
      )
      expect(plain(yield* changeWords(back, out)).join("\n")).toMatch(/REVOKED +"carla"/)
      const standing = plain(yield* listWords(out))
      expect(standing[1]).toMatch(/"carla" .*; REVOKED$/)
      expect(standing.join("\n")).toContain("ops 1: \"anna\"")
    }).pipe(Effect.provide(services)))

  it.effect("shows names as they were written", () =>
    Effect.gen(function*() {
      const { reading } = yield* trailWith(`zo\u00eb ${key()}\n`)
      expect(plain(yield* listWords(reading))[0]).toContain("\"zo\u00eb\"  ssh-ed25519 SHA256:")
    }).pipe(Effect.provide(services)))

  it.effect("leaves nobody unsaid, however many come", () =>
    Effect.gen(function*() {
      const before = yield* trailWith(`anna ${key()}\n`)
      const after = yield* trailWith(Array.from({ length: 200 }, (_, index) => `signer${index} ${key()}\n`).join(""))
      const said = plain(yield* changeWords(before.reading, after.reading)).join("\n")
      for (let index = 0; index < 200; index += 1) expect(said).toContain(`"signer${index}"`)
    }).pipe(Effect.provide(services)))

  it.effect("is logged without obeying its reason or what a host is called", () =>
    Effect.gen(function*() {
      const trail = yield* trailWith(`anna ${key()}\n`)
      const bytes = yield* nextVersion(trail, { allowedSigners: `anna ${key()}\n`, revoked: "" }, evil)
      const held = yield* heldIn({ payload: Buffer.from(bytes).toString("base64"), signatures: [] })
      const lines = yield* renderLog(
        trail,
        [{
          version: 1,
          state: "verified",
          sha256: held.sha256,
          issued: 1,
          reason: held.document.reason,
          signers: 1,
          revoked: 0
        }],
        [{
          host: HostId.make(hostId),
          node: evil,
          version: null,
          fleet: evil,
          doubt: evil,
          edited: false,
          saidAt: null
        }],
        false
      )
      for (const line of lines) expect(allowed(line)).toBe(true)
    }).pipe(Effect.provide(services)))
})
