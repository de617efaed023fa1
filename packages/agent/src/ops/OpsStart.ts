import * as AcceptedPolicy from "@felhom/authz/AcceptedPolicy"
import * as AcceptedSigners from "@felhom/authz/AcceptedSigners"
import * as Authz from "@felhom/authz/Authz"
import * as HostPolicy from "@felhom/authz/HostPolicy"
import * as HubTime from "@felhom/authz/HubTime"
import * as Signers from "@felhom/authz/Signers"
import * as SignersChain from "@felhom/authz/SignersChain"
import type { HostId } from "@felhom/domain/HostId"
import { Crypto } from "@felhom/domain/port/Crypto"
import { DurableFile } from "@felhom/domain/port/DurableFile"
import { FileSteps } from "@felhom/domain/port/FileSteps"
import { SignatureCrypto } from "@felhom/domain/port/SignatureCrypto"
import { sectionOk, sectionUnavailable } from "@felhom/domain/Section"
import { now } from "@felhom/domain/Time"
import { version } from "@felhom/domain/Version"
import * as AuditChain from "@felhom/durable/AuditChain"
import type { Broken } from "@felhom/durable/DurableLog"
import type { DurableLogError } from "@felhom/durable/DurableLogError"
import * as Hold from "@felhom/durable/Hold"
import type { KeptDocumentError } from "@felhom/durable/KeptDocument"
import * as NonceStore from "@felhom/durable/NonceStore"
import * as OpJournal from "@felhom/durable/OpJournal"
import { StateFile } from "@felhom/durable/StateFile"
import { Mandate } from "@felhom/mandate/Mandate"
import * as NodeDurableFile from "@felhom/node/NodeDurableFile"
import { fileStamps } from "@felhom/node/NodeFileStamps"
import * as NodeFileSteps from "@felhom/node/NodeFileSteps"
import * as NodeSignatureCrypto from "@felhom/node/NodeSignatureCrypto"
import { Privileged, PrivilegedError } from "@felhom/privileged/Privileged"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { TaskWaiter } from "@felhom/proxmox/TaskWaiter"
import * as DesiredIntake from "@felhom/reconciler/desired/DesiredIntake"
import * as DesiredStore from "@felhom/reconciler/desired/DesiredStore"
import { ArchiveBytes, noArchiveBytes } from "@felhom/reconciler/golden/ArchiveBytes"
import * as GoldenBuilder from "@felhom/reconciler/golden/GoldenBuilder"
import * as GoldenBuilds from "@felhom/reconciler/golden/GoldenBuilds"
import * as GoldenImages from "@felhom/reconciler/golden/GoldenImages"
import * as GoldenStore from "@felhom/reconciler/golden/GoldenStore"
import * as Executor from "@felhom/reconciler/op/Executor"
import * as LocalOps from "@felhom/reconciler/op/LocalOps"
import * as OpIntake from "@felhom/reconciler/op/OpIntake"
import * as OpNews from "@felhom/reconciler/op/OpNews"
import * as Pursuit from "@felhom/reconciler/pursuit/Pursuit"
import * as PursuitNews from "@felhom/reconciler/pursuit/PursuitNews"
import * as SignersIntake from "@felhom/reconciler/trust/SignersIntake"
import * as TrustNews from "@felhom/reconciler/trust/TrustNews"
import { Context, Effect, Either, ExecutionStrategy, Option, Scope } from "effect"
import { answerTo } from "../admin/AdminAnswers.ts"
import { serveAdmin } from "../admin/AdminSocket.ts"
import { nodeArchiveBytes } from "../golden/NodeArchiveBytes.ts"
import { rootSide } from "../RootSide.ts"
import { startCare, withCare } from "../storage/HostCare.ts"
import { renewing } from "./DeskRenewal.ts"
import type { OpDesk } from "./OpDesk.ts"
import { makeTrustStatus } from "./TrustStatus.ts"

export interface OpsPlaces {
  readonly stateDirectory: string
  readonly runtimeDirectory: string
  readonly policyFile: string
  readonly signers: Signers.SignerFiles
  readonly bootId: string | null
  /** systemd's folder of credentials. */
  readonly credentials?: string
}

/** What the desk reaches of the host itself, beside its own folders and Proxmox's API. */
export interface OpsHands {
  readonly archiveBytes: typeof ArchiveBytes.Service
  readonly privileged: typeof Privileged.Service
  /** Of the host, as Proxmox names it: `amd64`. */
  readonly architecture: string
}

const noRootSide = (verb: PrivilegedError["verb"]) =>
  Effect.fail(new PrivilegedError({ verb, reason: "unavailable", detail: "this program has no root side" }))

/** Of a program that has none: it reads no archive, and has no root side. */
export const noHands: OpsHands = {
  archiveBytes: noArchiveBytes,
  privileged: {
    pctCreate: () => noRootSide("pctCreate"),
    mount: () => noRootSide("mount"),
    smart: () => noRootSide("smart")
  },
  architecture: "amd64"
}

type Surrounding = ProxmoxClient | TaskWaiter | StateFile | Crypto
/** The host's disk, and what checks signatures. */
type Ports = DurableFile | FileSteps | SignatureCrypto

// Each of these makes the services of one concern in one effect: a layer for each would take longer to put together than what they
// make of it.

/** The records in the state folder. */
const makeStores = (folder: string, broken: Broken) =>
  Effect.gen(function*() {
    return Context.make(NonceStore.NonceStore, yield* NonceStore.make(folder, broken)).pipe(
      Context.add(OpJournal.OpJournal, yield* Effect.provide(OpJournal.make(folder, broken), Mandate.mintLayer)),
      Context.add(AuditChain.AuditChain, yield* AuditChain.make(folder, broken)),
      Context.add(Hold.Hold, yield* Hold.make(folder)),
      Context.add(AcceptedSigners.AcceptedSigners, yield* AcceptedSigners.make(folder)),
      Context.add(AcceptedPolicy.AcceptedPolicy, yield* AcceptedPolicy.make(folder)),
      Context.add(DesiredStore.DesiredStore, yield* DesiredStore.make(folder)),
      Context.add(GoldenStore.GoldenStore, yield* GoldenStore.make(folder)),
      Context.add(GoldenBuilds.GoldenBuilds, yield* GoldenBuilds.make(folder))
    )
  })

/** Who may sign and what is allowed, and who is told of it. */
const makeRules = (places: OpsPlaces) =>
  Effect.gen(function*() {
    return Context.make(HostPolicy.HostPolicy, yield* HostPolicy.make(places.policyFile)).pipe(
      Context.add(Signers.Signers, yield* Signers.make(places.signers)),
      Context.add(HubTime.HubTime, yield* HubTime.make),
      Context.add(OpNews.OpNews, yield* OpNews.make),
      Context.add(TrustNews.TrustNews, yield* TrustNews.make),
      Context.add(PursuitNews.PursuitNews, yield* PursuitNews.make)
    )
  })

const makeJudges = (host: HostId) =>
  Effect.gen(function*() {
    return Context.make(Authz.Authz, yield* Effect.provide(Authz.make(host), Mandate.mintLayer)).pipe(
      Context.add(SignersChain.SignersChain, yield* SignersChain.make)
    )
  })

const makeHands = Effect.gen(function*() {
  const local = yield* LocalOps.make
  const executor = yield* Effect.provideService(Executor.make, LocalOps.LocalOps, local)
  const intake = yield* Effect.provideService(OpIntake.make, Executor.Executor, executor)
  return Context.make(Executor.Executor, executor).pipe(Context.add(OpIntake.OpIntake, intake))
})

const makeIntakes = (host: DesiredIntake.DesiredHost) =>
  Effect.gen(function*() {
    return Context.make(SignersIntake.SignersIntake, yield* SignersIntake.make).pipe(
      Context.add(DesiredIntake.DesiredIntake, yield* DesiredIntake.make(host))
    )
  })

/** Golden images: those that operators signed, and those that are built here. */
const makeGolden = (host: HostId, { architecture, archiveBytes, privileged }: OpsHands) =>
  Effect.gen(function*() {
    const images = yield* Effect.provideService(GoldenImages.make(architecture), ArchiveBytes, archiveBytes)
    const builder = yield* GoldenBuilder.make({ host, architecture }).pipe(
      Effect.provideService(ArchiveBytes, archiveBytes),
      Effect.provideService(Privileged, privileged)
    )
    return Context.make(GoldenImages.GoldenImages, images).pipe(Context.add(GoldenBuilder.GoldenBuilder, builder))
  })

/** All that the words of operators and of a hub take on this host, over the stores in its state folder, whose lock the caller holds. */
const makeServices = (places: OpsPlaces, host: DesiredIntake.DesiredHost, own: OpsHands, broken: Broken) =>
  Effect.gen(function*() {
    // Made first, so it is closed last: whatever is under way is given up before the records are closed.
    const storesScope = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
    const stores = yield* Scope.extend(makeStores(places.stateDirectory, broken), storesScope)
    const rules = Context.merge(stores, yield* Effect.provide(makeRules(places), stores))
    const judges = Context.merge(rules, yield* Effect.provide(makeJudges(host.id), rules))
    const hands = Context.mergeAll(
      judges,
      yield* Effect.provide(makeHands, judges),
      yield* Effect.provide(makeIntakes(host), judges)
    )
    const golden = Context.merge(hands, yield* Effect.provide(makeGolden(host.id, own), hands))
    return Context.add(golden, Pursuit.Pursuit, yield* Effect.provide(Pursuit.make, golden))
  })

const auditSection = ({ head }: typeof AuditChain.AuditChain.Service) =>
  Effect.flatMap(now, (readAt) =>
    Effect.match(head, {
      onFailure: ({ message }) => sectionUnavailable(message),
      onSuccess: (found) => sectionOk(readAt, found)
    }))

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

/** What is open is known to be, and not only when it is first used. */
const openedAll = Effect.gen(function*() {
  const chain = yield* AuditChain.AuditChain
  const nonces = yield* NonceStore.NonceStore
  yield* Effect.ignore(chain.head)
  yield* Effect.ignore(nonces.hostEpoch)
})

/**
 * Opens what signed ops take, over whatever disk it is given: the stores, root's files, and the executor with what it left open.
 * `stampsOf` tells whether files have changed, as `fileStamps` does. It ends with the scope. `again`: this process has had it open.
 */
export const openDesk = (
  places: OpsPlaces,
  stampsOf: typeof fileStamps,
  own: OpsHands = noHands,
  again: boolean = false
) =>
  Effect.gen(function*() {
    const state = yield* StateFile
    let broken = Option.none<DurableLogError>()
    const context = yield* makeServices(places, state.host, own, (error) => {
      broken = Option.some(error)
    })
    yield* Effect.provide(Effect.zipRight(again ? openedAll : begun(places.bootId), toldUnreadable), context)
    const desk = Effect.gen(function*() {
      const intake = yield* OpIntake.OpIntake
      const signers = yield* SignersIntake.SignersIntake
      const desired = yield* DesiredIntake.DesiredIntake
      const hubTime = yield* HubTime.HubTime
      const executor = yield* Executor.Executor
      const news = yield* OpNews.OpNews
      const pursuit = yield* Pursuit.Pursuit
      const trust = yield* makeTrustStatus([
        places.signers.allowed,
        places.signers.revoked.path,
        places.policyFile,
        Hold.fileIn(places.stateDirectory)
      ], stampsOf)
      yield* Effect.catchAll(
        executor.recover,
        (error) => Effect.logError("the journal can't be read, so no signed op is taken", error.message)
      )
      yield* Effect.catchAll(
        pursuit.recover,
        (error) => Effect.logError("the journal can't be read, so nothing is done for a desired state", error.message)
      )
      yield* Effect.catchAll(
        (yield* GoldenBuilder.GoldenBuilder).recover,
        (error) => Effect.logError("golden images can't be built", error.message)
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
        trust,
        desired: pursuit.status,
        pursue: pursuit.pursue,
        audit: auditSection(yield* AuditChain.AuditChain),
        beside: Effect.succeed({}),
        urgent: news.urgent,
        mend: Effect.void
      }
      return opened
    })
    return { desk: yield* Effect.provide(desk, context), context, broken: Effect.sync(() => broken) }
  })

const architectures: { readonly [node in string]?: string } = { x64: "amd64", ia32: "i386" }

const handsOf = ({ runtimeDirectory }: OpsPlaces): OpsHands => ({
  archiveBytes: nodeArchiveBytes,
  privileged: rootSide(runtimeDirectory),
  architecture: architectures[process.arch] ?? process.arch
})

const nodePorts = (): Context.Context<Ports> =>
  Context.make(FileSteps, NodeFileSteps.fileSteps).pipe(
    Context.add(DurableFile, NodeDurableFile.make()),
    Context.add(SignatureCrypto, NodeSignatureCrypto.signatureCrypto)
  )

const started = (places: OpsPlaces, again: boolean) =>
  Effect.gen(function*() {
    const own = handsOf(places)
    const { broken, context, desk } = yield* Effect.provide(openDesk(places, fileStamps, own, again), nodePorts())
    const state = yield* StateFile
    const crypto = yield* Crypto
    const proxmox = yield* ProxmoxClient
    const care = yield* startCare(places, own.privileged).pipe(Effect.provide(context), Effect.provide(nodePorts()))
    yield* serveAdmin(
      places.runtimeDirectory,
      (line) =>
        answerTo(line).pipe(
          Effect.provide(context),
          Effect.provide(care),
          Effect.provideService(Crypto, crypto),
          Effect.provideService(StateFile, state),
          Effect.provideService(ProxmoxClient, proxmox)
        )
    )
    return { desk: withCare(desk, care), broken }
  })

/**
 * Opens the desk over this host's own disk, and the socket by which root asks. Each of these that can't be had is said in the log,
 * and the others go on. It ends with the scope.
 */
export const startOps = (places: OpsPlaces): Effect.Effect<OpDesk, never, Surrounding | Scope.Scope> =>
  renewing((again) => started(places, again))
