import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect } from "vitest"
import { noSshKeygen, sshKeygen } from "./OpWorld.ts"
import { documentIn, fingerprintOf, listLine, sha256, signersWorld, trustOf } from "./SignersWorld.ts"
import { makeHub, makePerson } from "./TrustWorld.ts"

const because = noSshKeygen === undefined ? "" : ` (${noSshKeygen})`
const test = noSshKeygen === undefined ? it.scopedLive : it.scopedLive.skip

describe(`a fleet's signers${because}`, () => {
  test("begin with the list that root put on the hosts, signed as ssh-keygen itself verifies it", () =>
    Effect.gen(function*() {
      const { anna, begin, bert, file, given, keys, root } = yield* signersWorld
      const begun = yield* begin()
      expect(begun).toMatchObject({ code: 0, err: "" })
      for (
        const word of [
          "BEGIN THE SIGNERS of fleet",
          "comes        nobody",
          `stays        "anna"  ssh-ed25519 ${fingerprintOf(anna)}`,
          `"bert"  ecdsa-sha2-nistp256 ${fingerprintOf(bert)}`,
          "ops 2: \"anna\", \"bert\"",
          "reason       \"it begins\"",
          "which counts for both lists",
          "version 1 goes to the hosts"
        ]
      ) expect(begun.out).toContain(word)
      const [version] = yield* given(trustOf(root))
      if (version === undefined) return expect.unreachable()
      expect(documentIn(version)).toMatchObject({
        version: 1,
        from: { allowedSigners: sha256(root), revoked: sha256("") },
        allowedSigners: root,
        revoked: "",
        reason: "it begins"
      })
      const signature = file("signature", version.signatures[0] ?? "")
      const verified = sshKeygen(
        ["-Y", "verify", "-f", file("allowed", root), "-I", "anna", "-n", "signers.v1@felhom.eu", "-s", signature],
        Buffer.from(version.payload, "base64")
      )
      expect(verified.status).toBe(0)
      expect(readFileSync(join(keys, "root"), "utf8")).toBe(root)
    }))

  test("may be as long as a list can be, and are brought by operators only", () =>
    Effect.gen(function*() {
      const { anna, bert, file, given, hub, root } = yield* signersWorld
      const viewer = yield* makePerson(hub, yield* hub.token("viewer"))
      const padding = `# ${"x".repeat(60_000)}\n`
      const make = ["signers", "new", "--allowed-signers", file("long", padding + root), "--from", file("list", root)]
      const rest = ["--reason", "r", "--key", bert, "--yes-i-mean", "version 1"]
      expect(yield* viewer.felhom([...make, ...rest])).toMatchObject({
        code: 1,
        err: expect.stringContaining("takes the role operator")
      })

      const operator = yield* makePerson(hub, yield* hub.token("operator", "bert"))
      expect(yield* operator.felhom([...make, ...rest])).toMatchObject({ code: 0 })
      expect((yield* given(trustOf(root))).map((signed) => documentIn(signed).allowedSigners)).toEqual([padding + root])
      const tooLong = [
        "signers",
        "new",
        "--allowed-signers",
        file("longer", `${padding}# ${"y".repeat(6_000)}\n${root}`)
      ]
      expect(yield* operator.felhom([...tooLong, "--reason", "r", "--key", anna, "--yes-i-mean", "version 2"]))
        .toMatchObject({
          code: 2,
          err: expect.stringContaining("65536")
        })
    }))

  test("go on with a list that says by name, type and fingerprint who comes and who goes", () =>
    Effect.gen(function*() {
      const { anna, begin, bert, carla, given, propose, root } = yield* signersWorld
      yield* begin()
      const [first] = yield* given(trustOf(root))
      const next = listLine("anna", anna) + listLine("carla", carla, "namespaces=\"*\",valid-before=\"20991231Z\"")
      const made = yield* propose(next, 2)
      expect(made).toMatchObject({ code: 0, err: "" })
      for (
        const word of [
          "version 2 in the place of version 1",
          `comes        "carla"  ssh-ed25519 ${fingerprintOf(carla)}; only for "*", until 2099-12-31`,
          `goes         "bert"  ecdsa-sha2-nistp256 ${fingerprintOf(bert)}`,
          "lists 2: \"anna\", \"carla\""
        ]
      ) expect(made.out).toContain(word)
      const versions = yield* given(trustOf(root, first))
      expect(versions.map((signed) => documentIn(signed).version)).toEqual([2])
    }))

  test("go on from what root wrote on the hosts, when too few were left to sign", () =>
    Effect.gen(function*() {
      const { anna, begin, bert, carla, colleague, exchange, file, given, operator, root } = yield* signersWorld
      yield* begin()
      const [first] = yield* given(trustOf(root))
      const edited = listLine("carla", carla)
      const taken = trustOf(root, first)
      const held = { ...taken, signers: sha256(edited), fleet: { ...taken.fleet, followed: false } }
      yield* given(held)
      expect((yield* operator.felhom(["signers", "log"])).out).toContain("root has edited its own list since")
      const next = edited + listLine("bert", bert)
      const make = [
        "signers",
        "new",
        "--allowed-signers",
        file("next", next),
        "--reason",
        "r",
        "--yes-i-mean",
        "version 2",
        "--from",
        file("edited", edited),
        "--key"
      ]
      // Who was on the list before has no say any more.
      expect(yield* operator.felhom([...make, anna])).toMatchObject({
        code: 2,
        err: expect.stringContaining("neither by")
      })
      const made = yield* operator.felhom([...make, carla])
      expect(made).toMatchObject({ code: 0, out: expect.stringContaining("which counts for both lists") })
      const { signers } = yield* exchange(held)
      expect(signers.map(documentIn)).toMatchObject([
        { version: 2, from: { allowedSigners: sha256(edited), revoked: sha256("") } }
      ])
      expect((yield* operator.felhom(["signers", "log"])).out).toContain("version 2 verified on this machine")
      // A colleague who has root's list by another way verifies it, too.
      const other = yield* colleague("dora")
      const trusts = ["signers", "trust", "--host", "attic", "--allowed-signers"]
      expect(yield* other.felhom([...trusts, file("next", next)])).toMatchObject({
        code: 2,
        err: expect.stringContaining("is not the list of attic")
      })
      expect(yield* other.felhom([...trusts, file("edited", edited)])).toMatchObject({
        code: 0,
        out: expect.stringContaining("verified to version 2")
      })
    }))

  test("are signed only by who types which version it is, and only where somebody could sign the next", () =>
    Effect.gen(function*() {
      const { anna, begin, bert, file, given, operator, propose, root } = yield* signersWorld
      for (const types of ["", "yes", "version", "version 2", "1"]) {
        const refused = yield* operator.felhom(
          ["signers", "new", "--allowed-signers", file("list", root), "--reason", "r", "--key", anna],
          { types }
        )
        expect(refused).toMatchObject({ code: 2, err: expect.stringContaining("nothing was signed") })
      }
      expect(yield* operator.felhom(["signers", "log"])).toMatchObject({
        code: 1,
        err: expect.stringContaining("knows no fleet's signers yet")
      })
      yield* begin()
      const [first] = yield* given(trustOf(root))
      const forOps = "namespaces=\"op.v1@felhom.eu\""
      const dead = listLine("anna", anna, forOps) + listLine("bert", bert, forOps)
      expect(yield* propose(dead, 2)).toMatchObject({
        code: 2,
        err: expect.stringContaining("nothing was signed: 0 signers of the new list could sign lists")
      })
      expect(yield* propose(root, 2)).toMatchObject({ code: 2, err: expect.stringContaining("nothing would change") })
      expect(yield* propose("anna nonsense\n", 2)).toMatchObject({ code: 2, err: expect.stringContaining("line 1") })
      expect(yield* propose("anna \ufffd", 2)).toMatchObject({ code: 2 })
      expect(yield* propose(listLine("bert", bert), 3)).toMatchObject({
        code: 2,
        err: expect.stringContaining("\"version 3\" is not \"version 2\"")
      })
      expect(yield* given(trustOf(root, first))).toEqual([])
    }))

  test("are signed by as many as it takes, each after the same words, and go out when they are complete", () =>
    Effect.gen(function*() {
      const { anna, begin, bert, carla, colleague, given, propose, root } = yield* signersWorld
      const first = yield* begin(["--threshold", "2"])
      expect(first).toMatchObject({ code: 0, out: expect.stringContaining("a host would not take it yet") })
      expect(first.out).toContain("version 1 has 1 of 2 signatures")
      expect(yield* given(trustOf(root))).toEqual([])
      const name = /felhom sign ([0-9a-f]{12})/.exec(first.out)?.[1] ?? ""
      const second = yield* colleague("bert")
      // Nobody signs what they can't hold against something that they verified.
      const sign = ["sign", name, "--key", bert, "--yes-i-mean", "version 1"]
      expect(yield* second.felhom(sign)).toMatchObject({ code: 2, err: expect.stringContaining("knows no fleet") })
      expect(yield* second.felhom(["signers", "trust", "--host", "attic", "--threshold", "2"])).toMatchObject({
        code: 0,
        out: expect.stringContaining("verified to version 0")
      })
      const cosigned = yield* second.felhom(sign)
      expect(cosigned).toMatchObject({ code: 0, err: "" })
      expect(cosigned.out).toContain("BEGIN THE SIGNERS of fleet")
      const [version] = yield* given(trustOf(root))
      expect(version?.signatures).toHaveLength(2)
      // Bert goes and Carla comes: both of the old list sign, and two of the new one.
      const next = listLine("anna", anna) + listLine("carla", carla)
      const made = yield* propose(next, 2)
      expect(made.out).toContain("has 1 of 3 signatures")
      const other = /felhom sign ([0-9a-f]{12})/.exec(made.out)?.[1] ?? ""
      expect((yield* second.felhom(["sign", other, "--key", bert, "--yes-i-mean", "version 2"])).out).toContain(
        "which counts for the present list"
      )
      expect(yield* given(trustOf(root, version))).toEqual([])
      const last = yield* second.felhom(["sign", other, "--key", carla, "--yes-i-mean", "version 2"])
      expect(last).toMatchObject({ code: 0, out: expect.stringContaining("which counts for the new list") })
      expect(last.out).toContain("version 2 goes to the hosts")
      expect((yield* given(trustOf(root, version)))[0]?.signatures).toHaveLength(3)
      expect((yield* second.felhom(["signers", "log"])).out).toContain("version 2 verified on this machine")
    }))

  test("pass from hand to hand as a file, too, and refuse a key that counts nowhere", () =>
    Effect.gen(function*() {
      const { begin, carla, colleague, file, given, keys, operator, root } = yield* signersWorld
      const out = join(keys, "list.json")
      expect(yield* begin(["--out", out])).toMatchObject({ code: 0, out: expect.stringContaining(`wrote ${out}`) })
      expect(yield* given(trustOf(root))).toEqual([])
      expect(yield* operator.felhom(["sign", out, "--key", carla, "--yes-i-mean", "version 1"])).toMatchObject({
        code: 2,
        err: expect.stringContaining("may sign lists neither by the present list nor by the new one")
      })
      expect(yield* operator.felhom(["submit", out])).toMatchObject({
        code: 0,
        out: expect.stringContaining("version 1 goes to the hosts")
      })
      expect(yield* given(trustOf(root))).toHaveLength(1)
      const broken = { ...JSON.parse(readFileSync(out, "utf8")), signatures: ["x"] }
      expect(yield* operator.felhom(["submit", file("broken", JSON.stringify(broken))])).toMatchObject({
        code: 2,
        err: expect.stringContaining("would be refused by every host")
      })
      const other = yield* colleague("dora")
      expect(yield* other.felhom(["submit", out])).toMatchObject({
        code: 2,
        err: expect.stringContaining("knows no fleet")
      })
    }))
})

describe(`felhom revoke${because}`, () => {
  test("takes a signer's key away on all hosts by one signature, whatever the threshold", () =>
    Effect.gen(function*() {
      const { anna, begin, bert, colleague, exchange, given, operator, root } = yield* signersWorld
      const first = yield* begin(["--threshold", "2"])
      const name = /felhom sign ([0-9a-f]{12})/.exec(first.out)?.[1] ?? ""
      const second = yield* colleague("bert")
      yield* second.felhom(["signers", "trust", "--host", "attic", "--threshold", "2"])
      yield* second.felhom(["sign", name, "--key", bert, "--yes-i-mean", "version 1"])
      const [version] = yield* given(trustOf(root))
      const revoke = ["revoke", "bert", "--reason", "his laptop is gone", "--key", anna]
      expect(yield* operator.felhom([...revoke, "--yes-i-mean", "bert"])).toMatchObject({ code: 2 })
      const revoked = yield* operator.felhom(revoke, { types: "version 2" })
      expect(revoked).toMatchObject({ code: 0, err: "" })
      expect(revoked.out).toContain(`REVOKED      "bert"  ecdsa-sha2-nistp256 ${fingerprintOf(bert)}`)
      expect(revoked.out).toContain("takes        one signer of the present list")
      expect(revoked.out).toMatch(/"bert" {2}ecdsa-sha2-nistp256 SHA256:\S+; only for "\S+"; REVOKED/)
      expect(revoked.out).toContain("TOO FEW      1 signer can sign ops then. What takes 2")
      const { signers: [next] } = yield* exchange(trustOf(root, version))
      if (next === undefined) return expect.unreachable()
      const blob = readFileSync(`${bert}.pub`, "utf8").split(" ")[1]
      expect(documentIn(next)).toMatchObject({
        version: 2,
        allowedSigners: root,
        revoked: `ecdsa-sha2-nistp256 ${blob}\n`,
        reason: "his laptop is gone"
      })
      expect(next.signatures).toHaveLength(1)
      expect(yield* operator.felhom([...revoke, "--yes-i-mean", "version 3"])).toMatchObject({
        code: 2,
        err: expect.stringContaining("is revoked already")
      })
      // Whose key was revoked signs nothing more.
      expect(yield* second.felhom(["revoke", "anna", "--reason", "r", "--key", bert, "--yes-i-mean", "version 3"]))
        .toMatchObject({
          code: 2,
          err: expect.stringContaining("nothing was signed: that would revoke the last signer")
        })
    }))

  test("finds a key by its fingerprint and in its file, and never takes the last one", () =>
    Effect.gen(function*() {
      const { anna, begin, bert, carla, given, operator, root } = yield* signersWorld
      yield* begin()
      const [first] = yield* given(trustOf(root))
      const revoke = (what: string, version: number) =>
        operator.felhom(["revoke", what, "--reason", "r", "--key", anna, "--yes-i-mean", `version ${version}`])
      for (
        const [what, why] of [
          ["dora", "neither a name on the list (\"anna\", \"bert\")"],
          [`SHA256:${"A".repeat(43)}`, "no key on the list has the fingerprint"],
          [join(anna, ".."), "can't be read"],
          [anna, "0 public keys"]
        ] as const
      ) expect(yield* revoke(what, 2)).toMatchObject({ code: 2, err: expect.stringContaining(why) })
      // A key that is on no list yet can't come onto one later.
      expect(yield* revoke(`${carla}.pub`, 2)).toMatchObject({
        code: 0,
        out: expect.stringContaining(`on no list  ssh-ed25519 ${fingerprintOf(carla)}`)
      })
      expect(yield* revoke(fingerprintOf(bert), 3)).toMatchObject({ code: 0 })
      expect(yield* revoke("anna", 4)).toMatchObject({
        code: 2,
        err: expect.stringContaining("that would revoke the last signer")
      })
      expect((yield* given(trustOf(root, first))).map((signed) => documentIn(signed).version)).toEqual([2, 3])
    }))

  test("asks for a reason, and tokens have a command of their own that knows a signer's name from a token", () =>
    Effect.gen(function*() {
      const { admin } = yield* signersWorld
      expect(yield* admin.felhom(["revoke", "bert"])).toMatchObject({
        code: 2,
        err: expect.stringContaining("--reason")
      })
      expect(yield* admin.felhom(["revoke-token", "bert"])).toMatchObject({
        code: 2,
        err: expect.stringContaining("felhom revoke WHO --reason")
      })
      expect(yield* admin.felhom(["revoke-token", "abcdef"])).toMatchObject({ code: 1 })
    }))
})

describe(`what a hub says of signers${because}`, () => {
  test("is not taken: a version that the list before did not sign stops everybody, until an admin takes it back", () =>
    Effect.gen(function*() {
      const { admin, anna, begin, carla, file, given, host, operator, propose, root } = yield* signersWorld
      yield* begin()
      const [first] = yield* given(trustOf(root))
      if (first === undefined) return expect.unreachable()
      // Carla gives herself the fleet.
      const { version: _, ...document } = documentIn(first)
      const forged = JSON.stringify({
        ...document,
        version: 2,
        from: { allowedSigners: sha256(root), revoked: sha256("") },
        allowedSigners: listLine("carla", carla)
      })
      const payload = file("forged", forged)
      const { stdout: signature } = sshKeygen(["-Y", "sign", "-n", "signers.v1@felhom.eu", "-f", carla], forged)
      expect(readFileSync(payload, "utf8")).toBe(forged)
      const out = file(
        "forged.json",
        JSON.stringify({ payload: Buffer.from(forged).toString("base64"), signatures: [signature] })
      )
      expect(yield* operator.felhom(["submit", out])).toMatchObject({
        code: 0,
        out: expect.stringContaining("the hub's version 2 was not taken: signers refused (unlisted)")
      })
      const next = listLine("anna", anna) + listLine("carla", carla)
      expect(yield* propose(next, 2)).toMatchObject({
        code: 1,
        err: expect.stringContaining("nothing was made: the hub's version 2 was not taken")
      })
      const log = yield* operator.felhom(["signers", "log"])
      expect(log).toMatchObject({ code: 1, err: expect.stringContaining("version 2 was not taken") })
      expect(log.out).toMatch(/2 {2}not verified/)
      const withdraw = ["signers", "withdraw", "2"]
      expect(yield* operator.felhom(withdraw)).toMatchObject({
        code: 1,
        err: expect.stringContaining("takes the role admin")
      })
      yield* admin.felhom(["trust", "attic"], { types: host.code })
      yield* given(trustOf(root, first))
      yield* admin.felhom(["signers", "trust", "--host", "attic"])
      expect(yield* admin.felhom(withdraw)).toMatchObject({
        code: 0,
        out: expect.stringContaining("the hub forgot version 2")
      })
      expect(yield* propose(next, 2)).toMatchObject({ code: 0 })
    }))

  test("is brought back to what was verified, when the hub was set back, and refused when it contradicts", () =>
    Effect.gen(function*() {
      const { anna, begin, carla, given, operator, propose, root } = yield* signersWorld
      yield* begin()
      yield* propose(listLine("anna", anna) + listLine("carla", carla), 2)
      const both = yield* given(trustOf(root))
      expect(both).toHaveLength(2)
      const other = yield* makeHub
      const token = yield* other.token("operator", "anna")
      const there = {
        ...operator.environment,
        ...(yield* makePerson(other, token)).environment,
        HOME: operator.home
      }
      const log = yield* operator.felhom(["signers", "log"], { environment: there })
      expect(log).toMatchObject({
        code: 1,
        err: expect.stringContaining("the hub has version 0, and version 2 was verified here")
      })
      expect(yield* operator.felhom(["signers", "push"], { environment: there })).toMatchObject({
        code: 0,
        out: expect.stringContaining("brought version 1, 2")
      })
      expect(yield* operator.felhom(["signers", "log"], { environment: there })).toMatchObject({ code: 0, err: "" })
      expect((yield* operator.felhom(["signers", "push"], { environment: there })).out).toContain("the hub has all")
      // A hub with another version 1 under the same number.
      const third = yield* makeHub
      const kept = JSON.parse(readFileSync(join(operator.home, ".config/felhom/signers.json"), "utf8"))
      const home = join(operator.home, ".config/felhom/signers.json")
      const thirdly = { ...(yield* makePerson(third, yield* third.token("operator"))).environment, HOME: operator.home }
      const [fleet] = kept.fleets
      writeFileSync(home, JSON.stringify({ fleets: [{ ...fleet, versions: [] }] }))
      yield* operator.felhom(
        [
          "signers",
          "new",
          "--allowed-signers",
          join(anna, "..", "root"),
          "--reason",
          "another",
          "--key",
          anna,
          "--yes-i-mean",
          "version 1"
        ],
        { environment: thirdly }
      )
      writeFileSync(home, JSON.stringify(kept))
      expect(yield* operator.felhom(["signers", "log"], { environment: thirdly })).toMatchObject({
        code: 1,
        err: expect.stringContaining("one of them is not what the signers made")
      })
    }))

  test("is held against the hosts' own words: who has which version, who is behind, and whom nobody can ask", () =>
    Effect.gen(function*() {
      const { anna, begin, carla, colleague, given, hub, operator, propose, root } = yield* signersWorld
      yield* begin()
      const [first] = yield* given(trustOf(root))
      yield* given(trustOf(root, first))
      expect((yield* operator.felhom(["signers", "log"])).out).toMatch(/attic +[0-9a-f]{8} +1 +\d+ \w+ ago$/m)
      yield* propose(listLine("anna", anna) + listLine("carla", carla), 2)
      expect((yield* operator.felhom(["signers", "log"])).out).toMatch(/attic +[0-9a-f]{8} +1 +\d+ \w+ ago +1 behind/)
      const shown = yield* operator.felhom(["hosts"])
      expect(shown.out).toContain("Behind with the signers")
      expect(shown.out).toContain("has version 1 of the fleet's signers, which are at version 2")
      expect((yield* operator.felhom(["host", "attic"])).out).toContain(
        "by the hub's word, it has version 1 of the fleet's"
      )
      expect((yield* operator.felhom(["signers", "show", "--host", "attic"])).out).toContain("version 1, document")
      const other = yield* colleague("dora")
      yield* other.felhom(["signers", "trust", "--host", "attic"])
      yield* other.felhom(["forget", "attic"])
      expect((yield* other.felhom(["signers", "log"])).out).toContain("its key is not known here")
      const json = JSON.parse((yield* operator.felhom(["signers", "log", "--output", "json"])).out)
      expect(json).toMatchObject({ version: 2, hosts: [{ node: "attic", version: 1, doubt: null }] })
      const stranger = yield* makePerson(hub, yield* hub.token("viewer"))
      expect(yield* stranger.felhom(["signers", "log"])).toMatchObject({
        code: 1,
        err: expect.stringContaining("does not take the hub's word")
      })
    }))

  test("is where nobody begins a second fleet by mistake", () =>
    Effect.gen(function*() {
      const { begin, colleague, file, root, anna, given, exchange } = yield* signersWorld
      yield* begin()
      const other = yield* colleague("dora")
      const again = [
        "signers",
        "new",
        "--allowed-signers",
        file("again", root),
        "--reason",
        "r",
        "--key",
        anna,
        "--yes-i-mean",
        "version 1"
      ]
      expect(yield* other.felhom(again)).toMatchObject({
        code: 1,
        err: expect.stringContaining("this machine knows none: felhom signers trust")
      })
      expect(yield* other.felhom([...again, "--new-fleet"])).toMatchObject({ code: 0 })
      // A host takes whichever it finds good first; both begin with its list.
      expect(yield* given(trustOf(root))).toHaveLength(2)
      // Of a host that says that it has what the hub does not, nobody takes the hub's word.
      yield* exchange({
        ...trustOf(root),
        fleet: { fleet: "0".repeat(32), version: 3, sha256: "1".repeat(64), revoked: sha256(""), followed: true }
      })
      const third = yield* colleague("emma")
      expect(yield* third.felhom(["signers", "trust", "--host", "attic"])).toMatchObject({
        code: 1,
        err: expect.stringContaining("and the hub does not: was it set back?")
      })
    }))
})

describe(`an op that brings something along${because}`, () => {
  test("reaches the host with it, after everybody who signs was told what it says", () =>
    Effect.gen(function*() {
      const { anna, bert, begin, colleague, exchange, file, given, keys, operator, root } = yield* signersWorld
      yield* begin()
      const [first] = yield* given(trustOf(root))
      const policy = JSON.stringify({ typ: "felhom/policy/v1", signatures: { thresholds: { "guest.destroy": 2 } } })
      const widen = [
        "op",
        "policy.widen",
        "--host",
        "attic",
        "--document",
        file("policy.json", policy),
        "--reason",
        "r",
        "--yes-i-mean",
        "attic"
      ]
      const out = join(keys, "widen.json")
      const made = yield* operator.felhom([...widen, "--key", anna, "--out", out])
      expect(made).toMatchObject({ code: 0, err: "" })
      for (
        const word of ["asks for     1 signer where", "2 for guest.destroy", "keys that are files, too", sha256(policy)]
      ) {
        expect(made.out).toContain(word)
      }
      const second = yield* colleague("bert")
      const sign = ["sign", out, "--key", bert, "--yes-i-mean", "attic", "--needs", "2"]
      const whole = readFileSync(out, "utf8")
      const { document: _, ...bare } = JSON.parse(whole)
      writeFileSync(out, JSON.stringify(bare))
      expect(yield* second.felhom(sign)).toMatchObject({
        code: 2,
        err: expect.stringContaining("did not come with it")
      })
      const other = Buffer.from("{\"typ\":\"felhom/policy/v1\"}").toString("base64")
      writeFileSync(out, JSON.stringify({ ...bare, document: other }))
      expect(yield* second.felhom(sign)).toMatchObject({
        code: 2,
        err: expect.stringContaining("what was signed names")
      })
      writeFileSync(out, whole)
      expect(yield* second.felhom(sign)).toMatchObject({ code: 0, out: expect.stringContaining("2 for guest.destroy") })
      const { ops: [op] } = yield* exchange(trustOf(root, first))
      expect(op?.signatures).toHaveLength(2)
      expect(Buffer.from(op?.document ?? "", "base64").toString("utf8")).toBe(policy)
      // The same for somebody who signs what the hub has.
      const third = yield* operator.felhom([...widen, "--key", anna, "--needs", "2"])
      const name = /felhom sign ([0-9a-f]{12})/.exec(third.out)?.[1] ?? ""
      expect(yield* second.felhom(["sign", name, "--key", bert, "--yes-i-mean", "attic"])).toMatchObject({
        code: 0,
        out: expect.stringContaining("2 for guest.destroy")
      })
      expect((yield* exchange(trustOf(root, first))).ops.map(({ document }) => document)).toEqual([
        op?.document,
        op?.document
      ])
    }))

  test("brings a host onto the fleet's signers whose own list is another one", () =>
    Effect.gen(function*() {
      const { anna, begin, exchange, given, keys, operator, root } = yield* signersWorld
      yield* begin()
      const [first] = yield* given(trustOf(root))
      if (first === undefined) return expect.unreachable()
      const stray = trustOf(listLine("anna", anna))
      yield* given(stray)
      const saved = join(keys, "saved.json")
      expect(yield* operator.felhom(["signers", "save", "2", "--out", saved])).toMatchObject({
        code: 2,
        err: expect.stringContaining("version 2 was not verified")
      })
      expect(yield* operator.felhom(["signers", "save", "1", "--out", saved])).toMatchObject({ code: 0 })
      const update = ["op", "signers.update", "--host", "attic", "--document", saved, "--reason", "r", "--key", anna]
      const made = yield* operator.felhom([...update, "--yes-i-mean", "attic"])
      expect(made).toMatchObject({ code: 0, err: "", out: expect.stringContaining("may sign     \"anna\"") })
      yield* given(trustOf(root, first))
      const again = [...update, "--yes-i-mean", "attic"]
      expect(yield* operator.felhom(again)).toMatchObject({
        code: 2,
        err: expect.stringContaining("it has version 1 of these signers, and never goes back")
      })
      const { ops: [op] } = yield* exchange(stray)
      if (op === undefined) return expect.unreachable()
      expect(JSON.parse(Buffer.from(op.payload, "base64").toString("utf8"))).toMatchObject({
        target: { sha256: sha256(Buffer.from(first.payload, "base64")) },
        expect: { version: 0, sha256: stray.signers },
        params: { version: 1 }
      })
      expect(JSON.parse(Buffer.from(op.document ?? "", "base64").toString("utf8"))).toEqual({
        payload: first.payload,
        signatures: first.signatures
      })
    }))
})
