import { describe, it } from "@effect/vitest"
import { AcceptedPolicy } from "@felhom/authz/AcceptedPolicy"
import { HostPolicy } from "@felhom/authz/HostPolicy"
import { Effect, Encoding, Option } from "effect"
import { expect } from "vitest"
import { keptPolicyPath, makeFiles, paths, policy, sha256 } from "./Fleet.ts"
import { bytes } from "./Signing.ts"

const roots = policy({ threshold: 3 })
const widened = policy({ threshold: 1 })

const keep = (text: string) => Effect.flatMap(AcceptedPolicy, (accepted) => accepted.keep(bytes(text), sha256(roots)))
const held = Effect.flatMap(AcceptedPolicy, (accepted) => accepted.current)
const reading = Effect.flatMap(HostPolicy, ({ current }) => current)
const threshold = Effect.map(reading, (now) => now.policy.signatures.threshold)

const host = () => makeFiles({ [paths.policy]: roots })

describe("a policy that operators signed for", () => {
  it.effect("takes the place of root's, also after a restart, until root edits that", () =>
    Effect.gen(function*() {
      const files = host()
      yield* Effect.gen(function*() {
        expect(yield* held).toEqual(Option.none())
        expect(yield* threshold).toBe(3)
        yield* keep(widened)
        expect(yield* threshold).toBe(1)
      }).pipe(Effect.provide(files.layer))
      yield* Effect.gen(function*() {
        expect(yield* reading).toMatchObject({ sha256: sha256(widened), root: sha256(roots), problem: Option.none() })
        expect(Option.map(yield* held, ({ anchor }) => anchor)).toEqual(Option.some(sha256(roots)))
        yield* keep(policy({ threshold: 2 }))
        expect(yield* threshold).toBe(2)
        files.put(paths.policy, policy({ threshold: 4 }))
        expect(yield* threshold).toBe(4)
      }).pipe(Effect.provide(files.layer))
    }))

  it.effect("stays the one before where the disk is full", () =>
    Effect.gen(function*() {
      const files = host()
      yield* Effect.gen(function*() {
        yield* keep(widened)
        files.fill(true)
        expect(yield* Effect.flip(keep(policy({ threshold: 2 })))).toMatchObject({ reason: "io" })
        expect(yield* threshold).toBe(1)
      }).pipe(Effect.provide(files.layer))
    }))

  it.effect("lets nothing be destroyed once its file can't be read, and is not overwritten", () =>
    Effect.gen(function*() {
      const files = host()
      yield* Effect.provide(keep(widened), files.layer)
      const whole = files.text(keptPolicyPath)
      const holding = (text: string, hash = sha256(text)) =>
        whole.replace(/"document":"[^"]*"/, `"document":"${Encoding.encodeBase64(text)}"`)
          .replace(/"sha256":"[^"]*"/, `"sha256":"${hash}"`)
      expect(holding(widened)).toBe(whole)
      const bads: ReadonlyArray<readonly [file: string, why: string]> = [
        ["", "JSON"],
        [whole.slice(0, -20), "JSON"],
        [whole.replace("v1", "v2"), "felhom/accepted-policy/v1"],
        [holding(roots, sha256(widened)), "what it holds has not the hash it names"],
        [whole.replace("\"document\":\"", "\"document\":\"!"), "base64"],
        [holding("{}"), "typ"]
      ]
      for (const [bad, why] of bads) {
        files.put(keptPolicyPath, bad)
        yield* Effect.gen(function*() {
          const { message } = yield* Effect.flip(held)
          expect(message).toContain(keptPolicyPath)
          expect(message).toContain(why)
          expect((yield* reading).problem).toEqual(Option.some(message))
          expect(yield* Effect.flip(keep(widened))).toMatchObject({ reason: "unreadable" })
        }).pipe(Effect.provide(files.layer))
        expect(files.text(keptPolicyPath)).toBe(bad)
      }
    }))
})
