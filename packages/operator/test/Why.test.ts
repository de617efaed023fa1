import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { expect } from "vitest"
import { desiredWorld, known } from "./DesiredWorld.ts"

const guests = [
  known(101, "blog", { status: "stopped" }),
  known(102, "wiki"),
  known(103, "twin"),
  known(104, "twin")
]

const at = Date.parse("2026-11-20T10:00:00Z")

const event = (seq: number, kind: string, subject: string | null, message: string, severity = "info") => ({
  seq,
  at: at + seq * 1000,
  kind,
  severity,
  subject,
  message
})

const events = [
  event(1, "guest.appeared", "lxc/101", "lxc/101 (blog) is new here"),
  event(2, "guest.changed", "lxc/1011", "lxc/1011 (other) went from stopped to running"),
  event(3, "guest.appeared", "lxc/105", "lxc/105 (shop) is new here"),
  event(4, "guest.changed", "lxc/101", "lxc/101 (blog) went from running to stopped", "warning"),
  event(5, "desired.started", "lxc/101", "starts it: it is stopped and should run"),
  event(
    6,
    "op.refused",
    "f".repeat(64),
    "guest.destroy of lxc/101 refused (other-host): it is for another host",
    "warning"
  ),
  event(
    7,
    "op.refused",
    "f".repeat(64),
    "guest.destroy of lxc/1010 refused (other-host): it is for another host",
    "warning"
  ),
  event(
    8,
    "desired.blocked",
    "lxc/101",
    "it does not shut down: felhom op guest.stop_hard --host attic --guest lxc/101"
  ),
  event(9, "guest.disappeared", "lxc/105", "lxc/105 (shop) is gone", "warning")
]

const lineOf = (text: string, word: string): string | undefined => text.split("\n").find((line) => line.includes(word))

describe("felhom why", () => {
  it.scopedLive("tells one guest's story: the wish and whose it is, the host's own word, and what happened in its order", () =>
    Effect.gen(function*() {
      const { host, operator, trusts, write } = yield* desiredWorld()
      yield* host.reports(guests, { events })
      yield* trusts
      const path = write("attic.yaml", "host: attic\nguests:\n  blog: { power: running }\n")
      yield* operator.felhom(["apply", "-f", path, "--yes"])
      yield* host.reports(guests)
      const op = "felhom op guest.stop_hard --host attic --guest lxc/101 --reason 'WHY'"
      yield* host.reports(guests, {}, {
        epoch: "1".repeat(32),
        version: 1,
        stale: false,
        drift: [{ subject: "lxc/101", reason: "it is stopped and should run" }, {
          subject: "lxc/102",
          reason: "not its"
        }],
        blocked: [{ subject: "lxc/101", reason: `it does not shut down; ${op}` }]
      })
      const { code, err, out } = yield* operator.felhom(["why", "attic", "blog"])
      expect({ code, err }).toEqual({ code: 0, err: "" })
      const [title, word, now, wished, since, held, differs, blocked, empty, head, ...story] = out.split("\n")
      expect(title).toMatch(/^lxc\/101 blog on attic \([0-9a-f]{8}\)$/)
      expect(word).toMatch(/^signed by the host \d+ \w+ ago/)
      expect(now).toBe("now       stopped, 2 cores, 1.0 GiB")
      expect(wished).toBe("wished    power running")
      expect(since).toMatch(/^ {10}since \d+ \w+ \(\S+ \S+ UTC\), by anna as version 1, by the hub's word$/)
      expect(held).toBe("host      it goes by exactly this, as version 1")
      expect(differs).toBe("differs   it is stopped and should run")
      expect(blocked).toBe(`blocked   it does not shut down; ${op}`)
      expect(empty).toBe("")
      expect(head).toMatch(/^WHEN +KIND +WHAT$/)
      expect(story).toEqual([
        "2026-11-20 10:00:01  guest.appeared   lxc/101 (blog) is new here",
        "2026-11-20 10:00:04  guest.changed    lxc/101 (blog) went from running to stopped",
        "2026-11-20 10:00:05  desired.started  starts it: it is stopped and should run",
        "2026-11-20 10:00:06  op.refused       guest.destroy of lxc/101 refused (other-host): it is for another host",
        "2026-11-20 10:00:08  desired.blocked  it does not shut down: felhom op guest.stop_hard --host attic --guest lxc/101"
      ])
      const last = yield* operator.felhom(["why", "attic", "101", "--limit", "1"])
      expect(last.out).toContain("and 4 earlier (--limit)")
      expect(last.out).not.toContain("desired.started")
      const json = yield* operator.felhom(["why", "attic", "lxc/101", "--output", "json"])
      expect(JSON.parse(json.out)).toMatchObject({
        ref: "lxc/101",
        wish: { called: "lxc/101 blog", since: { by: "anna", version: 1 } },
        drift: ["it is stopped and should run"],
        events: [{ seq: 1 }, { seq: 4 }, { seq: 5 }, { seq: 6 }, { seq: 8 }]
      })
    }))

  it.scopedLive("works for a guest that is gone, by its number and by the name that it had", () =>
    Effect.gen(function*() {
      const { host, operator, trusts, write } = yield* desiredWorld()
      yield* host.reports([...guests, known(105, "shop")], { events })
      yield* trusts
      const path = write("attic.yaml", "host: attic\nguests:\n  shop: { power: running }\n")
      yield* operator.felhom(["apply", "-f", path, "--yes"])
      yield* host.reports(guests)
      for (const text of ["shop", "lxc/105"]) {
        const { code, out } = yield* operator.felhom(["why", "attic", text])
        expect(code).toBe(0)
        expect(lineOf(out, " on attic")).toContain("lxc/105 shop")
        expect(lineOf(out, "now ")).toBe("now       its host's last report has no such guest")
        expect(lineOf(out, "wished ")).toBe("wished    power running")
        expect(lineOf(out, "guest.disappeared")).toContain("lxc/105 (shop) is gone")
      }
      // Nobody wished anything for this one, and nothing happened to it.
      const quiet = yield* operator.felhom(["why", "attic", "wiki"])
      expect(quiet.out).toContain("wished    nothing: it is left alone")
      expect(quiet.out).toContain("nothing that the hub keeps happened to it")
    }))

  it.scopedLive("tells what keeps the host from all that is wished, and what it says of a guest that it does not find", () =>
    Effect.gen(function*() {
      const { host, operator, trusts, write } = yield* desiredWorld()
      yield* host.reports(guests)
      yield* trusts
      const path = write("attic.yaml", "host: attic\nguests:\n  blog: { power: running }\n  wiki: { power: running }\n")
      yield* operator.felhom(["apply", "-f", path, "--yes"])
      const held = "the desired state: the host is held since yesterday: moving house"
      const missing = "a CT (wiki): can't be as wished: no guest of this host is it"
      const more = {
        events: [
          event(1, "hold.set", null, "held by root: moving house", "warning"),
          event(2, "desired.waiting", null, `waits: ${held}`),
          event(3, "desired.blocked", null, `not done: ${missing}`, "warning"),
          event(4, "hub.unreachable", null, "it cannot be reached", "warning")
        ]
      }
      const subject = "host"
      yield* host.reports([known(101, "blog")], more, {
        epoch: "1".repeat(32),
        version: 1,
        stale: false,
        drift: [{ subject, reason: missing }],
        blocked: [{ subject, reason: held }, { subject, reason: missing }]
      })
      const told = (name: string) =>
        Effect.map(operator.felhom(["why", "attic", name, "--output", "json"]), ({ out }) => {
          const { blocked, drift, events } = JSON.parse(out)
          return { blocked, drift, events: events.map(({ seq }: { readonly seq: number }) => seq) }
        })
      expect(yield* told("blog")).toEqual({ drift: [], blocked: [held], events: [1, 2] })
      expect(yield* told("wiki")).toEqual({ drift: [missing], blocked: [held, missing], events: [1, 2, 3] })
    }))

  it.scopedLive("says where a wish means who the guest was before it got another volume", () =>
    Effect.gen(function*() {
      const { host, operator, trusts, write } = yield* desiredWorld()
      yield* host.reports(guests)
      yield* trusts
      const path = write("attic.yaml", "host: attic\nguests:\n  blog: { power: running }\n")
      yield* operator.felhom(["apply", "-f", path, "--yes"])
      yield* host.reports([known(101, "blog", { config: known(111, "blog").config })])
      const changed = yield* operator.felhom(["why", "attic", "blog"])
      expect(changed.out).toContain("wished    nothing for who it is now: lxc/101 blog was named when it had other")
      yield* operator.felhom(["apply", "-f", path, "--yes"])
      expect((yield* operator.felhom(["why", "attic", "blog"])).out).toContain("wished    power running")
    }))

  it.scopedLive("tells of a guest that is still to be made, by what its file calls it", () =>
    Effect.gen(function*() {
      const { host, operator, trusts, write } = yield* desiredWorld()
      yield* host.reports(guests)
      yield* trusts
      const key = "0123456789abcdef".repeat(2)
      const path = write(
        "attic.yaml",
        `host: attic\nguests:\n  new-one: { make: { image: debian-13, storage: local-lvm, key: ${key} } }\n`
      )
      yield* operator.felhom(["apply", "-f", path, "--yes"])
      yield* host.reports(guests, {
        events: [event(1, "desired.blocked", `new ${key}`, "the host's policy knows no image debian-13")]
      })
      const { out } = yield* operator.felhom(["why", "attic", "new-one"])
      expect(out).toMatch(/^not made yet: new-one on attic/)
      expect(lineOf(out, "desired.blocked")).toContain("the host's policy knows no image debian-13")
    }))

  it.scopedLive("does not guess which guest is meant, and says where none is", () =>
    Effect.gen(function*() {
      const { host, operator, trusts } = yield* desiredWorld()
      yield* host.reports(guests, { events })
      yield* trusts
      expect(yield* operator.felhom(["why", "attic", "twin"])).toMatchObject({
        code: 1,
        err: "\"twin\" may be any of lxc/103, lxc/104; give the number"
      })
      const nobody = yield* operator.felhom(["why", "attic", "nobody"])
      expect(nobody.code).toBe(1)
      expect(nobody.err).toContain("names a guest \"nobody\"")
    }))

  it.scopedLive("says that it is the hub's word alone where the host's key is not known here", () =>
    Effect.gen(function*() {
      const { host, operator } = yield* desiredWorld()
      yield* host.reports(guests, { events })
      const { code, out } = yield* operator.felhom(["why", "attic", "blog"])
      expect(code).toBe(0)
      expect(out).toContain("NOT VERIFIED")
    }))
})

describe("felhom hosts and felhom host", () => {
  it.scopedLive("show how a host stands to what is wished for it", () =>
    Effect.gen(function*() {
      const { host, operator, trusts, write } = yield* desiredWorld()
      yield* host.reports(guests)
      yield* trusts
      expect((yield* operator.felhom(["hosts"])).out).not.toContain("DESIRED")
      yield* operator.felhom([
        "apply",
        "-f",
        write("a.yaml", "host: attic\nguests:\n  blog: { power: running }\n"),
        "--yes"
      ])
      expect((yield* operator.felhom(["hosts"])).out).toMatch(/DESIRED\nattic .* 1 not taken\n?/)
      yield* host.reports(guests)
      const status = { epoch: "1".repeat(32), version: 1, stale: false, drift: [], blocked: [] }
      yield* host.reports(guests, {}, status)
      expect((yield* operator.felhom(["hosts"])).out).toMatch(/DESIRED\nattic .* as wished\n?/)
      const blocked = [{ subject: "lxc/101", reason: "the host is held" }]
      yield* host.reports(guests, {}, { ...status, drift: [{ subject: "lxc/101", reason: "it is stopped" }], blocked })
      expect((yield* operator.felhom(["hosts"])).out).toMatch(/DESIRED\nattic .* 1 differ, 1 blocked\n?/)
      const { out } = yield* operator.felhom(["host", "attic"])
      expect(out).toContain("goes by version 1 of what is wished for it: 1 differ, 1 blocked")
      expect(out).toMatch(/Blocked\nSUBJECT +WHY\nlxc\/101 +the host is held/)
      yield* host.reports(guests, {}, { ...status, stale: true })
      expect((yield* operator.felhom(["hosts"])).out).toMatch(/DESIRED\nattic .* run out\n?/)
      expect((yield* operator.felhom(["desired", "show", "attic"])).out).toContain("it begins nothing new")
    }))
})
