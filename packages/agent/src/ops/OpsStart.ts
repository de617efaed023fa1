import * as Authz from "@felhom/authz/Authz"
import * as HostPolicy from "@felhom/authz/HostPolicy"
import * as HubTime from "@felhom/authz/HubTime"
import * as Signers from "@felhom/authz/Signers"
import { Crypto } from "@felhom/domain/port/Crypto"
import { sectionOk, sectionUnavailable } from "@felhom/domain/Section"
import { EpochMillis } from "@felhom/domain/Time"
import { version } from "@felhom/domain/Version"
import * as AuditChain from "@felhom/durable/AuditChain"
import * as Hold from "@felhom/durable/Hold"
import * as NonceStore from "@felhom/durable/NonceStore"
import * as OpJournal from "@felhom/durable/OpJournal"
import { StateFile } from "@felhom/durable/StateFile"
import { Mandate } from "@felhom/mandate/Mandate"
import * as NodeDurableFile from "@felhom/node/NodeDurableFile"
import * as NodeFileSteps from "@felhom/node/NodeFileSteps"
import * as NodeSignatureCrypto from "@felhom/node/NodeSignatureCrypto"
import type { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { TaskWaiter } from "@felhom/proxmox/TaskWaiter"
import * as Executor from "@felhom/reconciler/op/Executor"
import * as OpIntake from "@felhom/reconciler/op/OpIntake"
import * as OpNews from "@felhom/reconciler/op/OpNews"
import { Clock, Effect, Either, Layer, Option, type Scope } from "effect"
import { answerTo } from "../admin/AdminAnswers.ts"
import { serveAdmin } from "../admin/AdminSocket.ts"
import type { OpDesk } from "./OpDesk.ts"

export interface OpsPlaces {
  readonly stateDirectory: string
  readonly runtimeDirectory: string
  readonly policyFile: string
  readonly signers: Signers.SignerFiles
  readonly bootId: string | null
}

type Surrounding = ProxmoxClient | TaskWaiter | StateFile | Crypto

/** All that a signed op takes on this host, over the stores in its state folder, whose lock the caller holds. */
const services = (places: OpsPlaces, host: typeof StateFile.Service["host"]["id"]) => {
  const { stateDirectory: folder } = places
  const stores = Layer.mergeAll(
    NonceStore.layer(folder),
    OpJournal.layer(folder),
    AuditChain.layer(folder),
    Hold.layer(folder)
  ).pipe(Layer.provide([NodeFileSteps.layer, Mandate.mintLayer]))
  const rules = Layer.mergeAll(HostPolicy.layer(places.policyFile), Signers.layer(places.signers), HubTime.layer).pipe(
    Layer.provide(NodeDurableFile.layer)
  )
  return OpIntake.layer.pipe(
    Layer.provideMerge(Executor.layer),
    Layer.provideMerge(
      Layer.merge(
        Layer.provide(Authz.layer(host), [Mandate.mintLayer, NodeSignatureCrypto.layer]),
        OpNews.layer
      )
    ),
    Layer.provideMerge(Layer.merge(stores, rules))
  )
}

/** What an operator must name in an op for this host; null where the host can't tell. */
const trustStatus = Effect.gen(function*() {
  const nonces = yield* NonceStore.NonceStore
  // To be asked for regularly: that is how the record of the host's own time goes on.
  yield* Effect.ignore(nonces.trustedTime)
  const signers = yield* Effect.either((yield* Signers.Signers).current)
  const policy = yield* (yield* HostPolicy.HostPolicy).current
  const held = yield* (yield* Hold.Hold).current
  return {
    opEpoch: yield* nonces.hostEpoch,
    storeSeq: yield* nonces.storeSeq,
    signers: Either.isRight(signers) ? signers.right.sha256 : null,
    policy: policy.sha256,
    hold: Option.match(held, { onNone: () => null, onSome: ({ reason, since }) => ({ since, reason }) })
  }
}).pipe(
  Effect.catchAll((error) => Effect.as(Effect.logDebug("the host can't say whom it trusts", error.message), null))
)

const auditSection = Effect.gen(function*() {
  const chain = yield* AuditChain.AuditChain
  const readAt = EpochMillis.make(yield* Clock.currentTimeMillis)
  return yield* Effect.match(chain.head, {
    onFailure: (error) => sectionUnavailable(error.message),
    onSuccess: (head) => sectionOk(readAt, head)
  })
})

const begun = (bootId: string | null) =>
  Effect.flatMap(AuditChain.AuditChain, (chain) => chain.append({ _tag: "agent.started", version, bootId })).pipe(
    Effect.matchEffect({
      onFailure: (error) => Effect.logError("the audit chain can't be written", error.message),
      onSuccess: ({ head, length }) =>
        Effect.logDebug("the audit chain goes on").pipe(Effect.annotateLogs({ head, length }))
    })
  )

/**
 * Opens what signed ops take: the stores, root's files, the executor with what it left open, and the socket by which root asks.
 * Each of these that can't be had is said in the log, and the others go on. It ends with the scope.
 */
export const startOps = (places: OpsPlaces): Effect.Effect<OpDesk, never, Surrounding | Scope.Scope> =>
  Effect.gen(function*() {
    const state = yield* StateFile
    const context = yield* Layer.build(services(places, state.host.id))
    yield* Effect.provide(begun(places.bootId), context)
    const desk = Effect.gen(function*() {
      const intake = yield* OpIntake.OpIntake
      const hubTime = yield* HubTime.HubTime
      const executor = yield* Executor.Executor
      const news = yield* OpNews.OpNews
      yield* Effect.catchAll(
        executor.recover,
        (error) => Effect.logError("the journal can't be read, so no signed op is taken", error.message)
      )
      const opened: OpDesk = {
        takesOps: "yes",
        received: (ops, serverTime) => Effect.zipRight(hubTime.heard(serverTime), intake.fromHub(ops)),
        trust: Effect.provide(trustStatus, context),
        audit: Effect.provide(auditSection, context),
        urgent: news.urgent
      }
      return opened
    })
    const opened = yield* Effect.provide(desk, context)
    const crypto = yield* Crypto
    yield* serveAdmin(
      places.runtimeDirectory,
      (line) =>
        answerTo(line).pipe(
          Effect.provide(context),
          Effect.provideService(Crypto, crypto),
          Effect.provideService(StateFile, state)
        )
    )
    return opened
  })
