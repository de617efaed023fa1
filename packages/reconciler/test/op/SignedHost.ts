import * as AcceptedPolicy from "@felhom/authz/AcceptedPolicy"
import * as AcceptedSigners from "@felhom/authz/AcceptedSigners"
import * as Authz from "@felhom/authz/Authz"
import * as HostPolicy from "@felhom/authz/HostPolicy"
import * as HubTime from "@felhom/authz/HubTime"
import * as Signers from "@felhom/authz/Signers"
import * as SignersChain from "@felhom/authz/SignersChain"
import type { SignedBytes } from "@felhom/domain/Envelope"
import { configHash, guestIdentity } from "@felhom/domain/GuestConfig"
import type { HostEvent } from "@felhom/domain/HostEvent"
import { HostEpoch, HostId } from "@felhom/domain/HostId"
import { Crypto } from "@felhom/domain/port/Crypto"
import { DurableFile } from "@felhom/domain/port/DurableFile"
import { Ed25519, type Ed25519Key } from "@felhom/domain/port/Ed25519"
import { FileSteps } from "@felhom/domain/port/FileSteps"
import { type GuestRef, NodeName, StorageId, TokenId, Vmid, Volid } from "@felhom/domain/ProxmoxId"
import { opNamespace, opType } from "@felhom/domain/SignedOp"
import { publicKeyBlob, signSshsig, writeArmor } from "@felhom/domain/Sshsig"
import * as AuditChain from "@felhom/durable/AuditChain"
import * as Hold from "@felhom/durable/Hold"
import * as NonceStore from "@felhom/durable/NonceStore"
import * as OpJournal from "@felhom/durable/OpJournal"
import * as StateFile from "@felhom/durable/StateFile"
import { Mandate } from "@felhom/mandate/Mandate"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import * as NodeEd25519 from "@felhom/node/NodeEd25519"
import * as NodeSignatureCrypto from "@felhom/node/NodeSignatureCrypto"
import { Privileged } from "@felhom/privileged/Privileged"
import * as PrivilegedSocket from "@felhom/privileged/PrivilegedSocket"
import * as ProxmoxClient from "@felhom/proxmox/ProxmoxClient"
import { ProxmoxConfig } from "@felhom/proxmox/ProxmoxConfig"
import * as TaskWaiter from "@felhom/proxmox/TaskWaiter"
import * as InProcessFront from "@felhom/pve-sim/InProcessFront"
import { PveSim, type PveSimOptions } from "@felhom/pve-sim/PveSim"
import { refusedLine } from "@felhom/pve-sim/RootLine"
import { rootPctCreate } from "@felhom/pve-sim/RootPctCreate"
import * as DesiredIntake from "@felhom/reconciler/desired/DesiredIntake"
import * as DesiredStore from "@felhom/reconciler/desired/DesiredStore"
import { ArchiveBytes, noArchiveBytes } from "@felhom/reconciler/golden/ArchiveBytes"
import * as GoldenBuilder from "@felhom/reconciler/golden/GoldenBuilder"
import * as GoldenBuilds from "@felhom/reconciler/golden/GoldenBuilds"
import * as GoldenImages from "@felhom/reconciler/golden/GoldenImages"
import * as GoldenStore from "@felhom/reconciler/golden/GoldenStore"
import * as Observer from "@felhom/reconciler/Observer"
import * as Executor from "@felhom/reconciler/op/Executor"
import * as LocalOps from "@felhom/reconciler/op/LocalOps"
import * as OpIntake from "@felhom/reconciler/op/OpIntake"
import * as OpNews from "@felhom/reconciler/op/OpNews"
import * as Pursuit from "@felhom/reconciler/pursuit/Pursuit"
import * as PursuitNews from "@felhom/reconciler/pursuit/PursuitNews"
import { agentPrivileges } from "@felhom/reconciler/Rights"
import * as SignersIntake from "@felhom/reconciler/trust/SignersIntake"
import * as TrustNews from "@felhom/reconciler/trust/TrustNews"
import { Clock, Effect, Either, Encoding, Exit, Layer, Option, Redacted, Scope, TestClock } from "effect"
import { type Disk, makeModel, type Model } from "../../../durable/test/ModelFileSystem.ts"
import { noSensors } from "../ObservedHost.ts"

const secret = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
const tokenId = TokenId.make("felhom-agent@pve!agent")

/** The recorded host's guests. */
export const tiny: GuestRef = { type: "lxc", vmid: Vmid.make(9999) }
export const machine: GuestRef = { type: "qemu", vmid: Vmid.make(200) }
export const onDirectory: GuestRef = { type: "lxc", vmid: Vmid.make(101) }

export const hostId = HostId.make("5".repeat(32))
/** The incarnation of the host's own state, as reports give it. */
export const stateEpoch = HostEpoch.make("6".repeat(32))
export const start = 1_800_000_000_000

const paths = { signers: "/etc/felhom-agent/allowed_signers", policy: "/etc/felhom-agent/policy.json" }
export { paths }
export const revokedPath = "/etc/felhom-agent/revoked_keys"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

export const keyLine = (name: string, { publicKey }: Ed25519Key): string =>
  `${name} ssh-ed25519 ${Encoding.encodeBase64(publicKeyBlob(publicKey))}`

export const sign = (
  payload: string,
  keys: ReadonlyArray<Ed25519Key>,
  namespace = opNamespace
): Effect.Effect<SignedBytes, never, Ed25519> =>
  Effect.map(
    Effect.forEach(keys, (key) => Effect.map(signSshsig(key, namespace, bytes(payload)), writeArmor)),
    (signatures) => ({ payload: Encoding.encodeBase64(payload), signatures })
  )

type Handle = (typeof PveSim.Service)["handle"]
type Proxmox = Layer.Layer<ProxmoxClient.ProxmoxClient | TaskWaiter.TaskWaiter>

/**
 * Root's own files, and whole files in the state folder in the steps that the real ones take. To read changes nothing, so no
 * step is counted for it.
 */
const wholeFiles = (rootFiles: Layer.Layer<DurableFile>, model: Model): Layer.Layer<DurableFile, never, FileSteps> =>
  Layer.effect(
    DurableFile,
    Effect.gen(function*() {
      const steps = yield* FileSteps
      const root = yield* DurableFile
      return DurableFile.of({
        read: (path) =>
          path.startsWith("/state/")
            ? Effect.sync(() => Option.fromNullable(model.present().get(path)))
            : root.read(path),
        replace: (path, content) =>
          Effect.scoped(Effect.gen(function*() {
            const file = yield* steps.create(`${path}.new`)
            yield* file.append(content)
            yield* file.sync
            yield* steps.rename(`${path}.new`, path)
            yield* steps.syncFolder("/state")
          }))
      })
    })
  ).pipe(Layer.provide(rootFiles))

type RootSide = typeof Privileged.Service

/** The simulated host's root side, through the lines that pass over its sockets. */
const rootSideOf = (sim: typeof PveSim.Service): RootSide =>
  PrivilegedSocket.make({
    exchange: (verb, line) =>
      verb === "pct-create"
        ? rootPctCreate(sim)(line)
        : Effect.succeed(refusedLine(verb, "unavailable", "this host has no disks to show"))
  })

/** Starts an agent on a disk. */
const bootWith = (rootFiles: Layer.Layer<DurableFile>, proxmox: Proxmox, rootSide: RootSide) =>
(
  disk: Disk = new Map(),
  options: {
    readonly revokedRequired?: boolean
    readonly model?: Model
    readonly files?: Layer.Layer<FileSteps>
    readonly proxmox?: Proxmox
    readonly rootSide?: RootSide
    /** Of the host. */
    readonly architecture?: string
    /** What archives are, where they lie as files. */
    readonly archiveBytes?: typeof ArchiveBytes.Service
    /** Why the queue of events could not be written last time. */
    readonly stateFailure?: typeof StateFile.StateFile.Service["failure"]
    /** What an earlier life told and wrote down nowhere else. */
    readonly lasting?: ReadonlyArray<StateFile.LastingWord>
  } = {}
) =>
  Effect.gen(function*() {
    const model = options.model ?? makeModel(disk)
    const architecture = options.architecture ?? "amd64"
    const stores = Layer.mergeAll(
      NonceStore.layer("/state"),
      OpJournal.layer("/state"),
      AuditChain.layer("/state"),
      Hold.layer("/state")
    )
    const authz = Layer.merge(Authz.layer(hostId), SignersChain.layer).pipe(
      Layer.provideMerge(
        Layer.mergeAll(
          HostPolicy.layer(paths.policy),
          Signers.layer({
            allowed: paths.signers,
            revoked: { path: revokedPath, required: options.revokedRequired ?? false }
          }),
          HubTime.layer
        )
      ),
      Layer.provideMerge(
        Layer.mergeAll(AcceptedSigners.layer("/state"), AcceptedPolicy.layer("/state"), DesiredStore.layer("/state"))
      )
    )
    const events: Array<Pick<HostEvent, "kind" | "subject" | "message">> = []
    let lasting = [...options.lasting ?? []]
    const state = Layer.mock(StateFile.StateFile, {
      host: { id: hostId, epoch: stateEpoch },
      record: (all) => Effect.sync(() => void events.push(...all)),
      recordLasting: (event) =>
        Effect.map(options.stateFailure ?? Effect.succeedNone, (failed) => {
          if (Option.isSome(failed)) return false
          events.push(event)
          lasting.push(event)
          return true
        }),
      lasting: Effect.sync(() => lasting),
      settled: (subject) =>
        Effect.sync(() => {
          lasting = lasting.filter((word) => word.subject !== subject)
        }),
      pending: Effect.succeed({ events: [], dropped: 0 }),
      failure: Effect.suspend(() => options.stateFailure ?? Effect.succeedNone)
    })
    const layer = Layer.merge(OpIntake.layer, Pursuit.layer).pipe(
      Layer.provideMerge(
        Layer.merge(GoldenImages.layer(architecture), GoldenBuilder.layer({ host: hostId, architecture })).pipe(
          Layer.provideMerge(Layer.merge(GoldenStore.layer("/state"), GoldenBuilds.layer("/state"))),
          Layer.provide([
            Layer.succeed(ArchiveBytes, options.archiveBytes ?? noArchiveBytes),
            Layer.succeed(Privileged, options.rootSide ?? rootSide)
          ])
        )
      ),
      Layer.provideMerge(Executor.layer),
      Layer.provide(LocalOps.layer),
      Layer.provideMerge(
        Layer.mergeAll(SignersIntake.layer, DesiredIntake.layer({ id: hostId, epoch: stateEpoch }), Observer.layer)
      ),
      Layer.provide(noSensors),
      Layer.provideMerge(Layer.mergeAll(authz, OpNews.layer, TrustNews.layer, PursuitNews.layer)),
      Layer.provideMerge(Layer.mergeAll(stores, options.proxmox ?? proxmox)),
      Layer.provide([wholeFiles(rootFiles, model), Mandate.mintLayer, NodeSignatureCrypto.layer, state]),
      Layer.provide(options.files ?? model.layer),
      Layer.provideMerge(NodeCrypto.layer)
    )
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(layer, scope)
    const run = <A, E>(
      effect: Effect.Effect<A, E, Layer.Layer.Success<typeof layer>>
    ): Effect.Effect<A, E> => Effect.provide(effect, context)
    return {
      model,
      events,
      lasting: () => lasting,
      run,
      /** As at a stop or a crash: nothing more is done. */
      kill: Scope.close(scope, Exit.void),
      fromHub: (...ops: ReadonlyArray<SignedBytes>) =>
        run(Effect.flatMap(OpIntake.OpIntake, (intake) => intake.fromHub(ops))),
      fromConsole: (op: SignedBytes) => run(Effect.flatMap(OpIntake.OpIntake, (intake) => intake.fromConsole(op))),
      signers: (...versions: ReadonlyArray<SignedBytes>) =>
        run(Effect.flatMap(SignersIntake.SignersIntake, (intake) => intake.fromHub(versions))),
      /** One look at the host, and what follows from it for the desired state. */
      cycle: run(
        Effect.flatMap(Observer.Observer, ({ observe }) =>
          Effect.flatMap(observe, (seen) =>
            Effect.flatMap(Pursuit.Pursuit, ({ pursue }) => pursue(seen))))
      ),
      desiredStatus: run(Effect.flatMap(Pursuit.Pursuit, ({ status }) =>
        status)),
      desired: (document: string) =>
        run(Effect.flatMap(DesiredIntake.DesiredIntake, (intake) => intake.fromHub(document))),
      hold: (reason: string) => run(Effect.flatMap(Hold.Hold, (hold) => hold.set("root on the host", reason))),
      release: run(Effect.flatMap(Hold.Hold, (hold) => hold.release)),
      /** Opens the logs, so that what follows begins with its own steps. */
      opened: run(Effect.all([
        Effect.flatMap(NonceStore.NonceStore, (store) => store.hostEpoch),
        Effect.flatMap(OpJournal.OpJournal, (journal) => journal.open),
        Effect.flatMap(AuditChain.AuditChain, (chain) => chain.head)
      ])),
      recover: run(Effect.zipRight(
        Effect.flatMap(Executor.Executor, (executor) => executor.recover),
        Effect.flatMap(Pursuit.Pursuit, (pursuit) => pursuit.recover)
      )),
      kinds: () => events.map(({ kind }) => kind),
      messages: () => events.map(({ kind, message }) => `${kind} ${message}`)
    }
  })

export type Running = Effect.Effect.Success<ReturnType<ReturnType<typeof bootWith>>>

let nonces = 0

/** The payload of an op for this host, as a signing tool makes it. */
const payload = (running: Running, op: object, changed: object = {}) =>
  Effect.gen(function*() {
    const now = yield* Clock.currentTimeMillis
    const [hostEpoch, storeSeqMin] = yield* running.run(
      Effect.flatMap(NonceStore.NonceStore, (store) => Effect.all([store.hostEpoch, store.storeSeq]))
    )
    nonces += 1
    return JSON.stringify({
      typ: opType,
      host: hostId,
      hostEpoch,
      nonce: nonces.toString(16).padStart(32, "0"),
      iat: now,
      nbf: now,
      exp: now + 3_600_000,
      storeSeqMin,
      reason: "as the test wants it",
      params: {},
      ...op,
      ...changed
    })
  })

/** A simulated Proxmox VE host, root's files on it, and operators' keys; agents are booted on disks. */
export const makeHost = Effect.gen(function*() {
  const sim = yield* PveSim
  const curve = yield* Ed25519
  const [anna, ben] = [yield* curve.generate, yield* curve.generate]
  const root = new Map<string, Uint8Array>([
    [paths.signers, bytes(`${keyLine("anna", anna)}\n${keyLine("ben", ben)}\n`)]
  ])
  const rootFiles = Layer.succeed(DurableFile, {
    read: (path) => Effect.sync(() => Option.fromNullable(root.get(path))),
    replace: (path, content) => Effect.sync(() => void root.set(path, content))
  })
  const config = Layer.succeed(ProxmoxConfig, {
    url: new URL("https://demo.example:8006"),
    node: NodeName.make(sim.node),
    tokenId,
    secret: Redacted.make(secret)
  })
  /** The way to Proxmox, with what the test puts in between. */
  const proxmoxThrough = (handle: Handle) =>
    TaskWaiter.layer.pipe(
      Layer.provideMerge(ProxmoxClient.layer),
      Layer.provide(
        Layer.merge(Layer.provide(InProcessFront.layer, Layer.succeed(PveSim, { ...sim, handle })), config)
      )
    )
  const proxmox = proxmoxThrough(sim.handle)
  const rootSide = rootSideOf(sim)
  const boot = bootWith(rootFiles, proxmox, rootSide)

  /** What the operator is shown of a guest, read from Proxmox. */
  const shown = (ref: GuestRef) =>
    Effect.gen(function*() {
      const client = yield* ProxmoxClient.ProxmoxClient
      const guest = yield* client.guestConfig(ref)
      const identity = guestIdentity(ref.type, guest)
      return {
        identity,
        configHash: yield* configHash(guest),
        name: (yield* client.guestStatus(ref)).name,
        volumes: identity.volumes.map((volid) => ({ volid: Volid.make(volid), size: null })),
        snapshots: (yield* client.snapshots(ref)).rows.map(({ name, takenAt }) => ({ name, takenAt }))
      }
    }).pipe(Effect.provide(Layer.merge(proxmox, NodeCrypto.layer)))

  return {
    sim,
    root,
    anna,
    ben,
    proxmox,
    proxmoxThrough,
    rootSide,
    boot,
    shown,
    payload,
    put: (path: string, text: string | undefined) =>
      Effect.sync(() => void (text === undefined ? root.delete(path) : root.set(path, bytes(text)))),
    now: Clock.currentTimeMillis,
    revoke: ({ publicKey }: Ed25519Key) =>
      Effect.sync(() =>
        void root.set(revokedPath, bytes(`ssh-ed25519 ${Encoding.encodeBase64(publicKeyBlob(publicKey))}\n`))
      ),
    /** A fresh backup of the guest, as the storage shows it. */
    archived: (guest: GuestRef) =>
      Effect.gen(function*() {
        const client = yield* ProxmoxClient.ProxmoxClient
        yield* client.backUp(guest, { storage: StorageId.make("local") })
        yield* minutes(5)
        const { rows } = yield* client.storageContent(StorageId.make("local"), { content: "backup" })
        return yield* Effect.fromNullable(rows.find(({ vmid }) => vmid === guest.vmid))
      }).pipe(Effect.provide(proxmox)),
    volumeOf: (guest: GuestRef) =>
      Effect.gen(function*() {
        const client = yield* ProxmoxClient.ProxmoxClient
        const { rows } = yield* client.storageContent(StorageId.make("ctstore"), { vmid: guest.vmid })
        return yield* Effect.fromNullable(rows[0])
      }).pipe(Effect.provide(proxmox)),
    signed: (running: Running, op: object, changed: object = {}, keys = [anna]) =>
      Effect.flatMap(payload(running, op, changed), (text) => sign(text, keys)),
    hashOf: ({ payload: text }: SignedBytes) =>
      Effect.flatMap(
        Crypto,
        (crypto) => crypto.sha256(Either.getOrElse(Encoding.decodeBase64(text), () => new Uint8Array()))
      ).pipe(Effect.provide(NodeCrypto.layer)),
    /** Every request that could change or destroy anything. */
    writes: Effect.map(
      sim.requests,
      (all) =>
        all.filter(({ method }) => method !== "GET").flatMap(({ count, method, path }) =>
          Array.from({ length: count }, () => `${method} ${path.replace("/api2/json", "")}`)
        )
    )
  }
})

export type Host = Effect.Effect.Success<typeof makeHost>

export const layerWith = (options: PveSimOptions = {}) =>
  Layer.mergeAll(
    PveSim.layer({ secrets: { [tokenId]: secret }, roles: { FelhomAgent: agentPrivileges }, ...options }),
    NodeEd25519.layer
  ).pipe(Layer.provideMerge(Layer.effectDiscard(TestClock.setTime(start))))

export const onHost = layerWith()

/** Lets the simulated host's time pass. */
export const minutes = (count: number) => Effect.repeatN(TestClock.adjust(count === 0 ? 0 : "10 seconds"), count * 6)

/** `snapshot.delete` of the snapshot, as the operator was shown it. */
export const snapshotDelete = (host: Host, guest: GuestRef, snapshot: string) =>
  Effect.map(host.shown(guest), (shown) => ({
    op: "snapshot.delete",
    target: { guest, snapshot },
    expect: { ...shown, takenAt: shown.snapshots.find(({ name }) => name === snapshot)?.takenAt ?? 0 }
  }))
