import { describe, it } from "@effect/vitest"
import { decodeSignedOp, type SignedOp } from "@felhom/domain/SignedOp"
import { Effect, Either, Encoding, Fiber } from "effect"
import { createHash } from "node:crypto"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect } from "vitest"
import { archive, identified, makeKey, noSshKeygen, opReport, opWorld, sshKeygen, trust, volid } from "./OpWorld.ts"
import { makeHost, makePerson } from "./TrustWorld.ts"

const because = noSshKeygen === undefined ? "" : ` (${noSshKeygen})`
const test = noSshKeygen === undefined ? it.scopedLive : it.scopedLive.skip

interface Written {
  readonly payload: string
  readonly signatures: ReadonlyArray<string>
}

const written = (path: string): Written => JSON.parse(readFileSync(path, "utf8"))

const bytesOf = ({ payload }: Written): Uint8Array => Either.getOrThrow(Encoding.decodeBase64(payload))

const opOf = (file: Written): SignedOp => Either.getOrThrow(decodeSignedOp(bytesOf(file)))

const destroy = ["op", "guest.destroy", "--host", "attic", "--guest", "101", "--reason", "moved out"]

/** What ssh-keygen itself thinks of a signature over these bytes. */
const sshKeygenAccepts = (directory: string, key: string, message: Uint8Array, signature: string): boolean => {
  const signers = join(directory, "allowed")
  const file = join(directory, "signature")
  writeFileSync(signers, `anna namespaces="op.v1@felhom.eu" ${readFileSync(`${key}.pub`, "utf8")}`)
  writeFileSync(file, signature)
  return sshKeygen(["-Y", "verify", "-f", signers, "-I", "anna", "-n", "op.v1@felhom.eu", "-s", file], message)
    .status === 0
}

describe(`felhom op${because}`, () => {
  test("shows what is lost in the host's own words, asks for the guest's name, and sends what ssh-keygen accepts", () =>
    Effect.gen(function*() {
      const { host, key, keys, operator } = yield* opWorld()
      const done = yield* operator.felhom([...destroy, "--key", key], { types: "blog" })
      expect(done).toMatchObject({ code: 0, err: "" })
      for (
        const word of [
          "DESTROY the container lxc/101 \"blog\"",
          "BC:24:11:00:00:1",
          volid,
          "size unknown",
          "\"before\" of 2026-09-21",
          archive.volid,
          "nobody has proven",
          "3.0 GiB",
          host.code,
          host.id,
          "moved out",
          "said by      the host itself"
        ]
      ) expect(done.out).toContain(word)
      const { ops } = yield* host.send(opReport([identified(101, { name: "blog" })], { sequence: 2 }))
      const [op] = ops
      if (op === undefined) return expect.unreachable()
      expect(opOf(op)).toMatchObject({
        op: "guest.destroy",
        host: host.id,
        hostEpoch: trust.opEpoch,
        storeSeqMin: trust.storeSeq,
        target: { guest: { type: "lxc", vmid: 101 } },
        expect: {
          name: "blog",
          configHash: "c".repeat(64),
          identity: { volumes: [volid] },
          volumes: [{ volid, size: null }],
          snapshots: [{ name: "before", takenAt: 1_790_000_000 }]
        },
        params: { unreferencedDisks: false, acceptNoProvenBackup: false },
        reason: "moved out"
      })
      expect(opOf(op).nonce).toMatch(/^[0-9a-f]{48}$/)
      expect(opOf(op).exp - opOf(op).iat).toBe(3_600_000)
      expect(sshKeygenAccepts(keys, key, bytesOf(op), op.signatures[0] ?? "")).toBe(true)
    }))

  test("signs nothing unless the guest is named, by its name or by its number", () =>
    Effect.gen(function*() {
      const { host, key, operator } = yield* opWorld()
      for (const types of ["", "y", "yes", "Blog", "wiki", "lxc 102", "blog; wiki"]) {
        expect(yield* operator.felhom([...destroy, "--key", key], { types })).toMatchObject({
          code: 2,
          err: expect.stringContaining("nothing was signed")
        })
      }
      expect((yield* operator.felhom([...destroy, "--key", key, "--yes-i-mean", "wiki"])).code).toBe(2)
      expect((yield* operator.felhom(["ops"])).out).toContain("no signed op")
      for (const types of ["blog", "lxc 101", "lxc/101"]) {
        expect((yield* operator.felhom([...destroy, "--key", key], { types })).code).toBe(0)
      }
      expect((yield* operator.felhom([...destroy, "--key", key, "--yes-i-mean", "blog"])).code).toBe(0)
      // Each with a nonce of its own.
      expect((yield* host.send(opReport([], { sequence: 2 }))).ops).toHaveLength(4)
    }))

  test("is refused for a host whose key this person never compared", () =>
    Effect.gen(function*() {
      const { hub, key } = yield* opWorld()
      const other = yield* makePerson(hub, yield* hub.token("operator"))
      expect(yield* other.felhom([...destroy, "--key", key], { types: "blog" })).toMatchObject({
        code: 1,
        out: "",
        err: expect.stringContaining("its key is not known here")
      })
    }))

  test("is refused for a host that takes no signed op, and for what the host could not read", () =>
    Effect.gen(function*() {
      const { host, key, operator } = yield* opWorld()
      const refusedFor = (more: object, guests: ReadonlyArray<object> = [identified(101)]) => {
        sequence += 1
        return Effect.zipRight(
          host.send(opReport(guests, { sequence, inventoryHash: `${sequence}`.padStart(64, "0"), ...more })),
          Effect.map(operator.felhom([...destroy, "--key", key], { types: "lxc 101" }), ({ err }) => err)
        )
      }
      let sequence = 1
      expect(yield* refusedFor({ trust: null })).toContain("takes no signed op")
      const unread = { state: "unavailable", reason: "403" }
      expect(yield* refusedFor({}, [identified(101, { config: unread })])).toContain("could not read who lxc/101 is")
      expect(yield* refusedFor({}, [identified(101, { snapshots: unread })])).toContain("could not read the snapshots")
      expect(yield* refusedFor({}, [])).toContain("has no guest \"101\"")
      expect(yield* refusedFor({})).toBe("")
    }))

  test("says loudly that there is no backup, or that nobody could look", () =>
    Effect.gen(function*() {
      const { host, key, operator } = yield* opWorld()
      const told = (backup: object, sequence: number) => {
        const report = opReport([identified(101)], { sequence, inventoryHash: `${sequence}`.padStart(64, "0") })
        return Effect.zipRight(
          host.send({ ...report, sections: { ...report.sections, backup } }),
          Effect.map(operator.felhom([...destroy, "--key", key], { types: "lxc 101" }), ({ out }) => out)
        )
      }
      expect(yield* told({ state: "ok", readAt: 1, value: [{ ...archive, guest: 102 }] }, 2)).toContain(
        "BACKUP       NONE"
      )
      expect(yield* told({ state: "ok", readAt: 1, value: [{ ...archive, guestType: "qemu" }] }, 3)).toContain("NONE")
      expect(yield* told({ state: "unavailable", reason: "nas is away" }, 4)).toContain("UNKNOWN, count on none")
    }))

  test("builds every op that a signature can ask for", () =>
    Effect.gen(function*() {
      const { host, key, keys, operator } = yield* opWorld()
      const since = 1_790_000_000_000
      yield* host.send(opReport([identified(101, { name: "blog" })], {
        sequence: 2,
        trust: { ...trust, policy: "b".repeat(64), hold: { since, reason: "looking" } }
      }))
      const document = join(keys, "new")
      const policy = "{\"typ\": \"felhom/policy/v1\"}\n"
      writeFileSync(document, policy)
      const sha256 = createHash("sha256").update(policy).digest("hex")
      const out = join(keys, "op.json")
      const build = (args: ReadonlyArray<string>, types: string) =>
        Effect.map(
          operator.felhom(
            ["op", ...args, "--host", "attic", "--reason", "r", "--key", key, "--out", out, "--yes-i-mean", types]
          ),
          ({ code, err }) => {
            expect({ code, err, args }).toEqual({ code: 0, err: "", args })
            return opOf(written(out))
          }
        )
      const onGuest = ["--guest", "lxc/101"]
      const onSnapshot = [...onGuest, "--snapshot", "before"]
      const onArchive = ["--volid", archive.volid]
      expect(yield* build(["guest.destroy", ...onGuest, "--unreferenced-disks"], "blog")).toMatchObject({
        params: { unreferencedDisks: true }
      })
      expect(yield* build(["guest.rollback", ...onSnapshot, "--accept-no-proven-backup"], "blog")).toMatchObject({
        op: "guest.rollback",
        expect: { takenAt: 1_790_000_000 },
        params: { acceptNoProvenBackup: true }
      })
      expect(yield* build(["snapshot.delete", ...onSnapshot], "blog")).toMatchObject({ op: "snapshot.delete" })
      expect(yield* build(["guest.stop_hard", ...onGuest], "blog")).toMatchObject({ op: "guest.stop_hard" })
      expect(yield* build(["backup.delete", ...onArchive], archive.volid)).toMatchObject({
        expect: { size: archive.size, createdAt: archive.createdAt }
      })
      expect(yield* build(["backup.unprotect", ...onArchive], archive.volid)).toMatchObject({ op: "backup.unprotect" })
      expect(yield* build(["volume.delete", "--volid", volid, "--size", "4096"], volid)).toMatchObject({
        expect: { size: 4096, createdAt: null }
      })
      expect(yield* build(["storage.remove", "--storage", "nas"], "nas")).toMatchObject({ expect: { type: "nfs" } })
      expect(yield* build(["policy.widen", "--document", document], "attic")).toMatchObject({
        target: { sha256 },
        expect: { sha256: "b".repeat(64) }
      })
      expect(yield* build(["desired.accept_epoch", "--epoch", "d".repeat(32)], "attic")).toMatchObject({
        expect: { epoch: null, version: 0 }
      })
      expect(yield* build(["store.reanchor"], "attic")).toMatchObject({ expect: { storeSeq: trust.storeSeq } })
      expect(yield* build(["hold.release"], "attic")).toMatchObject({ expect: { since } })
    }))

  test("says what is wrong with a wish before anything is asked", () =>
    Effect.gen(function*() {
      const { key, keys, operator } = yield* opWorld()
      const said = (...args: ReadonlyArray<string>) =>
        Effect.map(
          operator.felhom([...args, "--host", "attic", "--reason", "r", "--key", key], { types: "blog" }),
          ({ err }) => err
        )
      expect(yield* said("op", "guest.destroy", "--guest", "103")).toContain("has no guest \"103\"")
      expect(yield* said("op", "snapshot.delete", "--guest", "101", "--snapshot", "nope")).toContain(
        "has no snapshot nope"
      )
      expect(yield* said("op", "hold.release")).toContain("it is not on hold")
      expect(yield* said("op", "policy.widen", "--document", key)).toContain("no policy that a host would take")
      expect(yield* said("op", "policy.widen", "--document", join(keys, "absent"))).toContain("can't be read")
      expect(yield* said("op", "signers.update", "--document", key)).toContain("no signed version of a fleet's signers")
      expect(yield* said("op", "backup.delete", "--volid", "nas:backup/x")).toContain("has no backup")
      expect(yield* said("op", "guest.destroy", "--guest", "101", "--valid-for", "2d")).toContain("a day at most")
      expect(yield* said("op", "guest.destroy", "--guest", "101", "--valid-for", "soon")).toContain("--valid-for")
      expect(yield* operator.felhom([...destroy, "--key", join(keys, "absent")], { types: "blog" })).toMatchObject({
        code: 2,
        err: expect.stringContaining("ssh-keygen did not sign")
      })
      expect(yield* operator.felhom(destroy, { types: "blog" })).toMatchObject({
        code: 2,
        err: expect.stringContaining("no key to sign with")
      })
      expect((yield* operator.felhom(["ops"])).out).toContain("no signed op")
    }))

  test("waits for how it ends, and says so with its exit code", () =>
    Effect.gen(function*() {
      const { host, key, operator } = yield* opWorld()
      const listedNow = Effect.map(
        operator.felhom(["ops", "--output", "json"]),
        ({ out }): ReadonlyArray<{ readonly op: string; readonly state: string }> => JSON.parse(out)
      )
      const waits = (sequence: number, kind: string) =>
        Effect.gen(function*() {
          const args = [...destroy, "--key", key, "--wait", "--yes-i-mean", "blog"]
          const waiting = yield* Effect.fork(operator.felhom(args))
          const queued = yield* Effect.repeat(
            Effect.map(listedNow, (ops) => ops.find(({ state }) => state === "awaiting")),
            { until: (op) => op !== undefined }
          )
          const event = (seq: number, kind: string) => ({
            seq,
            at: 1_790_000_000_000,
            kind,
            severity: "info",
            subject: queued?.op ?? null,
            message: `${kind} of lxc/101`
          })
          const events = [event(sequence * 2 - 3, "op.accepted"), event(sequence * 2 - 2, kind)]
          yield* host.send(opReport([identified(101, { name: "blog" })], { sequence, events }))
          return yield* Fiber.join(waiting)
        })
      const finished = yield* waits(2, "op.finished")
      expect(finished).toMatchObject({
        code: 0,
        out: expect.stringContaining("finished: op.finished of lxc/101 (the host's own word, in its report 2)")
      })
      const refused = yield* waits(3, "op.refused")
      expect(refused).toMatchObject({
        code: 1,
        err: expect.stringContaining("was refused by the host: op.refused of lxc/101")
      })
      const unknown = yield* waits(4, "op.unknown")
      expect(unknown).toMatchObject({ code: 1, err: expect.stringContaining("nobody knows") })
      const listed = yield* operator.felhom(["ops", "--host", "attic"])
      expect(listed).toMatchObject({ code: 1, err: expect.stringContaining("2 ops did not end well") })
      expect(listed.out).toContain("op.refused of lxc/101")
    }))
})

describe(`signing with several people${because}`, () => {
  const two = Effect.gen(function*() {
    const world = yield* opWorld()
    const second = yield* makePerson(world.hub, yield* world.hub.token("operator", "bert"))
    yield* second.felhom(["trust", "attic"], { types: world.host.code })
    return { ...world, second, secondKey: makeKey(world.keys, "bert", "ecdsa") }
  })

  test("collects their signatures over the same bytes at the hub, each after the same words", () =>
    Effect.gen(function*() {
      const { host, key, operator, second, secondKey } = yield* two
      const first = yield* operator.felhom([...destroy, "--key", key, "--needs", "2"], { types: "blog" })
      expect(first).toMatchObject({ code: 0, out: expect.stringContaining("has 1 of 2 signatures") })
      expect((yield* host.send(opReport([identified(101, { name: "blog" })], { sequence: 2 }))).ops).toEqual([])
      const [op] = JSON.parse((yield* second.felhom(["ops", "--output", "json"])).out)
      const signed = yield* second.felhom(["sign", op.op.slice(0, 12), "--key", secondKey], { types: "blog" })
      expect(signed).toMatchObject({ code: 0, err: "" })
      expect(signed.out).toContain("DESTROY the container lxc/101 \"blog\"")
      expect(signed.out).toContain("signed already with SHA256:")
      const { ops } = yield* host.send(opReport([identified(101, { name: "blog" })], { sequence: 3 }))
      expect(ops).toMatchObject([{ signatures: [expect.any(String), expect.any(String)] }])
    }))

  test("goes by a file as well, from hand to hand, and reaches the hub with submit", () =>
    Effect.gen(function*() {
      const { host, key, keys, operator, second, secondKey } = yield* two
      const [one, both] = [join(keys, "one.json"), join(keys, "both.json")]
      yield* operator.felhom([...destroy, "--key", key, "--out", one], { types: "blog" })
      expect((yield* operator.felhom(["ops"])).out).toContain("no signed op")
      expect(yield* second.felhom(["sign", one, "--key", secondKey, "--out", both], { types: "blog" })).toMatchObject({
        code: 0
      })
      expect(written(both).payload).toBe(written(one).payload)
      expect(written(both).signatures).toHaveLength(2)
      expect(yield* second.felhom(["submit", both, "--host", "attic"])).toMatchObject({ code: 0 })
      const { ops } = yield* host.send(opReport([], { sequence: 2 }))
      expect(ops).toEqual([written(both)])
    }))

  test("refuses bytes that are not what the host says itself, whoever signed them before", () =>
    Effect.gen(function*() {
      const { host, key, keys, operator, second, secondKey } = yield* two
      const out = join(keys, "op.json")
      yield* operator.felhom([...destroy, "--key", key, "--out", out], { types: "blog" })
      const resigned = (change: (op: Record<string, unknown>) => object) => {
        const payload = JSON.stringify(change(JSON.parse(new TextDecoder().decode(bytesOf(written(out))))))
        const { stdout } = sshKeygen(["-Y", "sign", "-n", "op.v1@felhom.eu", "-f", key], payload)
        const path = join(keys, "changed.json")
        writeFileSync(path, JSON.stringify({ payload: Encoding.encodeBase64(payload), signatures: [stdout] }))
        return second.felhom(["sign", path, "--key", secondKey], { types: "lxc 101" })
      }
      const says = (text: string) => ({ err: expect.stringContaining(text) })
      const refusals = [
        // The name of another guest over the number of this one.
        [
          (op: object) => ({ ...op, expect: { ...opOf(written(out)).expect, name: "scratch" } }),
          "not what the host says"
        ],
        [(op: object) => ({ ...op, hostEpoch: "f".repeat(32) }), "an earlier record"],
        [(op: object) => ({ ...op, storeSeqMin: 8 }), "yet to come"],
        [(op: object) => ({ ...op, target: { guest: { type: "lxc", vmid: 102 } } }), "not what the host says"],
        [(op: object) => ({ ...op, surprise: true }), "no felhom/op/v1"],
        [(op: object) => ({ ...op, host: "0".repeat(32) }), "no host is called"]
      ] as const
      for (const [change, why] of refusals) expect(yield* resigned(change)).toMatchObject(says(why))
      // A signature over other bytes than those beside it.
      const torn = {
        ...written(out),
        signatures: ["-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n"]
      }
      writeFileSync(out, JSON.stringify(torn))
      expect(yield* second.felhom(["sign", out, "--key", secondKey], { types: "blog" })).toMatchObject(
        says("would be refused by every host")
      )
      expect((yield* host.send(opReport([], { sequence: 2 }))).ops).toEqual([])
    }))
})

describe(`submitting${because}`, () => {
  test("takes the role operator, and reading takes the role viewer", () =>
    Effect.gen(function*() {
      const { hub, key, keys, operator } = yield* opWorld()
      const out = join(keys, "op.json")
      yield* operator.felhom([...destroy, "--key", key, "--out", out], { types: "blog" })
      const viewer = yield* makePerson(hub, yield* hub.token("viewer"))
      expect(yield* viewer.felhom(["submit", out, "--host", "attic"])).toMatchObject({
        code: 1,
        err: expect.stringContaining("takes the role operator")
      })
      expect((yield* operator.felhom(["submit", out, "--host", "attic"])).code).toBe(0)
      expect(yield* viewer.felhom(["ops"])).toMatchObject({ code: 0, out: expect.stringContaining("awaiting") })
    }))

  test("waits for the host's own word, and does not take the hub's for it", () =>
    Effect.gen(function*() {
      const { host, hub, key, keys, operator } = yield* opWorld()
      const out = join(keys, "op.json")
      yield* operator.felhom([...destroy, "--key", key, "--out", out], { types: "blog" })
      const stranger = yield* makePerson(hub, yield* hub.token("operator", "bert"))
      const waiting = yield* Effect.fork(stranger.felhom(["submit", out, "--host", "attic", "--wait"]))
      const subject = createHash("sha256").update(bytesOf(written(out))).digest("hex")
      yield* Effect.repeat(Effect.map(operator.felhom(["ops"]), ({ out }) => out), {
        until: (text) => text.includes("awaiting")
      })
      const finished = { seq: 1, at: 1, kind: "op.finished", severity: "info", subject, message: "gone" }
      yield* host.send(opReport([], { sequence: 2, events: [finished] }))
      expect(yield* Fiber.join(waiting)).toMatchObject({
        code: 1,
        out: expect.stringContaining("finished: gone (only the hub says so: the host's key is not known here"),
        err: expect.stringContaining("is finished by the hub's word, and not by the host's")
      })
      expect((yield* stranger.felhom(["ops"])).out).toContain("the hub's alone")
      expect((yield* operator.felhom(["ops"])).out).toContain("the host's")
    }))

  test("refuses a file for another host, and one that is no op", () =>
    Effect.gen(function*() {
      const { admin, hub, key, keys, operator } = yield* opWorld()
      const out = join(keys, "op.json")
      yield* operator.felhom([...destroy, "--key", key, "--out", out], { types: "blog" })
      const cellar = yield* makeHost(hub, "cellar")
      const [token = ""] = (yield* admin.felhom(["enrol"])).out.split("\n")
      yield* Effect.flip(cellar.enrol(token))
      yield* admin.felhom(["accept", cellar.code])
      yield* cellar.enrol(token)
      yield* cellar.send()
      expect(yield* operator.felhom(["submit", out, "--host", "cellar"])).toMatchObject({
        code: 2,
        err: expect.stringContaining("nothing was sent")
      })
      writeFileSync(out, "{}")
      expect((yield* operator.felhom(["submit", out, "--host", "attic"])).err).toContain("does not hold")
      expect(existsSync(out)).toBe(true)
    }))
})

describe("felhom signers show", () => {
  test("says in the host's own words which list and policy hold", () =>
    Effect.gen(function*() {
      const { operator } = yield* opWorld()
      const shown = yield* operator.felhom(["signers", "show", "--host", "attic"])
      expect(shown).toMatchObject({ code: 0, err: "" })
      for (const word of [trust.signers, "policy   none", "hold     no", trust.opEpoch]) {
        expect(shown.out).toContain(word)
      }
    }))
})
