import * as AcceptedPolicy from "@felhom/authz/AcceptedPolicy"
import * as AcceptedSigners from "@felhom/authz/AcceptedSigners"
import * as Authz from "@felhom/authz/Authz"
import * as HostPolicy from "@felhom/authz/HostPolicy"
import * as HubTime from "@felhom/authz/HubTime"
import * as Signers from "@felhom/authz/Signers"
import * as SignersChain from "@felhom/authz/SignersChain"
import type { SignersStatus } from "@felhom/domain/HostReport"
import { Crypto } from "@felhom/domain/port/Crypto"
import { sectionOk, sectionUnavailable } from "@felhom/domain/Section"
import { EpochMillis } from "@felhom/domain/Time"
import { version } from "@felhom/domain/Version"
import * as AuditChain from "@felhom/durable/AuditChain"
import * as Hold from "@felhom/durable/Hold"
import type { KeptDocumentError } from "@felhom/durable/KeptDocument"
import * as NonceStore from "@felhom/durable/NonceStore"
import * as OpJournal from "@felhom/durable/OpJournal"
import { StateFile } from "@felhom/durable/StateFile"
import { Mandate } from "@felhom/mandate/Mandate"
import * as NodeDurableFile from "@felhom/node/NodeDurableFile"
import * as NodeFileSteps from "@felhom/node/NodeFileSteps"
import * as NodeSignatureCrypto from "@felhom/node/NodeSignatureCrypto"
import type { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { TaskWaiter } from "@felhom/proxmox/TaskWaiter"
import * as DesiredIntake from "@felhom/reconciler/desired/DesiredIntake"
import * as DesiredStore from "@felhom/reconciler/desired/DesiredStore"
import * as Executor from "@felhom/reconciler/op/Executor"
import * as LocalOps from "@felhom/reconciler/op/LocalOps"
import * as OpIntake from "@felhom/reconciler/op/OpIntake"
import * as OpNews from "@felhom/reconciler/op/OpNews"
import * as SignersIntake from "@felhom/reconciler/trust/SignersIntake"
import * as TrustNews from "@felhom/reconciler/trust/TrustNews"
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

/** All that the words of operators and of a hub take on this host, over the stores in its state folder, whose lock the caller holds. */
const services = (places: OpsPlaces, host: typeof StateFile.Service["host"]) => {
  const { stateDirectory: folder } = places
  const logs = Layer.mergeAll(
    NonceStore.layer(folder),
    OpJournal.layer(folder),
    AuditChain.layer(folder),
    Hold.layer(folder)
  ).pipe(Layer.provide([NodeFileSteps.layer, Mandate.mintLayer]))
  const accepted = Layer.mergeAll(
    AcceptedSigners.layer(folder),
    AcceptedPolicy.layer(folder),
    DesiredStore.layer(folder)
  )
  const rules = Layer.mergeAll(
    HostPolicy.layer(places.policyFile),
    Signers.layer(places.signers),
    HubTime.layer
  ).pipe(Layer.provideMerge(accepted), Layer.provide(NodeDurableFile.layer))
  const judges = Layer.merge(Authz.layer(host.id), SignersChain.layer).pipe(
    Layer.provide([Mandate.mintLayer, NodeSignatureCrypto.layer])
  )
  const news = Layer.merge(OpNews.layer, TrustNews.layer)
  return OpIntake.layer.pipe(
    Layer.provideMerge(Executor.layer),
    Layer.provide(LocalOps.layer),
    Layer.merge(Layer.merge(SignersIntake.layer, DesiredIntake.layer(host))),
    Layer.provideMerge(Layer.merge(judges, news)),
    Layer.provideMerge(Layer.merge(logs, rules))
  )
}

const fleetStatus = (
  { document, lists, sha256 }: AcceptedSigners.HeldSigners,
  signers: Either.Either<Signers.SignersReading, unknown>
): SignersStatus => ({
  fleet: document.fleet,
  version: document.version,
  sha256,
  revoked: lists.revoked,
  followed: Either.isRight(signers) && signers.right.followed
})

/** What of it can't be read is left out: a hub must not take that for nothing. */
const takenStatus = (signers: Either.Either<Signers.SignersReading, unknown>) =>
  Effect.gen(function*() {
    const fleet = yield* Effect.either((yield* AcceptedSigners.AcceptedSigners).current)
    const desired = yield* (yield* DesiredIntake.DesiredIntake).held
    return {
      ...(Either.isLeft(fleet)
        ? {}
        : { fleet: Option.match(fleet.right, { onNone: () => null, onSome: (held) => fleetStatus(held, signers) }) }),
      ...(desired === undefined ? {} : { desired })
    }
  })

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
    hold: Option.match(held, { onNone: () => null, onSome: ({ reason, since }) => ({ since, reason }) }),
    ...yield* takenStatus(signers)
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

/** Of what can't be read a hub hears at once; each use of it says so again. */
const toldUnreadable = Effect.gen(function*() {
  const state = yield* StateFile
  const kept: ReadonlyArray<Effect.Effect<unknown, KeptDocumentError>> = [
    (yield* AcceptedSigners.AcceptedSigners).current,
    (yield* AcceptedPolicy.AcceptedPolicy).current,
    (yield* DesiredStore.DesiredStore).current
  ]
  for (const current of kept) {
    const found = yield* Effect.either(current)
    if (Either.isRight(found)) continue
    const { message } = found.left
    yield* Effect.logError("what the host accepted can't be read", message)
    yield* state.record([{ kind: "state.unreadable", severity: "critical", subject: null, message }])
  }
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
    const context = yield* Layer.build(services(places, state.host))
    yield* Effect.provide(Effect.zipRight(begun(places.bootId), toldUnreadable), context)
    const desk = Effect.gen(function*() {
      const intake = yield* OpIntake.OpIntake
      const signers = yield* SignersIntake.SignersIntake
      const desired = yield* DesiredIntake.DesiredIntake
      const hubTime = yield* HubTime.HubTime
      const executor = yield* Executor.Executor
      const news = yield* OpNews.OpNews
      yield* Effect.catchAll(
        executor.recover,
        (error) => Effect.logError("the journal can't be read, so no signed op is taken", error.message)
      )
      const opened: OpDesk = {
        takes: "yes",
        // Who may sign comes first: an op may be signed by somebody who has just been let in, or been put out.
        received: (handed) =>
          hubTime.heard(handed.serverTime).pipe(
            Effect.zipRight(signers.fromHub(handed.signers)),
            Effect.zipRight(intake.fromHub(handed.ops)),
            Effect.zipRight(handed.desired === undefined ? Effect.void : desired.fromHub(handed.desired))
          ),
        trust: Effect.provide(trustStatus, context),
        desired: desired.status,
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
