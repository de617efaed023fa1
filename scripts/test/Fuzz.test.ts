import { describe, it } from "@effect/vitest"
import { Work } from "@felhom/domain/ByteReader"
import { concatBytes } from "@felhom/domain/SshWire"
import { Effect, Either } from "effect"
import { setImmediate } from "node:timers/promises"
import { afterEach, expect } from "vitest"
import { type AnswerTarget, fuzzAnswers } from "../fuzz/AnswerTarget.ts"
import { answerTargets } from "../fuzz/AnswerTargets.ts"
import { payloadTargets } from "../fuzz/PayloadTargets.ts"
import { signatureTargets } from "../fuzz/SignatureTargets.ts"
import { differential, sshKeygen } from "../fuzz/SshKeygen.ts"
import { fuzz, type Target } from "../fuzz/Target.ts"

/** Always the same mutants, so that a red test stays red; npm run fuzz takes others each time. */
const seed = 20260601

// Nobody hears from a process whose tests leave its loop no turn, and after a minute that counts as a fault.
afterEach(async () => {
  await setImmediate()
})

/** A seed's first half, then so many of one byte, then its second half. */
const long = ({ seeds: [seed = new Uint8Array()] }: Target, byte: number, length: number): Uint8Array =>
  concatBytes([
    seed.subarray(0, seed.length / 2),
    new Uint8Array(length).fill(byte),
    seed.subarray(seed.length / 2)
  ])

const looksAt = (target: Target, input: Uint8Array): number => {
  const work = new Work()
  target.read(input, work)
  return work.bytes + 1_000
}

describe("a parser of what strangers send", () => {
  for (const target of [...signatureTargets(), ...payloadTargets]) {
    it(`of ${target.name} takes or refuses any of 2,000 mutants, in work that grows no faster than they do`, () => {
      const { accepted, refused } = fuzz(target, 2_000, seed)
      expect(accepted).toBeGreaterThan(100)
      expect(refused).toBeGreaterThan(100)
    })

    if (target.looksPerByte === undefined) continue
    it(`of ${target.name} does twice the work for twice the input, and not four times`, () => {
      for (const byte of [0x00, 0x20, 0x2c, 0x41, 0xff]) {
        expect(looksAt(target, long(target, byte, 8_000))).toBeLessThan(
          2.5 * looksAt(target, long(target, byte, 4_000))
        )
      }
    })
  }

  it("that throws, hides what is wrong, or looks at everything again and again, is found out", () => {
    const base = { name: "bad", seeds: [new Uint8Array(40)], looksPerByte: undefined }
    const answer = Either.right(1)
    const faults: ReadonlyArray<Target> = [
      {
        ...base,
        read: () => {
          throw new TypeError("undefined is not a function")
        }
      },
      {
        ...base,
        looksPerByte: 4,
        read: (input, work) => {
          work.bytes += input.length * input.length
          return answer
        }
      }
    ]
    for (const fault of faults) expect(() => fuzz(fault, 200, seed)).toThrow()
  })
})

describe("an answer of a server that lies", () => {
  it.scoped("is taken for an envelope or refused in words, whichever of 2,000 it is", () =>
    Effect.gen(function*() {
      const { accepted, refused } = yield* fuzzAnswers((yield* answerTargets).envelope, 2_000, seed)
      expect(accepted).toBeGreaterThan(100)
      expect(refused).toBeGreaterThan(100)
    }))

  it.scoped("is taken for Proxmox's or refused in words, whichever of 2,200 to 44 calls it is", () =>
    Effect.gen(function*() {
      const { proxmox } = yield* answerTargets
      expect(proxmox).toHaveLength(44)
      for (const target of proxmox) {
        const { accepted, refused } = yield* fuzzAnswers(target, 50, seed)
        expect([accepted > 0, refused > 0], target.name).toEqual([true, true])
      }
    }))

  it.effect("that makes a client throw is found out", () =>
    Effect.gen(function*() {
      const target: AnswerTarget = {
        name: "bad",
        seeds: ["{}"],
        ask: (status) => status === 200 ? Effect.dieMessage("undefined is not a function") : Effect.void
      }
      const defect = yield* Effect.flip(Effect.sandbox(fuzzAnswers(target, 50, seed)))
      expect(String(defect)).toContain("undefined is not a function")
    }))
})

describe("a signature that counts here", () => {
  const program = sshKeygen()
  it(
    program === undefined
      ? "is not compared with ssh-keygen: there is none on this machine"
      : "counts for ssh-keygen, too, in 2,000 cases of odd signatures, allow-lists and revocation lists",
    { timeout: 300_000 },
    async () => {
      if (program === undefined) return
      const { both, kinds, laxer, neither, stricter } = await differential(2_000, seed)
      expect(laxer).toEqual([])
      expect(both + neither + stricter).toBe(2_000)
      // Neither side may be one that refuses or accepts all: then the comparison would say nothing.
      expect(both).toBeGreaterThan(300)
      expect(neither).toBeGreaterThan(300)
      const every = "armor,blob,signed so,signers,signer lines,options,revocation text,KRL,KRL bytes"
      expect([...kinds].toSorted()).toEqual(every.split(",").toSorted())
    }
  )
})
