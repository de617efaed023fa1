import { describe, it } from "@effect/vitest"
import { AcceptedSigners } from "@felhom/authz/AcceptedSigners"
import { Signers } from "@felhom/authz/Signers"
import { SignersChain } from "@felhom/authz/SignersChain"
import type { SignersReason } from "@felhom/authz/SignersRefused"
import type { SignedVersion } from "@felhom/authz/SignersVersion"
import { EpochMillis } from "@felhom/domain/Time"
import { DurableLogError } from "@felhom/durable/DurableLogError"
import { ClockBehind } from "@felhom/durable/NonceStore"
import { layer as ed25519 } from "@felhom/node/NodeEd25519"
import { Effect, Encoding, Option, TestClock } from "effect"
import { expect } from "vitest"
import { keptPath, makeFiles, paths, policy, sha256, signed, signedText, textOf, type Wanted } from "./Fleet.ts"
import { keyText, newKey } from "./Signing.ts"

const nothingBefore = () => Effect.void
const follow = (version: SignedVersion) => Effect.flatMap(SignersChain, (chain) => chain.follow(version, nothingBefore))
const reading = Effect.flatMap(Signers, (signers) => signers.current)

/** A host that two must sign for, a fleet whose first version adds Carl, and the versions that may follow. */
const household = Effect.gen(function*() {
  yield* TestClock.setTime(1_800_000_000_000)
  const [anna, ben, carl, eve] = [yield* newKey, yield* newKey, yield* newKey, yield* newKey]
  const rootList = `anna ${keyText(anna)}\nben ${keyText(ben)}\n`
  const list = `${rootList}carl ${keyText(carl)}\n`
  const files = makeFiles({ [paths.signers]: rootList, [paths.policy]: policy({ threshold: 2 }) })
  const first: Wanted = { version: 1, from: { allowedSigners: rootList }, allowedSigners: list, keys: [anna, ben] }
  const second: Wanted = { ...first, version: 2, from: { allowedSigners: list } }
  const revokesBen: Wanted = { ...second, revoked: `${keyText(ben)}\n`, keys: [carl] }
  return { anna, ben, carl, eve, rootList, list, files, first, second, revokesBen }
})

type Household = Effect.Effect.Success<typeof household>

const names = Effect.map(reading, ({ signers }) => signers.signers.map(({ principals }) => principals))

describe("the fleet's signers", () => {
  it.effect("are taken version by version, and hold over a restart", () =>
    Effect.gen(function*() {
      const { anna, carl, files, first, list, second } = yield* household
      const [one, two] = [
        yield* signed(first),
        yield* signed({ ...second, allowedSigners: list.replace("ben", "benjamin"), keys: [anna, carl] })
      ]
      yield* Effect.gen(function*() {
        expect(Option.isSome(yield* follow(one))).toBe(true)
        expect(yield* names).toEqual(["anna", "ben", "carl"])
        expect(Option.isSome(yield* follow(two))).toBe(true)
        // What the host has already says nothing new.
        expect(yield* follow(two)).toEqual(Option.none())
      }).pipe(Effect.provide(files.layer))
      yield* Effect.gen(function*() {
        expect(yield* names).toEqual(["anna", "benjamin", "carl"])
        expect((yield* Effect.flip(follow(one))).reason).toBe("version-behind")
      }).pipe(Effect.provide(files.layer))
    }).pipe(Effect.provide(ed25519)))

  it.effect("lose one to a single signature of anybody who is still trusted, and that one signs nothing any more", () =>
    Effect.gen(function*() {
      const { anna, ben, files, first, list, revokesBen, second } = yield* household
      const [one, two] = [yield* signed(first), yield* signed(revokesBen)]
      const benToo = yield* signed({
        ...second,
        version: 3,
        from: { allowedSigners: list, revoked: `${keyText(ben)}\n` },
        keys: [anna, ben]
      })
      yield* Effect.gen(function*() {
        yield* follow(one)
        const taken = yield* follow(two)
        expect(Option.map(taken, ({ principals, revocation }) => ({ principals, revocation }))).toEqual(
          Option.some({ principals: ["carl"], revocation: true })
        )
        expect((yield* Effect.flip(follow(benToo))).detail).toContain("revoked")
      }).pipe(Effect.provide(files.layer))
    }).pipe(Effect.provide(ed25519)))

  it.effect("can be joined by a host whose own list is the fleet's, at whatever version", () =>
    Effect.gen(function*() {
      const { files, first } = yield* household
      const version = yield* signed({ ...first, version: 17 })
      yield* Effect.gen(function*() {
        expect(Option.isSome(yield* follow(version))).toBe(true)
      }).pipe(Effect.provide(files.layer))
    }).pipe(Effect.provide(ed25519)))
})

/** How each refusal comes about, on a host that has version 1. */
const attempts: { readonly [reason in SignersReason]?: (home: Household) => Partial<Wanted> | SignedVersion } = {
  size: () => ({ payload: "A".repeat(90_000), signatures: [] }),
  encoding: () => ({ payload: "no base64!", signatures: [] }),
  json: () => ({ changed: { version: 1.5 } }),
  schema: () => ({ changed: { more: true } }),
  namespace: ({ anna }) => ({ namespace: "op.v1@felhom.eu", keys: [anna] }),
  unlisted: ({ eve }) => ({ keys: [eve] }),
  "other-fleet": () => ({ changed: { fleet: "e".repeat(32) } }),
  "version-behind": () => ({ version: 1, changed: { reason: "another one" } }),
  "version-jump": () => ({ version: 1_000_002 }),
  from: ({ rootList }) => ({ from: { allowedSigners: rootList } }),
  "last-signer": ({ anna, ben, carl }) => ({ revoked: [anna, ben, carl].map(keyText).join("\n"), keys: [anna] }),
  policy: ({ files }) => {
    files.put(paths.policy, "{}")
    return {}
  },
  revocations: ({ files }) => {
    files.put(paths.revoked, "no key")
    return {}
  },
  revoked: ({ ben, files }) => {
    files.put(paths.revoked, `${keyText(ben)}\n`)
    return { keys: [ben] }
  },
  expired: ({ anna, files, rootList }) => {
    files.put(paths.signers, rootList.replace("anna", "anna valid-before=\"20200101Z\""))
    return { keys: [anna] }
  },
  store: ({ carl, files, revokesBen }) => {
    files.fill(true)
    return { ...revokesBen, keys: [carl] }
  }
}

describe("a version of the fleet's signers is refused, and the one before holds", () => {
  for (const [reason, attempt] of Object.entries(attempts)) {
    it.effect(`with ${reason}`, () =>
      Effect.gen(function*() {
        const home = yield* household
        const one = yield* signed(home.first)
        yield* Effect.gen(function*() {
          yield* follow(one)
          const held = yield* Effect.flatMap(AcceptedSigners, (accepted) => accepted.current)
          const attempted = attempt(home)
          const version = "payload" in attempted ? attempted : yield* signed({ ...home.second, ...attempted })
          expect((yield* Effect.flip(follow(version))).reason).toBe(reason)
          expect(yield* Effect.flatMap(AcceptedSigners, (accepted) => accepted.current)).toEqual(held)
        }).pipe(Effect.provide(home.files.layer))
      }).pipe(Effect.provide(ed25519)))
  }

  const refusedAs = (wanted: (home: Household) => Partial<Wanted>) =>
    Effect.gen(function*() {
      const home = yield* household
      const [one, two] = [yield* signed(home.first), yield* signed({ ...home.second, ...wanted(home) })]
      return yield* Effect.zipRight(follow(one), Effect.flip(follow(two))).pipe(Effect.provide(home.files.layer))
    }).pipe(Effect.provide(ed25519))

  it.effect("where too few of the list before signed it", () =>
    Effect.gen(function*() {
      const error = yield* refusedAs(({ anna, list }) => ({ allowedSigners: `${list}\n`, keys: [anna] }))
      expect(error.reason).toBe("threshold")
      expect(error.detail).toContain("by the signers that hold now")
    }))

  it.effect("where too few of those that it names itself signed it", () =>
    Effect.gen(function*() {
      const error = yield* refusedAs(({ anna, ben, carl, eve }) => ({
        allowedSigners: `carl ${keyText(carl)}\neve ${keyText(eve)}\n`,
        keys: [anna, ben]
      }))
      expect(error.reason).toBe("threshold")
      expect(error.detail).toContain("by the signers that it names")
    }))

  it.effect("where it leaves fewer than the policy asks for", () =>
    Effect.gen(function*() {
      const error = yield* refusedAs(({ anna, ben }) => ({
        allowedSigners: `anna ${keyText(anna)}\nben namespaces="signers.v1@felhom.eu" ${keyText(ben)}\n`
      }))
      expect(error.reason).toBe("too-few")
      expect(error.detail).toContain("op.v1@felhom.eu")
    }))

  it.effect("where it continues from another list of revoked keys, or brings more signatures than anybody needs", () =>
    Effect.gen(function*() {
      const other = yield* refusedAs(({ anna, ben, list }) => ({
        allowedSigners: `${list}\n`,
        from: { allowedSigners: list, revoked: `${keyText(ben)}\n` },
        keys: [anna, ben]
      }))
      expect(other.message).toMatch(
        /^signers refused \(from\): it continues from another list of revoked keys than this host's; make it anew/
      )
      const many = yield* refusedAs(({ anna }) => ({ keys: Array.from({ length: 17 }, () => anna) }))
      expect([many.reason, many.detail]).toEqual(["size", "it has 17 signatures, more than 16"])
      expect(many.sha256).not.toBeNull()
    }))

  it.effect("by a clock that was set back, and while nobody knows how late it is", () =>
    Effect.gen(function*() {
      const { files, first } = yield* household
      const one = yield* signed(first)
      const behind = new ClockBehind({ now: EpochMillis.make(0), lastSeen: EpochMillis.make(1000) })
      const lost = new DurableLogError({ reason: "lost", path: "/state/nonces.log", detail: "it is gone" })
      yield* Effect.gen(function*() {
        files.tellTime(behind)
        const { message } = yield* Effect.flip(follow(one))
        expect(message).toMatch(/^signers refused \(clock-behind\): .*; set the host's clock right/)
        files.tellTime(lost)
        expect(yield* Effect.flip(follow(one))).toMatchObject({ reason: "store", detail: lost.message })
        expect(yield* names).toEqual(["anna", "ben"])
      }).pipe(Effect.provide(files.layer))
    }).pipe(Effect.provide(ed25519)))

  it.effect("where one of its lists can't be read", () =>
    Effect.gen(function*() {
      expect((yield* refusedAs(() => ({ allowedSigners: "anna\n" }))).detail).toContain("line 1")
      expect((yield* refusedAs(() => ({ revoked: "nobody\n" }))).detail).toContain("its revoked")
    }))

  it.effect("where one signer alone gives a revoked key back, or says nothing new", () =>
    Effect.gen(function*() {
      const { anna, ben, carl, files, first, list, revokesBen } = yield* household
      const revoked = `${keyText(ben)}\n`
      const [one, two] = [yield* signed(first), yield* signed(revokesBen)]
      const after: Wanted = { ...revokesBen, version: 3, from: { allowedSigners: list, revoked } }
      const [back, same, both] = [
        yield* signed({ ...after, revoked: "", keys: [carl] }),
        yield* signed({ ...after, revoked: `${revoked}# more\n`, keys: [carl] }),
        yield* signed({ ...after, revoked: "", keys: [carl, anna] })
      ]
      yield* Effect.gen(function*() {
        yield* follow(one)
        yield* follow(two)
        expect((yield* Effect.flip(follow(back))).reason).toBe("threshold")
        expect((yield* Effect.flip(follow(same))).reason).toBe("threshold")
        expect(Option.isSome(yield* follow(both))).toBe(true)
      }).pipe(Effect.provide(files.layer))
    }).pipe(Effect.provide(ed25519)))
})

describe("root's word stands above the fleet's", () => {
  it.effect("an edited file holds, what the fleet revoked stays revoked, and the chain waits for what continues from that", () =>
    Effect.gen(function*() {
      const { anna, ben, eve, files, first, list, revokesBen } = yield* household
      const edited = `anna ${keyText(anna)}\nben ${keyText(ben)}\neve ${keyText(eve)}\n`
      const revoked = `${keyText(ben)}\n`
      const next: Wanted = {
        ...first,
        version: 9,
        allowedSigners: edited,
        revoked,
        from: { allowedSigners: list, revoked }
      }
      const [one, two, three, four] = [
        yield* signed(first),
        yield* signed(revokesBen),
        yield* signed({ ...next, keys: [anna, eve] }),
        yield* signed({ ...next, version: 10, from: { allowedSigners: edited, revoked }, keys: [anna, eve] })
      ]
      yield* Effect.gen(function*() {
        yield* follow(one)
        yield* follow(two)
        files.put(paths.signers, edited)
        const now = yield* reading
        expect(now).toMatchObject({ followed: false, sha256: sha256(edited) })
        expect(now.revoked.keys.size).toBe(1)
        expect((yield* Effect.flip(follow(three))).reason).toBe("from")
        expect(Option.isSome(yield* follow(four))).toBe(true)
        expect(yield* reading).toMatchObject({ followed: true })
      }).pipe(Effect.provide(files.layer))
    }).pipe(Effect.provide(ed25519)))

  it.effect("whom root revoked stays out, whatever the fleet says", () =>
    Effect.gen(function*() {
      const { anna, files, first } = yield* household
      const one = yield* signed(first)
      yield* Effect.gen(function*() {
        yield* follow(one)
        files.put(paths.revoked, `${keyText(anna)}\n`)
        expect((yield* reading).revoked.keys.size).toBe(1)
      }).pipe(Effect.provide(files.layer))
    }).pipe(Effect.provide(ed25519)))
})

describe("the file that keeps the fleet's signers", () => {
  it.effect("lets nobody sign once it can't be read, and is not overwritten", () =>
    Effect.gen(function*() {
      const { files, first } = yield* household
      const one = yield* signed(first)
      yield* Effect.provide(follow(one), files.layer)
      const whole = files.text(keptPath)
      const holding = (text: string, hash = sha256(text)) =>
        whole.replace(/"document":"[^"]*"/, `"document":"${Encoding.encodeBase64(text)}"`)
          .replace(/"sha256":"[^"]*"/, `"sha256":"${hash}"`)
      expect(holding(textOf(first))).toBe(whole)
      const bads = [
        "",
        "{}",
        whole.slice(0, -20),
        holding(`${textOf(first)} `, sha256(textOf(first))),
        whole.replace("\"document\":\"", "\"document\":\"!"),
        holding("{}"),
        holding(textOf({ ...first, allowedSigners: "anna\n" })),
        holding(textOf({ ...first, revoked: "nobody\n" })),
        whole.replace("accepted-signers/v1", "accepted-policy/v1"),
        whole.replace(/"anchor":"[^"]*"/, "\"anchor\":null")
      ]
      expect(new Set([whole, ...bads]).size).toBe(11)
      for (const bad of bads) {
        files.put(keptPath, bad)
        yield* Effect.gen(function*() {
          const error = yield* Effect.flip(Effect.asVoid(reading))
          expect(error.reason).toBe("store")
          expect(error.message).toContain(keptPath)
          expect((yield* Effect.flip(follow(one))).reason).toBe("store")
        }).pipe(Effect.provide(files.layer))
        expect(files.text(keptPath)).toBe(bad)
      }
      files.put(keptPath, whole)
      expect(yield* Effect.provide(names, files.layer)).toHaveLength(3)
    }).pipe(Effect.provide(ed25519)))

  it.effect("is written only once the version is in the audit chain", () =>
    Effect.gen(function*() {
      const { files, first } = yield* household
      const one = yield* signed(first)
      yield* Effect.gen(function*() {
        const chain = yield* SignersChain
        const full = new DurableLogError({ reason: "full", path: "/state/audit.log", detail: "no space" })
        expect((yield* Effect.flip(chain.follow(one, () => full))).reason).toBe("store")
        expect(yield* names).toEqual(["anna", "ben"])
      }).pipe(Effect.provide(files.layer))
    }).pipe(Effect.provide(ed25519)))
})

describe("a signed signers.update", () => {
  it.effect("brings a list that does not continue from the present one, signed by those whom it names", () =>
    Effect.gen(function*() {
      const { anna, ben, carl, eve, files, first, rootList } = yield* household
      const text = textOf({
        ...first,
        version: 5,
        from: { allowedSigners: "another list" },
        allowedSigners: `carl ${keyText(carl)}\neve ${keyText(eve)}\n`
      })
      const [theirs, ours, one] = [
        yield* signedText(text, [carl, eve]),
        yield* signedText(text, [anna, ben]),
        yield* signedText(text, [carl])
      ]
      const shown = { version: 0, sha256: sha256(rootList) }
      yield* Effect.gen(function*() {
        const chain = yield* SignersChain
        expect((yield* Effect.flip(chain.adopt(ours, shown))).reason).toBe("threshold")
        expect((yield* Effect.flip(chain.adopt(one, shown))).detail).toContain("1 of the 2 signers")
        expect(yield* chain.adopt(theirs, { ...shown, version: 1 })).toContain("version 0")
        expect(yield* chain.adopt(theirs, { ...shown, sha256: sha256("") })).toContain("another list")
        expect(yield* chain.adopt(theirs, shown)).toBeUndefined()
        expect(yield* names).toEqual(["carl", "eve"])
        // In one fleet the number only goes up, whoever signs.
        const again = yield* Effect.flip(chain.adopt(theirs, { version: 5, sha256: (yield* reading).sha256 }))
        expect(again.reason).toBe("version-behind")
      }).pipe(Effect.provide(files.layer))
    }).pipe(Effect.provide(ed25519)))

  it.effect("takes the host into another fleet, whose numbers are its own", () =>
    Effect.gen(function*() {
      const { anna, ben, carl, files, first, list, rootList } = yield* household
      const theirs = { ...first, allowedSigners: rootList, changed: { fleet: "e".repeat(32) } }
      const [nine, other, far] = [
        yield* signed({ ...first, version: 9, keys: [anna, ben, carl] }),
        yield* signed(theirs),
        yield* signed({ ...theirs, version: 1_000_001 })
      ]
      yield* Effect.gen(function*() {
        const chain = yield* SignersChain
        yield* follow(nine)
        const shown = { version: 9, sha256: sha256(list) }
        expect((yield* Effect.flip(chain.adopt(far, shown))).reason).toBe("version-jump")
        expect(yield* chain.adopt(other, shown)).toBeUndefined()
        expect(yield* names).toEqual(["anna", "ben"])
      }).pipe(Effect.provide(files.layer))
    }).pipe(Effect.provide(ed25519)))

  it.effect("is not done while the signers can't be read or written, nor where root edits them in this very moment", () =>
    Effect.gen(function*() {
      const { files, first, rootList } = yield* household
      const one = yield* signed(first)
      const shown = { version: 0, sha256: sha256(rootList) }
      yield* Effect.gen(function*() {
        const { adopt } = yield* SignersChain
        files.put(paths.revoked, "no key")
        expect(yield* Effect.flip(adopt(one, shown))).toMatchObject({ reason: "store", sha256: sha256(textOf(first)) })
        files.put(paths.revoked, "")
        files.fill(true)
        expect((yield* Effect.flip(adopt(one, shown))).message).toMatch(/^signers refused \(store\): .*ENOSPC/)
        files.fill(false)
        let looks = 0
        files.onRead((path) => {
          if (path !== paths.signers) return
          looks += 1
          if (looks === 2) files.put(paths.signers, `# edited\n${rootList}`)
        })
        expect(yield* adopt(one, shown)).toBe("root has just edited the host's allow-list")
        expect(yield* reading).toMatchObject({ held: Option.none(), followed: false })
      }).pipe(Effect.provide(files.layer))
    }).pipe(Effect.provide(ed25519)))
})
