// The compiler itself must refuse what is wrong here; the hint that explains it would stand in the way.
// @effect-diagnostics missingLayerContext:off
import { CommandExecutor, HttpClient } from "@effect/platform"
import { NodeContext, NodeHttpClient } from "@effect/platform-node"
import { describe, it } from "@effect/vitest"
import type { AcceptedSigners } from "@felhom/authz/AcceptedSigners"
import type * as Authz from "@felhom/authz/Authz"
import type { HostPolicy } from "@felhom/authz/HostPolicy"
import type { HubTime } from "@felhom/authz/HubTime"
import type { Signers } from "@felhom/authz/Signers"
import type * as SignersChain from "@felhom/authz/SignersChain"
import type { Crypto } from "@felhom/domain/port/Crypto"
import type { DurableFile } from "@felhom/domain/port/DurableFile"
import type { RootSocket } from "@felhom/domain/port/RootSocket"
import type { SignatureCrypto } from "@felhom/domain/port/SignatureCrypto"
import { type GuestRef, SnapshotName, Vmid } from "@felhom/domain/ProxmoxId"
import type { Hold } from "@felhom/durable/Hold"
import type { NonceStore } from "@felhom/durable/NonceStore"
import type * as OpJournal from "@felhom/durable/OpJournal"
import type * as StateFile from "@felhom/durable/StateFile"
import type * as HubClient from "@felhom/hub-client/HubClient"
import type { HubClientConfig } from "@felhom/hub-client/HubClientConfig"
import type { MandateMint } from "@felhom/mandate/Mandate"
import type { MarkFiles } from "@felhom/privileged/MarkFiles"
import { Privileged } from "@felhom/privileged/Privileged"
import type * as PrivilegedDirect from "@felhom/privileged/PrivilegedDirect"
import type * as PrivilegedSocket from "@felhom/privileged/PrivilegedSocket"
import type { UnitFiles } from "@felhom/privileged/UnitFiles"
import * as ProxmoxClient from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxConfig } from "@felhom/proxmox/ProxmoxConfig"
import type * as TaskWaiter from "@felhom/proxmox/TaskWaiter"
import type * as DesiredIntake from "@felhom/reconciler/desired/DesiredIntake"
import type { DesiredStore } from "@felhom/reconciler/desired/DesiredStore"
import type { GoldenImages } from "@felhom/reconciler/golden/GoldenImages"
import type * as Observer from "@felhom/reconciler/Observer"
import type * as Executor from "@felhom/reconciler/op/Executor"
import type { LocalOps } from "@felhom/reconciler/op/LocalOps"
import type * as OpIntake from "@felhom/reconciler/op/OpIntake"
import type { OpNews } from "@felhom/reconciler/op/OpNews"
import type * as Pursuit from "@felhom/reconciler/pursuit/Pursuit"
import type { PursuitNews } from "@felhom/reconciler/pursuit/PursuitNews"
import type * as SignersIntake from "@felhom/reconciler/trust/SignersIntake"
import type { TrustNews } from "@felhom/reconciler/trust/TrustNews"
import { Effect, Layer } from "effect"
import { expectTypeOf } from "vitest"

type HttpSide = HttpClient.HttpClient | ProxmoxConfig
type RootSide = CommandExecutor.CommandExecutor | UnitFiles | MarkFiles

/** A layer that gives what the live one gives, and quietly needs more. */
const smugglingHttpSide = Layer.effect(
  ProxmoxClient.ProxmoxClient,
  Effect.zipRight(CommandExecutor.CommandExecutor, Effect.die("never built") as Effect.Effect<never>)
)
const smugglingRootSide = Layer.effect(
  Privileged,
  Effect.zipRight(HttpClient.HttpClient, Effect.die("never built") as Effect.Effect<never>)
)

describe("the fence, first lock: types", () => {
  it("holds each layer to exactly its requirements", () => {
    expectTypeOf<Layer.Layer.Context<typeof ProxmoxClient.layer>>().toEqualTypeOf<HttpSide>()
    expectTypeOf<Layer.Layer.Context<typeof TaskWaiter.layer>>().toEqualTypeOf<ProxmoxClient.ProxmoxClient>()
    expectTypeOf<Layer.Layer.Context<typeof HubClient.layer>>().toEqualTypeOf<HttpClient.HttpClient | HubClientConfig>()
    expectTypeOf<Layer.Layer.Context<typeof PrivilegedDirect.layer>>().toEqualTypeOf<RootSide>()
    expectTypeOf<Layer.Layer.Context<typeof PrivilegedSocket.layer>>().toEqualTypeOf<RootSocket>()
    expectTypeOf<Layer.Layer.Context<typeof OpJournal.layerMemory>>().toEqualTypeOf<MandateMint>()
    expectTypeOf<Layer.Layer.Context<ReturnType<typeof StateFile.layer>>>().toEqualTypeOf<Crypto | DurableFile>()
    expectTypeOf<Layer.Layer.Context<typeof Observer.layer>>().toEqualTypeOf<
      ProxmoxClient.ProxmoxClient | Privileged | Crypto
    >()
  })

  it("lets nobody decide on an op who could also reach Proxmox, and nobody do one who could mint the right to", () => {
    expectTypeOf<Layer.Layer.Context<ReturnType<typeof Authz.layer>>>().toEqualTypeOf<
      NonceStore | Signers | HostPolicy | Hold | HubTime | Crypto | SignatureCrypto | MandateMint
    >()
    expectTypeOf<Layer.Layer.Context<typeof Executor.layer>>().toEqualTypeOf<
      | ProxmoxClient.ProxmoxClient
      | TaskWaiter.TaskWaiter
      | OpJournal.OpJournal
      | Authz.Authz
      | LocalOps
      | OpNews
      | Crypto
      | Hold
      | NonceStore
    >()
    expectTypeOf<Layer.Layer.Context<typeof OpIntake.layer>>().toEqualTypeOf<
      Authz.Authz | OpJournal.OpJournal | Executor.Executor | OpNews | Crypto
    >()
    expectTypeOf<Layer.Layer.Context<ReturnType<typeof Authz.layer>>>().not.toBeAny()
    expectTypeOf<Layer.Layer.Context<typeof Executor.layer>>().not.toBeAny()
  })

  it("lets nobody move the host to a hub's word who could decide on an op, or mint the right to destroy", () => {
    expectTypeOf<Layer.Layer.Context<typeof Pursuit.layer>>().toEqualTypeOf<
      | ProxmoxClient.ProxmoxClient
      | TaskWaiter.TaskWaiter
      | OpJournal.OpJournal
      | HostPolicy
      | GoldenImages
      | Hold
      | DesiredStore
      | DesiredIntake.DesiredIntake
      | Executor.Executor
      | PursuitNews
    >()
    expectTypeOf<Layer.Layer.Context<typeof Pursuit.layer>>().not.toBeAny()
  })

  it("lets nobody take in a hub's own word who could reach Proxmox, or mint the right to destroy", () => {
    expectTypeOf<Layer.Layer.Context<typeof SignersChain.layer>>().toEqualTypeOf<
      AcceptedSigners | Signers | HostPolicy | NonceStore | Crypto | SignatureCrypto
    >()
    expectTypeOf<Layer.Layer.Context<typeof SignersIntake.layer>>().toEqualTypeOf<
      SignersChain.SignersChain | TrustNews | Crypto
    >()
    expectTypeOf<Layer.Layer.Context<ReturnType<typeof DesiredIntake.layer>>>().toEqualTypeOf<
      DesiredStore | TrustNews | Crypto
    >()
  })

  it("never turns a requirement into any, which would let everything in", () => {
    expectTypeOf<Layer.Layer.Context<typeof ProxmoxClient.layer>>().not.toBeAny()
    expectTypeOf<Layer.Layer.Context<typeof HubClient.layer>>().not.toBeAny()
    expectTypeOf<Layer.Layer.Context<typeof PrivilegedDirect.layer>>().not.toBeAny()
    expectTypeOf<Layer.Layer.Context<typeof PrivilegedSocket.layer>>().not.toBeAny()
    expectTypeOf<Layer.Layer.Context<typeof Observer.layer>>().not.toBeAny()
  })

  it("refuses an HTTP side that needs commands", () => {
    // @ts-expect-error CommandExecutor is not in the ceiling of ProxmoxClient
    void (smugglingHttpSide satisfies Layer.Layer<ProxmoxClient.ProxmoxClient, never, HttpSide>)
    // @ts-expect-error nor does the check that each layer is built with let it pass
    void (() => smugglingHttpSide.pipe(Layer.ensureRequirementsType<HttpSide>()))
  })

  it("refuses a root side that needs HTTP", () => {
    // @ts-expect-error HttpClient is not in the ceiling of Privileged
    void (smugglingRootSide satisfies Layer.Layer<Privileged, never, RootSide>)
    // @ts-expect-error nor does the check that each layer is built with let it pass
    void (() => smugglingRootSide.pipe(Layer.ensureRequirementsType<RootSide>()))
  })

  it("can't see a requirement that was discharged inside: there the packages and lint hold", () => {
    // These two compile, which is why a live platform may not even be imported below floor 4 (Packages.test.ts, Lint.test.ts).
    const inside = smugglingHttpSide.pipe(Layer.provide(NodeContext.layer))
    const insideRoot = smugglingRootSide.pipe(Layer.provide(NodeHttpClient.layerUndici))
    expectTypeOf(inside).toExtend<Layer.Layer<ProxmoxClient.ProxmoxClient, never, HttpSide>>()
    expectTypeOf(insideRoot).toExtend<Layer.Layer<Privileged, never, RootSide>>()
  })

  it("lets nothing destroy without a mandate", () => {
    const ref: GuestRef = { type: "lxc", vmid: Vmid.make(101) }
    const name = SnapshotName.make("felhom-selftest")
    void Effect.gen(function*() {
      const client = yield* ProxmoxClient.ProxmoxClient
      // @ts-expect-error a mandate is missing
      yield* client.deleteSnapshot(ref, name)
      // @ts-expect-error a mandate is missing
      yield* client.rollback(ref, name)
      // @ts-expect-error a word is no mandate
      yield* client.deleteSnapshot(ref, name, "please")
      // @ts-expect-error a look-alike is no mandate
      yield* client.rollback(ref, name, { toString: () => "Mandate(<redacted>)" })
    })
  })
})
