import { describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { cpSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect } from "vitest"
import { folder, makeHost, makeHub, makePerson } from "./TrustWorld.ts"

/** A hub, its admin, and a host that the admin let in. */
const accepted = Effect.gen(function*() {
  const hub = yield* makeHub
  const admin = yield* makePerson(hub, yield* hub.token("admin"))
  const host = yield* makeHost(hub, "attic")
  const [token = ""] = (yield* admin.felhom(["enrol"])).out.split("\n")
  yield* Effect.flip(host.enrol(token))
  expect((yield* admin.felhom(["accept", host.code])).code).toBe(0)
  yield* host.enrol(token)
  return { hub, admin, host, token }
})

describe("enrolment", () => {
  it.scopedLive("goes from a one-time token over one code on both sides to a signed report", () =>
    Effect.gen(function*() {
      const hub = yield* makeHub
      const admin = yield* makePerson(hub, yield* hub.token("admin"))
      const host = yield* makeHost(hub, "attic")
      const tokens = (yield* admin.felhom(["enrol", "--count", "2"])).out.split("\n")
      expect(tokens).toHaveLength(2)
      const waits = yield* Effect.flip(host.enrol(tokens[0] ?? ""))
      expect(waits._tag).toBe("EnrolmentWaits")
      expect(host.said.join("\n")).toContain(host.code)

      const waiting = yield* admin.felhom(["waiting"])
      expect(waiting.out).toContain(host.code)
      const before = yield* admin.felhom(["hosts"])
      expect(before).toMatchObject({ code: 1, err: "1 host waits to be accepted: attic (felhom waiting)" })

      expect(yield* admin.felhom(["accept", host.code.toLowerCase()])).toMatchObject({ code: 0, err: "" })
      expect(readFileSync(join(admin.home, ".config/felhom/known-hosts"), "utf8")).toContain(`${host.id} ssh-ed25519 `)
      yield* host.enrol(tokens[0] ?? "")
      expect(statSync(host.bearerPath).mode & 0o777).toBe(0o600)
      expect(statSync(join(host.directory, "host-key.pem")).mode & 0o777).toBe(0o600)

      yield* host.send()
      const shown = yield* admin.felhom(["host", "attic"])
      expect(shown).toMatchObject({ code: 0, err: "" })
      expect(shown.out).toContain("signed by the host")
      expect(shown.out).toContain("guest-101")
      expect((yield* admin.felhom(["waiting"])).out).toBe("no host waits to be accepted")
    }))

  it.scopedLive("refuses a token that another host used, one that expired, was revoked, or was never made", () =>
    Effect.gen(function*() {
      const hub = yield* makeHub
      const admin = yield* makePerson(hub, yield* hub.token("admin"))
      const [first, second] = [yield* makeHost(hub, "attic"), yield* makeHost(hub, "cellar")]
      const [used = "", revoked = ""] = (yield* admin.felhom(["enrol", "--count", "2"])).out.split("\n")
      yield* Effect.flip(first.enrol(used))
      expect((yield* Effect.flip(second.enrol(used))).message).toContain("was used already")
      // The one whose answer got lost may come again.
      expect((yield* Effect.flip(first.enrol(used)))._tag).toBe("EnrolmentWaits")
      const listed = yield* admin.felhom(["tokens", "--output", "json"])
      const live = JSON.parse(listed.out).find((token: { role: string; state: string }) =>
        token.role === "enrol" && token.state === "live"
      )
      expect(yield* admin.felhom(["revoke-token", live.id])).toMatchObject({ code: 0 })
      expect((yield* Effect.flip(second.enrol(revoked))).message).toContain("was revoked")
      expect((yield* Effect.flip(second.enrol(`felhom_enrol_${"x".repeat(43)}`))).message).toContain("did not make")
    }))

  it.scopedLive("accepts nothing by a code that is not the host's", () =>
    Effect.gen(function*() {
      const hub = yield* makeHub
      const admin = yield* makePerson(hub, yield* hub.token("admin"))
      const host = yield* makeHost(hub, "attic")
      const [token = ""] = (yield* admin.felhom(["enrol"])).out.split("\n")
      yield* Effect.flip(host.enrol(token))
      const other = "AAAA-BBBB-CCCC-DDDD"
      expect(yield* admin.felhom(["accept", other])).toMatchObject({ code: 1, err: expect.stringContaining(other) })
      const typed = yield* admin.felhom(["accept", "attic"], { types: other })
      expect(typed).toMatchObject({ code: 1, err: expect.stringContaining("the code does not match") })
      expect((yield* Effect.flip(host.enrol(token)))._tag).toBe("EnrolmentWaits")
      expect((yield* admin.felhom(["accept", "attic"], { types: host.code })).code).toBe(0)
      yield* host.enrol(token)
    }))

  it.scopedLive("gives a new Bearer to the holder of the key, and revokes the old one", () =>
    Effect.gen(function*() {
      const { host, token } = yield* accepted
      const old = Redacted.make(readFileSync(host.bearerPath, "utf8").trim())
      yield* host.enrol(token)
      yield* host.send()
      expect((yield* Effect.flip(host.send({ sequence: 2 }, { bearer: old }))).reason).toBe("unauthorized")
    }))

  it.scopedLive("takes a host that was installed anew for a new one, and keeps the old one as it was", () =>
    Effect.gen(function*() {
      const { admin, host, hub } = yield* accepted
      yield* host.send()
      const again = yield* makeHost(hub, "attic")
      const [token = ""] = (yield* admin.felhom(["enrol"])).out.split("\n")
      yield* Effect.flip(again.enrol(token))
      yield* admin.felhom(["accept", again.code])
      yield* again.enrol(token)
      yield* again.send()
      const listed = JSON.parse((yield* admin.felhom(["hosts", "--output", "json"])).out)
      expect(listed.map((entry: { host: { id: string } }) => entry.host.id).toSorted()).toEqual(
        [host.id, again.id].toSorted()
      )
    }))

  it.scopedLive("is for admins: a viewer and an operator may look at the waiting room and no more", () =>
    Effect.gen(function*() {
      const { host, hub } = yield* accepted
      for (const role of ["viewer", "operator"] as const) {
        const person = yield* makePerson(hub, yield* hub.token(role))
        expect((yield* person.felhom(["waiting"])).code).toBe(0)
        for (const args of [["enrol"], ["tokens"], ["revoke-token", "abcd"]]) {
          expect(yield* person.felhom(args)).toMatchObject({ code: 1, err: expect.stringContaining("role admin") })
        }
        yield* host.send({ sequence: null })
        for (const args of [["reset", "attic"]]) {
          expect(yield* person.felhom(args)).toMatchObject({ code: 1, err: expect.stringContaining("role admin") })
        }
        expect(yield* person.felhom(["accept", "attic"], { types: host.code })).toMatchObject({
          code: 1,
          err: expect.stringContaining("role admin")
        })
      }
    }))
})

describe("a host whose key is pinned", () => {
  it.scopedLive("must sign: its Bearer alone, used from elsewhere, is refused and shown", () =>
    Effect.gen(function*() {
      const { admin, host, hub } = yield* accepted
      yield* host.send()
      const unsigned = yield* Effect.flip(host.send({ sequence: 2 }, { sign: null }))
      expect(unsigned).toMatchObject({ reason: "forbidden", detail: expect.stringContaining("not signed") })
      const thief = yield* makeHost(hub, "elsewhere")
      const forged = yield* Effect.flip(host.send({ sequence: 2 }, { sign: thief.sign }))
      expect(forged).toMatchObject({ reason: "forbidden", detail: expect.stringContaining("by another key") })
      const listed = yield* admin.felhom(["hosts", "--output", "json"])
      const [shown] = JSON.parse(listed.out)
      expect(shown.sequence).toBe(1)
      expect(shown.attention.join("\n")).toContain("not signed, and this host's key is pinned")
      expect(shown.attention.join("\n")).toContain("not by this host's pinned key")
      expect(listed.code).toBe(1)
      yield* host.send({ sequence: 2 })
    }))

  it.scopedLive("is not served while a copy of it reports too, until an admin reset it", () =>
    Effect.gen(function*() {
      const { admin, host } = yield* accepted
      yield* host.send({ sequence: 1 }, { bootId: "boot-a" })
      yield* host.send({ sequence: 1 }, { bootId: "boot-b" })
      const twin = yield* Effect.flip(host.send({ sequence: 2 }, { bootId: "boot-a" }))
      expect(twin).toMatchObject({ reason: "forbidden", detail: expect.stringContaining("two agents") })
      for (const bootId of ["boot-a", "boot-a", "boot-b"]) {
        expect((yield* Effect.flip(host.send({ sequence: 3 }, { bootId }))).detail).toContain("Neither is served")
      }
      const listed = yield* admin.felhom(["hosts", "--output", "json"])
      expect(JSON.parse(listed.out)[0].attention[0]).toContain("was its disk copied?")
      expect((yield* admin.felhom(["reset", "attic"])).code).toBe(0)
      yield* host.send({ sequence: 4 }, { bootId: "boot-a" })
      const after = JSON.parse((yield* admin.felhom(["hosts", "--output", "json"])).out)
      expect(after[0]).toMatchObject({ sequence: 4 })
      expect(after[0].attention.join()).not.toContain("two agents")
    }))

  it.scopedLive("is a copy, too, when its numbers go back and forth within one boot", () =>
    Effect.gen(function*() {
      const { host } = yield* accepted
      yield* Effect.forEach([20, 5, 21, 6, 22], (sequence) => host.send({ sequence }))
      expect((yield* Effect.flip(host.send({ sequence: 7 }))).detail).toContain("two agents")
    }))

  it.scopedLive("whose disk was set back once is no copy", () =>
    Effect.gen(function*() {
      const { host } = yield* accepted
      yield* Effect.forEach([20, 5, 6, 7, 8], (sequence) => host.send({ sequence }))
    }))
})

describe("felhom host", () => {
  it.scopedLive("says that a key is not known here, and how to trust it", () =>
    Effect.gen(function*() {
      const { host, hub } = yield* accepted
      yield* host.send()
      const viewer = yield* makePerson(hub, yield* hub.token("viewer"))
      const stranger = yield* viewer.felhom(["host", "attic"])
      expect(stranger.code).toBe(0)
      expect(stranger.out).toContain("NOT VERIFIED")
      expect(stranger.out).toContain(host.code)
      expect((yield* viewer.felhom(["trust", "attic"], { types: "AAAA-BBBB-CCCC-DDDD" })).code).toBe(1)
      expect((yield* viewer.felhom(["trust", "attic"], { types: host.code })).code).toBe(0)
      expect((yield* viewer.felhom(["host", "attic"])).out).toContain("signed by the host")
    }))

  it.scopedLive("shows the inventory from the signed report that brought it", () =>
    Effect.gen(function*() {
      const { admin, host } = yield* accepted
      yield* host.send()
      yield* host.send({ sequence: 2, inventory: null })
      const shown = yield* admin.felhom(["host", "attic"])
      expect(shown.out).toContain("signed by the host")
      expect(shown.out).toContain("guest-101")
    }))

  it.scopedLive("refuses a hub that was set back to an older report", () =>
    Effect.gen(function*() {
      const { admin, host } = yield* accepted
      yield* host.send({ sequence: 7 })
      expect((yield* admin.felhom(["host", "attic"])).code).toBe(0)
      const seen = join(admin.home, ".config/felhom/known-hosts.seen")
      const remembered = readFileSync(seen, "utf8")
      writeFileSync(seen, remembered.replace("\"sequence\":7", "\"sequence\":8"))
      const old = yield* admin.felhom(["host", "attic"])
      expect(old).toMatchObject({ code: 1, out: "", err: expect.stringContaining("the hub serves report 7") })
    }))

  it.scopedLive("refuses a report that the hub changed, or put another key's signature under", () =>
    Effect.gen(function*() {
      const { admin, host, hub } = yield* accepted
      yield* host.send()
      const known = join(admin.home, ".config/felhom/known-hosts")
      const other = yield* makeHost(hub, "other")
      const otherAdmin = yield* makePerson(hub, yield* hub.token("admin", "second"))
      const [token = ""] = (yield* otherAdmin.felhom(["enrol"])).out.split("\n")
      yield* Effect.flip(other.enrol(token))
      yield* otherAdmin.felhom(["accept", other.code])
      const line = readFileSync(join(otherAdmin.home, ".config/felhom/known-hosts"), "utf8")
      writeFileSync(known, line.replace(other.id, host.id))
      const shown = yield* admin.felhom(["host", "attic"])
      expect(shown).toMatchObject({ code: 1, out: "", err: expect.stringContaining("it is by another key") })
    }))

  it.scopedLive("refuses a known hosts file with a bad line", () =>
    Effect.gen(function*() {
      const { admin, host } = yield* accepted
      yield* host.send()
      const known = join(admin.home, ".config/felhom/known-hosts")
      writeFileSync(known, `${readFileSync(known, "utf8")}${host.id} ssh-rsa AAAA\n`)
      expect(yield* admin.felhom(["host", "attic"])).toMatchObject({ code: 2, err: expect.stringContaining("line 2") })
    }))
})

it.scopedLive("felhom events shows a host's events, safe for a terminal", () =>
  Effect.gen(function*() {
    const { admin, host } = yield* accepted
    const event = (seq: number, message: string) => ({
      seq,
      at: 1_790_000_000_000,
      kind: "guest.changed",
      severity: "info",
      subject: null,
      message
    })
    yield* host.send({ events: [event(1, "one"), event(2, "\u001b[2Jtwo")] })
    const shown = yield* admin.felhom(["events", "attic", "--limit", "1"])
    expect(shown.out).toContain("\\u001b[2Jtwo")
    expect(shown.out).not.toContain("one")
    expect((yield* admin.felhom(["events", "attic", "--after", "0"])).out).toContain("one")
  }))

it.scopedLive("felhom login keeps hub, fingerprint and token for later commands, and shows the token nowhere", () =>
  Effect.gen(function*() {
    const hub = yield* makeHub
    const token = yield* hub.token("viewer")
    const person = yield* makePerson(hub, token)
    const flags = ["--hub", hub.url.origin, "--fingerprint", hub.fingerprint]
    const environment = { HOME: person.home }
    const types = Redacted.value(token)
    const login = yield* person.felhom(["login", ...flags], { types, environment })
    expect(login).toMatchObject({ code: 0, err: "" })
    expect(login.out).not.toContain(types)
    expect(statSync(join(person.home, ".config/felhom/config.json")).mode & 0o777).toBe(0o600)
    expect(yield* person.felhom(["hosts"], { environment })).toMatchObject({ code: 0, err: "" })
    // What was kept for one hub is shown to no other.
    const elsewhere = yield* person.felhom(["hosts", "--hub", "https://127.0.0.1:1"], { environment })
    expect(elsewhere).toMatchObject({ code: 2, err: expect.stringContaining("no fingerprint") })
    const wrong = yield* person.felhom(["login", ...flags], { types: `felhom_viewer_${"x".repeat(43)}`, environment })
    expect(wrong.code).toBe(1)
  }))

describe("a host with a plain token", () => {
  it.scopedLive("reports unsigned as before, and the operator is told whose word it is", () =>
    Effect.gen(function*() {
      const hub = yield* makeHub
      const viewer = yield* makePerson(hub, yield* hub.token("viewer"))
      const host = yield* makeHost(hub, "attic")
      yield* host.send({}, { bearer: yield* hub.token("host"), sign: null })
      const shown = yield* viewer.felhom(["host", "attic"])
      expect(shown).toMatchObject({ code: 0, err: "" })
      expect(shown.out).toContain("did not sign")
    }))

  it.scopedLive("that signs can be accepted later, and must sign from then on", () =>
    Effect.gen(function*() {
      const hub = yield* makeHub
      const admin = yield* makePerson(hub, yield* hub.token("admin"))
      const host = yield* makeHost(hub, "attic")
      const bearer = yield* hub.token("host")
      yield* host.send({}, { bearer })
      expect((yield* admin.felhom(["accept", "attic"], { types: host.code })).code).toBe(0)
      expect((yield* admin.felhom(["host", "attic"])).out).toContain("signed by the host")
      expect((yield* Effect.flip(host.send({ sequence: 2 }, { bearer, sign: null }))).reason).toBe("forbidden")
      yield* host.send({ sequence: 2 }, { bearer })
    }))

  it.scopedLive("is refused with a signature that does not hold, pinned or not", () =>
    Effect.gen(function*() {
      const hub = yield* makeHub
      const host = yield* makeHost(hub, "attic")
      const refused = yield* Effect.flip(
        host.send({}, { bearer: yield* hub.token("host"), sign: () => Effect.succeed("AAAA") })
      )
      expect(refused).toMatchObject({ reason: "forbidden", detail: expect.stringContaining("signature") })
    }))
})

it.scopedLive("a state folder that was copied is the same host, and a key that was changed in it is none", () =>
  Effect.gen(function*() {
    const { host, hub, token } = yield* accepted
    const copy = yield* folder
    cpSync(host.directory, copy, { recursive: true })
    expect((yield* makeHost(hub, "attic", copy)).code).toBe(host.code)
    writeFileSync(join(copy, "host-key.pem"), "not a key")
    const error = yield* Effect.flip(makeHost(hub, "attic", copy))
    expect(error.message).toContain("is not this host's key")
    expect(error.message).not.toContain("not a key:")
    expect(token).toMatch(/^felhom_enrol_/)
  }))
