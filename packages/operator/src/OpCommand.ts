import { Command, Options } from "@effect/cli"
import { HostEpoch } from "@felhom/domain/HostId"
import { type GuestRef, SnapshotName, StorageId, Volid } from "@felhom/domain/ProxmoxId"
import { EpochSeconds } from "@felhom/domain/Time"
import { Effect, Either, Option, Schema } from "effect"
import { readDuration } from "./AlarmCommands.ts"
import { type ConnectionOptions, connectionOptions } from "./Connection.ts"
import { type ApprovalOptions, approvalOptions, approved } from "./OpApproval.ts"
import { documentFile, type OpDocument, policyDocument, signersDocument } from "./OpDocument.ts"
import { OperatorError } from "./OperatorError.ts"
import { guestNamed, operationOn, type Wish } from "./OpExpectation.ts"
import { makePayload } from "./OpPayload.ts"
import { sightOf } from "./OpSight.ts"
import { withOps } from "./Root.ts"
import type { Witnessed } from "./SignedHost.ts"
import { readSignersFile } from "./SignersFile.ts"
import { trustLayer } from "./TrustCommands.ts"

const hostOption = Options.text("host").pipe(
  Options.withDescription(
    "The host, by its node name or the beginning of its id; its key must be known here (felhom trust)"
  )
)

const common = {
  host: hostOption,
  reason: Options.text("reason").pipe(Options.withDescription("Why, for people and for the host's audit chain")),
  validFor: Options.text("valid-for").pipe(
    Options.withDefault("1h"),
    Options.withDescription("How long it is good, such as 30m or 4h; a day at most")
  ),
  ...approvalOptions,
  ...connectionOptions
}

interface CommonOptions extends ApprovalOptions, ConnectionOptions {
  readonly host: string
  readonly reason: string
  readonly validFor: string
}

const usage = (detail: string): OperatorError => new OperatorError({ reason: "usage", detail })

/** What is wished for on this host; a sentence says why it can't be. What goes with the op, if anything does. */
interface Wished {
  readonly on: (sight: Witnessed) => Either.Either<Wish, string>
  readonly document?: OpDocument
}

/** The whole way of an op: look at the host's own words, build the bytes, show, confirm, sign, check, send. */
const proposed = <R>(
  { fingerprint, host, hub, reason, tokenFile, validFor, ...approval }: CommonOptions,
  wishOn: Effect.Effect<Wished, OperatorError, R>
) =>
  withOps(
    { fingerprint, hub, tokenFile },
    Effect.gen(function*() {
      const seconds = yield* Option.match(readDuration(validFor), {
        onNone: () => Effect.fail(usage("--valid-for is such as 30m or 4h, a day at most")),
        onSome: Effect.succeed
      })
      const wish = yield* wishOn
      const sight = yield* sightOf(host)
      const operation = yield* Either.mapLeft(
        Either.flatMap(wish.on(sight), (wished) => operationOn(sight, wished)),
        (why) => usage(`host ${sight.report.host.node}: ${why}`)
      )
      const { bytes, op } = yield* makePayload(sight, operation, { reason, validFor: seconds * 1000 })
      yield* approved({ bytes, op, signatures: [], document: wish.document ?? null }, sight, approval)
    }).pipe(Effect.provide(trustLayer))
  )

const guest = Options.text("guest").pipe(Options.withDescription("The guest, by its number or as TYPE/NUMBER: lxc/101"))
const snapshot = Options.text("snapshot").pipe(
  Options.withDescription("The snapshot's name"),
  Options.withSchema(SnapshotName)
)
const volid = Options.text("volid").pipe(
  Options.withDescription("The volume, STORAGE:PATH as Proxmox VE names it"),
  Options.withSchema(Volid)
)
const noProof = Options.boolean("accept-no-proven-backup").pipe(
  Options.withDescription(
    "Sign that it is done without any backup, too. Without this the host does it only where it finds a finished backup of the last 30 days, of this very guest and with all its volumes"
  )
)

const plain = (wish: Wish): Effect.Effect<Wished> => Effect.succeed({ on: () => Either.right(wish) })

const onGuest = (text: string, wish: (ref: GuestRef) => Wish): Effect.Effect<Wished> =>
  Effect.succeed({ on: (sight) => Either.map(guestNamed(sight, text), wish) })

const destroy = Command.make(
  "guest.destroy",
  {
    guest,
    unreferencedDisks: Options.boolean("unreferenced-disks").pipe(
      Options.withDescription("Also destroy disks with the guest's number that are not in its configuration")
    ),
    noProof,
    ...common
  },
  ({ guest, noProof, unreferencedDisks, ...options }) =>
    proposed(
      options,
      onGuest(guest, (ref) => ({
        op: "guest.destroy",
        target: { guest: ref },
        params: { unreferencedDisks, acceptNoProvenBackup: noProof }
      }))
    )
).pipe(Command.withDescription("Destroy a guest with all its volumes and snapshots"))

const rollback = Command.make(
  "guest.rollback",
  { guest, snapshot, noProof, ...common },
  ({ guest, noProof, snapshot, ...options }) =>
    proposed(
      options,
      onGuest(guest, (ref) => ({
        op: "guest.rollback",
        target: { guest: ref, snapshot },
        params: { acceptNoProvenBackup: noProof }
      }))
    )
).pipe(Command.withDescription("Set a guest back to a snapshot; what it wrote since is lost"))

const deleteSnapshot = Command.make(
  "snapshot.delete",
  { guest, snapshot, ...common },
  ({ guest, snapshot, ...options }) =>
    proposed(
      options,
      onGuest(guest, (ref) => ({ op: "snapshot.delete", target: { guest: ref, snapshot }, params: {} }))
    )
).pipe(Command.withDescription("Delete a snapshot"))

const stopHard = Command.make(
  "guest.stop_hard",
  { guest, ...common },
  ({ guest, ...options }) =>
    proposed(options, onGuest(guest, (ref) => ({ op: "guest.stop_hard", target: { guest: ref }, params: {} })))
).pipe(
  Command.withDescription("Stop a guest like pulling the plug")
)

const deleteBackup = Command.make(
  "backup.delete",
  { volid, ...common },
  ({ volid, ...options }) => proposed(options, plain({ op: "backup.delete", target: { volid }, params: {} }))
).pipe(
  Command.withDescription("Delete a backup")
)

const unprotect = Command.make(
  "backup.unprotect",
  { volid, ...common },
  ({ volid, ...options }) => proposed(options, plain({ op: "backup.unprotect", target: { volid }, params: {} }))
).pipe(
  Command.withDescription("Lift the protection of a backup")
)

const deleteVolume = Command.make(
  "volume.delete",
  {
    volid,
    noProof,
    size: Options.integer("size").pipe(
      Options.withDescription("The volume's size in bytes, as you saw it: no report says it, and the host compares it"),
      Options.withSchema(Schema.NonNegativeInt)
    ),
    createdAt: Options.integer("created-at").pipe(
      Options.withSchema(EpochSeconds),
      Options.optional,
      Options.withDescription("When it was made, in seconds since 1970, if you saw that, too")
    ),
    ...common
  },
  ({ createdAt, noProof, size, volid, ...options }) =>
    proposed(
      options,
      plain({
        op: "volume.delete",
        target: { volid },
        expect: { size, createdAt: Option.getOrNull(createdAt) },
        params: { acceptNoProvenBackup: noProof }
      })
    )
).pipe(Command.withDescription("Delete a volume that is in no guest's configuration"))

const removeStorage = Command.make(
  "storage.remove",
  {
    storage: Options.text("storage").pipe(
      Options.withDescription("The storage's id"),
      Options.withSchema(StorageId)
    ),
    ...common
  },
  ({ storage, ...options }) => proposed(options, plain({ op: "storage.remove", target: { storage }, params: {} }))
).pipe(Command.withDescription("Remove a storage from the host's configuration; what lies on it stays"))

const updateSigners = Command.make(
  "signers.update",
  {
    document: Options.text("document").pipe(
      Options.withDescription(
        "The signed version of the fleet's signers that the host is to take, as felhom signers new --out and felhom signers save write it; it goes with the op"
      )
    ),
    ...common
  },
  ({ document, ...options }) =>
    proposed(
      options,
      Effect.gen(function*() {
        const { signed } = yield* readSignersFile(document)
        const made = yield* signersDocument(signed)
        const target = { sha256: made.sha256 }
        const wished: Wished = {
          document: made,
          on: (sight) => {
            const held = sight.report.trust?.fleet ?? null
            return held !== null && held.fleet === made.fleet && held.version >= made.version
              ? Either.left(
                `it has version ${held.version} of these signers, and never goes back: let it take a higher one (felhom signers new)`
              )
              : Either.right({ op: "signers.update", target, params: { version: made.version } })
          }
        }
        return wished
      })
    )
).pipe(
  Command.withDescription(
    "Have a host take a version of a fleet's signers that does not continue from what it has; the fleet's own chain needs no op"
  )
)

const widenPolicy = Command.make(
  "policy.widen",
  {
    document: Options.text("document").pipe(
      Options.withDescription(
        "The policy that is to hold from then on, a file like the host's own policy.json; it goes with the op"
      )
    ),
    ...common
  },
  ({ document, ...options }) =>
    proposed(
      options,
      Effect.gen(function*() {
        const made = yield* Effect.flatMap(documentFile(document), policyDocument)
        const wished: Wished = {
          document: made,
          on: () => Either.right({ op: "policy.widen", target: { sha256: made.sha256 }, params: {} })
        }
        return wished
      })
    )
).pipe(Command.withDescription("Let the host do what its policy forbids today"))

const acceptEpoch = Command.make(
  "desired.accept_epoch",
  {
    epoch: Options.text("epoch").pipe(
      Options.withDescription("The hub's new store, 32 hex digits, as the hub's own machine says it"),
      Options.withSchema(HostEpoch)
    ),
    ...common
  },
  ({ epoch, ...options }) => proposed(options, plain({ op: "desired.accept_epoch", target: { epoch }, params: {} }))
).pipe(Command.withDescription("Take desired state from a new store of the hub, after it was restored"))

const reanchor = Command.make(
  "store.reanchor",
  common,
  (options) => proposed(options, plain({ op: "store.reanchor", target: {}, params: {} }))
).pipe(
  Command.withDescription("Make the host's record of spent ops anew; voids every op signed before")
)

const releaseHold = Command.make(
  "hold.release",
  common,
  (options) => proposed(options, plain({ op: "hold.release", target: {}, params: {} }))
).pipe(
  Command.withDescription("Release a host's hold")
)

/** One subcommand for everything that a signature can ask for. */
export const opCommand = Command.make("op").pipe(
  Command.withDescription(
    "Sign what destroys, after seeing in the host's own signed words what it would: builds, shows, asks, signs, sends (operator)"
  ),
  Command.withSubcommands([
    destroy,
    rollback,
    deleteSnapshot,
    stopHard,
    deleteBackup,
    unprotect,
    deleteVolume,
    removeStorage,
    updateSigners,
    widenPolicy,
    acceptEpoch,
    reanchor,
    releaseHold
  ])
)
