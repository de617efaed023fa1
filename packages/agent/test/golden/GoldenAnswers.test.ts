import { it } from "@effect/vitest"
import { goldenAnswered } from "@felhom/agent/golden/GoldenAnswers"
import { HostPolicy } from "@felhom/authz/HostPolicy"
import { parsePolicy, usualPolicy } from "@felhom/authz/PolicyDocument"
import { type GoldenBytes, type GoldenManifest, GoldenName, goldenType } from "@felhom/domain/GoldenManifest"
import { HostId } from "@felhom/domain/HostId"
import { NodeName, StorageId, TokenId, Vmid, Volid } from "@felhom/domain/ProxmoxId"
import { Sha256Hex } from "@felhom/domain/Sha256"
import { EpochMillis } from "@felhom/domain/Time"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import { GoldenBuilder } from "@felhom/reconciler/golden/GoldenBuilder"
import type { GoldenBuild, GoldenOrder } from "@felhom/reconciler/golden/GoldenBuilds"
import { GoldenImages } from "@felhom/reconciler/golden/GoldenImages"
import { GoldenRefused } from "@felhom/reconciler/golden/GoldenRefused"
import { Effect, Either, Layer, Option } from "effect"
import { expect } from "vitest"

const name = GoldenName.make("debian-13")
const volid = Volid.make("local:backup/vzdump-lxc-100-2026_01_01-00_00_00.tar.zst")
const nothing: string | undefined = undefined
const sha256 = Sha256Hex.make("a".repeat(64))

const order: GoldenOrder = {
  name,
  version: 4,
  template: "local:vztmpl/debian.tar.zst",
  storage: StorageId.make("ctstore"),
  backupStorage: StorageId.make("local"),
  rootGiB: 8,
  cores: 1,
  memoryMiB: 512,
  bridge: "vmbr0",
  firstBootMinutes: 30
}

const buildAt = (stage: GoldenBuild["stage"], more: Partial<GoldenBuild & { running: boolean }> = {}) => ({
  order,
  hostname: "felhom-golden-1",
  vmid: Vmid.make(100),
  begunAt: EpochMillis.make(0),
  stage,
  createUpid: null,
  identity: null,
  dumpAt: null,
  dumpUpid: null,
  volid: null,
  draft: null,
  said: "",
  running: false,
  ...more
})

const manifest = (version: number, bytes: GoldenBytes = { sha256 }): GoldenManifest => ({
  typ: goldenType,
  name,
  version,
  volid,
  size: 5,
  bytes,
  config: "arch: amd64\n",
  template: order.template,
  host: HostId.make("1".repeat(32)),
  builtAt: EpochMillis.make(0)
})

const naming = Either.getOrThrow(
  parsePolicy(new TextEncoder().encode(`{"typ":"felhom/policy/v1","desired":{"golden":{"images":["debian-13"]}}}`))
)

const over = (options: {
  readonly builds?: ReadonlyArray<ReturnType<typeof buildAt>>
  readonly held?: ReadonlyArray<GoldenManifest>
  readonly check?: (typeof GoldenImages.Service)["check"]
  readonly policy?: typeof usualPolicy
}) => {
  const asked: Array<GoldenOrder> = []
  const layer = Layer.mergeAll(
    Layer.mock(GoldenBuilder, {
      all: Effect.succeed(options.builds ?? []),
      build: (given) => Effect.as(Effect.sync(() => asked.push(given)), buildAt("chosen", { order: given })),
      resume: () => Effect.succeed(buildAt("booted")),
      discard: () => Effect.succeed("the build of debian-13 is forgotten")
    }),
    Layer.mock(GoldenImages, {
      held: Effect.succeed(
        (options.held ?? []).map((one) => ({ manifest: one, signed: { payload: "", signatures: [] } }))
      ),
      accept: () => Effect.succeed({ manifest: manifest(4), principals: ["anna", "ben"] }),
      check: options.check ?? (() => Effect.void.pipe(Effect.as(nothing)))
    }),
    Layer.mock(HostPolicy, {
      current: Effect.succeed({ policy: options.policy ?? naming, sha256: null, root: null, problem: Option.none() })
    }),
    Layer.mock(ProxmoxClient, { node: NodeName.make("attic"), tokenId: TokenId.make("felhom-agent@pve!agent") })
  )
  return {
    asked,
    ask: (request: Parameters<typeof goldenAnswered>[0]) => Effect.provide(goldenAnswered(request), layer)
  }
}

it.effect("a build without a number gets the one above the highest that is known here", () =>
  Effect.gen(function*() {
    const { ask, asked } = over({ builds: [buildAt("failed")], held: [manifest(2)] })
    expect((yield* ask({ ask: "golden.build", order: { ...order, version: null } })).message).toBe(
      "the build of debian-13 version 5 is begun, as CT 100; felhom-agent golden list shows how far it has come"
    )
    expect(asked).toEqual([{ ...order, version: 5 }])
  }))

it.effect("the list tells of what was accepted, how far builds have come, and what holds them up", () =>
  Effect.gen(function*() {
    const rows = (build: ReturnType<typeof buildAt>, held: ReadonlyArray<GoldenManifest> = []) =>
      Effect.map(over({ builds: [build], held }).ask({ ask: "golden.list" }), ({ golden }) => golden)
    expect(yield* rows(buildAt("starting", { running: true }))).toMatchObject([
      { state: "building", words: "CT 100: its first boot is under way" }
    ])
    expect(yield* rows(buildAt("booted", { said: "its backup was not done" }))).toMatchObject([
      { state: "held up", words: "its backup was not done" }
    ])
    expect(yield* rows(buildAt("failed", { said: "CT 100 does not start" }))).toMatchObject([{ state: "failed" }])
    expect(yield* rows(buildAt("done", { volid }), [manifest(3)])).toMatchObject([
      { version: 3, state: "accepted", words: `SHA-256 ${sha256}` },
      { version: 4, state: "to be signed", volid, words: expect.stringContaining("felhom-agent golden draft") }
    ])
    expect(yield* rows(buildAt("done", { volid }), [manifest(4, { unread: "no leave" })])).toMatchObject([
      { version: 4, state: "accepted", words: "its bytes were not read: no leave" }
    ])
  }))

it.effect("a manifest is given out once it is written, and never that of a build that failed", () =>
  Effect.gen(function*() {
    const { ask } = over({ builds: [buildAt("done", { draft: "{}\n" })] })
    expect(yield* ask({ ask: "golden.draft", name })).toMatchObject({ ok: true, draft: "{}\n" })
    const broken = over({ builds: [buildAt("failed", { draft: "{}\n", said: "somebody has started it again" })] })
    expect((yield* Effect.flip(broken.ask({ ask: "golden.draft", name }))).message).toContain(
      "its build has no manifest: somebody has started it again"
    )
  }))

it.effect("what is accepted says who signed it, what stands in its way, and what root's policy lacks", () =>
  Effect.gen(function*() {
    const signed = { payload: "", signatures: [] }
    expect((yield* over({}).ask({ ask: "golden.accept", signed })).message).toBe(
      `accepted debian-13 version 4, signed by anna and ben: ${volid}`
    )
    const gone = new GoldenRefused({
      reason: "archive",
      what: "golden image debian-13",
      detail: "there is no such archive"
    })
    expect(
      (yield* over({ check: () => gone, policy: usualPolicy }).ask({ ask: "golden.accept", signed })).message
    ).toMatch(
      /; nothing can be made from it now: golden image debian-13: there is no such archive; .*; root's policy does not name it yet: put "debian-13" in desired\.golden\.images$/
    )
  }))

it.effect("to verify reads all of the archive, and says what could not be compared", () =>
  Effect.gen(function*() {
    const depths: Array<string> = []
    const check = (note: string | undefined): (typeof GoldenImages.Service)["check"] => (_, __, depth) =>
      Effect.as(Effect.sync(() => depths.push(depth)), note)
    const said = (note: string | undefined, policy = naming) =>
      Effect.map(
        over({ held: [manifest(4)], check: check(note), policy }).ask({ ask: "golden.verify", name }),
        ({ message }) => message
      )
    expect(yield* said(undefined)).toBe(`debian-13 version 4: ${volid} is, byte for byte, what operators signed`)
    expect(yield* said("its bytes were not compared")).toBe(
      `debian-13 version 4: ${volid} looks as it was signed, and its bytes were not compared`
    )
    expect(yield* said(undefined, usualPolicy)).toContain("so no guest is made from it")
    expect(depths).toEqual(["read", "read", "read"])
  }))

it.effect("a build goes on, or is forgotten, as it is asked for", () =>
  Effect.gen(function*() {
    const { ask } = over({})
    expect((yield* ask({ ask: "golden.resume", name })).message).toBe(
      "the build of debian-13 goes on: its first boot is through"
    )
    expect((yield* ask({ ask: "golden.discard", name })).message).toBe("the build of debian-13 is forgotten")
  }))
