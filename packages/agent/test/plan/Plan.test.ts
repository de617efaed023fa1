import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, it } from "@effect/vitest"
import { runCli } from "@felhom/agent/Cli"
import { planText } from "@felhom/agent/plan/PlanView"
import { showPlan } from "@felhom/agent/plan/ShowPlan"
import { HostPolicy, type PolicyReading } from "@felhom/authz/HostPolicy"
import { parsePolicy, usualPolicy } from "@felhom/authz/PolicyDocument"
import { decodeDesired } from "@felhom/domain/DesiredDocument"
import { type GuestIdentity, guestIdentity } from "@felhom/domain/GuestConfig"
import { HostEpoch } from "@felhom/domain/HostId"
import { DurableFile } from "@felhom/domain/port/DurableFile"
import { StorageId, Vmid, Volid } from "@felhom/domain/ProxmoxId"
import { Sha256Hex } from "@felhom/domain/Sha256"
import { EpochMillis } from "@felhom/domain/Time"
import { Hold } from "@felhom/durable/Hold"
import * as OpJournal from "@felhom/durable/OpJournal"
import { Mandate } from "@felhom/mandate/Mandate"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import * as NodeFileSteps from "@felhom/node/NodeFileSteps"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import { PveSim } from "@felhom/pve-sim/PveSim"
import { DesiredStore, type HeldDesired } from "@felhom/reconciler/desired/DesiredStore"
import { GoldenStore } from "@felhom/reconciler/golden/GoldenStore"
import { Effect, Either, Layer, Option } from "effect"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect } from "vitest"
import { guest as guests, host, type HostOptions, passing } from "../selftest/SimulatedHost.ts"

const epoch = HostEpoch.make("a".repeat(32))
const tiny = { type: "lxc", vmid: guests.tiny } as const

const documentOf = (identity: GuestIdentity, wish: object) =>
  Either.getOrThrow(decodeDesired(new TextEncoder().encode(JSON.stringify({
    typ: "felhom/desired/v1",
    host: "c".repeat(32),
    hostEpoch: "d".repeat(32),
    epoch,
    version: 7,
    issued: 1,
    expires: 86_400_000,
    state: { guests: [{ guest: { type: "lxc", identity }, ...wish }] }
  }))))

const heldOf = (identity: GuestIdentity, wish: object): HeldDesired => ({
  epoch,
  version: 7,
  sha256: Sha256Hex.make("e".repeat(64)),
  document: documentOf(identity, wish)
})

const noPolicy: PolicyReading = { policy: usualPolicy, sha256: null, root: null, problem: Option.none() }

/** A journal in which these guests were touched. */
const journalWith = (...touched: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "felhom-plan-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
    )
    const stores = Layer.mergeAll(NodeFileSteps.layer, NodeCrypto.layer, Mandate.mintLayer)
    yield* Effect.flatMap(OpJournal.OpJournal, ({ desired }) =>
      Effect.forEach(touched, (who) =>
        desired.begun({
          step: who,
          epoch,
          version: 1,
          action: "guest.start",
          guest: null,
          call: { call: "POST", vmid: null, taskType: null },
          write: null,
          count: { touched: who, created: false, grown: 0 }
        }))).pipe(Effect.provide(Layer.provide(OpJournal.layer(folder), stores)))
    return new Uint8Array(readFileSync(join(folder, "journal.log")))
  }).pipe(Effect.scoped)

/** What the command prints on the recorded host, for what is held, and which writes it took. */
const printed = (
  held: (identity: GuestIdentity) => Option.Option<HeldDesired>,
  options: {
    readonly output?: "text" | "json"
    readonly on?: boolean
    readonly host?: HostOptions
    readonly policy?: PolicyReading
    /** `journal.log`. */
    readonly journal?: Uint8Array
  } = {}
) =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const identity = guestIdentity("lxc", yield* passing(client.guestConfig(tiny)))
    const lines: Array<string> = []
    const console = yield* Effect.console
    const hold = { typ: "felhom/hold/v1", since: EpochMillis.make(0), by: "root", reason: "moving house" } as const
    yield* passing(
      showPlan(options.output ?? "text", "/state/").pipe(
        Effect.provide(Layer.mergeAll(
          Layer.mock(DesiredStore, { current: Effect.succeed(held(identity)) }),
          Layer.mock(GoldenStore, { held: Effect.succeed([]) }),
          Layer.mock(Hold, { current: Effect.succeed(options.on === true ? Option.some(hold) : Option.none()) }),
          Layer.mock(HostPolicy, { current: Effect.succeed(options.policy ?? noPolicy) }),
          Layer.mock(DurableFile, {
            read: (path) =>
              Effect.succeed(
                path === "/state/journal.log" ? Option.fromNullable(options.journal) : Option.none()
              )
          })
        )),
        Effect.withConsole(
          {
            ...console,
            log: (...texts: ReadonlyArray<unknown>) => Effect.sync(() => void lines.push(...texts.map(String)))
          }
        )
      )
    )
    const requests = yield* (yield* PveSim).requests
    expect(requests.filter(({ method }) => method !== "GET")).toEqual([])
    return lines.join("\n")
  }).pipe(Effect.provide(host(options.host)))

const wishing = (wish: object) => (identity: GuestIdentity) => Option.some(heldOf(identity, wish))

describe("felhom-agent plan", () => {
  it.effect("shows each step in plain words, with what may be done now, and does none of it", () =>
    Effect.gen(function*() {
      const text = yield* printed(wishing({ cores: 4, volumes: { rootfs: 2 }, nets: { net7: { bridge: "vmbr0" } } }))
      expect(text.split("\n")).toEqual([
        `desired state version 7 of the hub's store ${epoch}, good until 1970-01-02T00:00:00.000Z`,
        expect.stringMatching(/^ {2}1 {2}go {4}CT 9999 \(tiny\): change cores: .* -> 4$/),
        "           cores: it is not as wished",
        expect.stringMatching(/^ {2}2 {2}\w+ +CT 9999 \(tiny\): /),
        expect.anything(),
        expect.stringMatching(/^ {2}3 {2}no {4}CT 9999 \(tiny\): net7 can't be as wished/),
        expect.stringContaining("it has no card net7"),
        "shown only: nothing was changed"
      ])
    }))

  it.effect("says that all is as it should be, and where that is only so until the state runs out", () =>
    Effect.gen(function*() {
      expect(yield* printed(wishing({}))).toContain("demo-felhom is as it should be: there is nothing to do")
      const over = (identity: GuestIdentity) =>
        Option.some({
          ...heldOf(identity, { cores: 4 }),
          document: { ...documentOf(identity, { cores: 4 }), expires: EpochMillis.make(1) }
        })
      const text = yield* printed(over)
      expect(text).toContain("over since 1970-01-01T00:00:00.001Z: nothing is begun for it")
      expect(text).toContain("no    CT 9999")
    }))

  it.effect("goes by the hold of the host", () =>
    Effect.gen(function*() {
      const text = yield* printed(wishing({ cores: 4 }), { on: true })
      expect(text).toContain("wait  CT 9999")
      expect(text).toContain("moving house")
    }))

  it.effect("goes by root's policy, and refuses to guess at one that it can't read", () =>
    Effect.gen(function*() {
      const policy = parsePolicy(new TextEncoder().encode(JSON.stringify({
        typ: "felhom/policy/v1",
        desired: { correction: { settings: "report" } }
      })))
      const text = yield* printed(wishing({ cores: 4 }), {
        policy: { ...noPolicy, policy: Either.getOrThrow(policy) }
      })
      expect(text).toContain("the host's policy has settings told, not put right")
      const error = yield* Effect.flip(printed(wishing({ cores: 4 }), {
        policy: { ...noPolicy, problem: Option.some("/etc/felhom-agent/policy.json: it is no policy") }
      }))
      expect(error).toMatchObject({ _tag: "PolicyProblem" })
      expect(String(error)).toContain("/etc/felhom-agent/policy.json")
    }))

  it.effect("counts what the host did of late, from its journal, which it only reads", () =>
    Effect.gen(function*() {
      const journal = yield* journalWith("a", "b", "c", "d", "e")
      const text = yield* printed(wishing({ cores: 4 }), { journal })
      expect(text).toContain("wait  CT 9999")
      expect(text).toContain("5 guests were stopped, started or changed within 60 minutes, and the policy allows 5")
      const torn = journal.slice(0, journal.length - 1)
      expect(yield* printed(wishing({ cores: 4 }), { journal: torn })).toContain("CT 9999")
      const damaged = yield* Effect.flip(printed(wishing({ cores: 4 }), { journal: new Uint8Array(10) }))
      expect(damaged).toMatchObject({ _tag: "DurableLogError", reason: "unreadable" })
    }))

  it.effect("without a desired state says so, and what to do", () =>
    Effect.gen(function*() {
      const none = () => Option.none<HeldDesired>()
      expect(yield* printed(none)).toContain("this host has taken no desired state yet")
      expect(JSON.parse(yield* printed(none, { output: "json" }))).toEqual({
        node: "demo-felhom",
        desired: null,
        stale: true,
        steps: [],
        notes: []
      })
    }))

  it.effect("begins nothing for a state of the hub's store before", () =>
    Effect.gen(function*() {
      const before = (identity: GuestIdentity) =>
        Option.some({ ...heldOf(identity, { cores: 4 }), version: 0, sha256: null })
      const text = yield* printed(before)
      expect(text).toContain("no desired state of it has come yet")
      expect(text).toContain("no    CT 9999")
    }))

  it.effect("gives programs every step with its action, its precondition and its verdict", () =>
    Effect.gen(function*() {
      const told: unknown = JSON.parse(yield* printed(wishing({ cores: 4 }), { output: "json" }))
      expect(told).toMatchObject({
        node: "demo-felhom",
        desired: { epoch, version: 7, expires: 86_400_000 },
        stale: false,
        steps: [{
          id: "lxc/9999 config.set cores",
          class: "benign",
          action: { kind: "config.set", key: "cores", text: "4" },
          precondition: { digest: expect.any(String), before: { key: "cores" } },
          verdict: { answer: "go" }
        }]
      })
    }))

  it("has words for everything that a plan can hold", () => {
    const identity = { hwaddrs: [], volumes: [], smbiosUuid: null, key: null }
    const machine = {
      type: "qemu",
      ref: { type: "qemu", vmid: Vmid.make(200) },
      identity,
      name: "db\u001b[2J"
    } as const
    const fresh = { type: "lxc", ref: null, identity: { ...identity, key: "f".repeat(32) }, name: null } as const
    const common = { id: "x", drift: "power", reason: "why", old: null, new: null } as const
    const benign = {
      ...common,
      class: "benign",
      effect: "now",
      precondition: { digest: null },
      after: [],
      waitsFor: null,
      op: null
    } as const
    const go = { answer: "go", reason: "why" } as const
    const text = planText({
      node: "pve",
      desired: { epoch, version: 7, expires: 10 },
      now: 1,
      judged: [
        {
          step: { ...benign, guest: machine, action: { kind: "guest.shutdown" }, op: "felhom op guest.stop_hard" },
          verdict: { answer: "wait", until: 5, reason: "the window" }
        },
        {
          step: {
            ...benign,
            guest: machine,
            effect: "next-start",
            action: { kind: "config.clear", key: "tags" },
            old: "a"
          },
          verdict: go
        },
        {
          step: {
            ...benign,
            guest: fresh,
            action: {
              kind: "guest.make",
              key: "f".repeat(32),
              archive: Volid.make("local:backup/x.tar"),
              storage: StorageId.make("local"),
              root: null,
              size: null,
              settings: [],
              cards: {}
            }
          },
          verdict: go
        },
        {
          step: { ...common, class: "needs-signature", guest: machine, op: "felhom op guest.destroy" },
          verdict: { answer: "needs-signature", reason: "left alone" }
        }
      ],
      notes: [{ guest: machine, text: "cores is pending" }]
    })
    expect(text.split("\n")).toEqual([
      expect.stringContaining("desired state version 7"),
      "  1  wait  VM 200 (db\\u001b[2J): shut down",
      "           until 1970-01-01T00:00:00.005Z: the window",
      "           if it does not shut down: felhom op guest.stop_hard",
      "  2  go    VM 200 (db\\u001b[2J): change tags: a -> (none)",
      "           why",
      "           it holds from the guest's next start on",
      "  3  go    new CT: make",
      "           why",
      "  4  sign  VM 200 (db\\u001b[2J): is not wished for",
      "           left alone",
      "           felhom op guest.destroy",
      "note       VM 200 (db\\u001b[2J): cores is pending",
      expect.stringContaining("shown only")
    ])
  })

  it.scopedLive("is a command of the program, and explains itself", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const console = yield* Effect.console
      yield* runCli({ environment: {}, terminal: false })(["node", "felhom-agent", "plan", "--help"]).pipe(
        Effect.withConsole({
          ...console,
          log: (...texts: ReadonlyArray<unknown>) => Effect.sync(() => void lines.push(...texts.map(String)))
        }),
        Effect.provide(NodeContext.layer)
      )
      expect(lines.join()).toContain("What would be done for the desired state")
      expect(lines.join()).toContain("--json")
    }))
})
