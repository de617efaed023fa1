import { HostPolicy } from "@felhom/authz/HostPolicy"
import { Signers } from "@felhom/authz/Signers"
import { opWords } from "@felhom/domain/OpWords"
import { Crypto } from "@felhom/domain/port/Crypto"
import { Hold } from "@felhom/durable/Hold"
import type { OpenOp } from "@felhom/durable/JournalState"
import { NonceStore } from "@felhom/durable/NonceStore"
import { OpJournal } from "@felhom/durable/OpJournal"
import { StateFile } from "@felhom/durable/StateFile"
import type { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import { DesiredIntake } from "@felhom/reconciler/desired/DesiredIntake"
import type { GoldenBuilder } from "@felhom/reconciler/golden/GoldenBuilder"
import type { GoldenImages } from "@felhom/reconciler/golden/GoldenImages"
import { Executor } from "@felhom/reconciler/op/Executor"
import { decodeDocument } from "@felhom/reconciler/op/OpDocument"
import { OpIntake } from "@felhom/reconciler/op/OpIntake"
import { OpNews } from "@felhom/reconciler/op/OpNews"
import type { HostStorageKeeper } from "@felhom/reconciler/storage/HostStorageKeeper"
import { Effect, Either, Option, ParseResult, Schema } from "effect"
import { diskAnswered } from "../disks/DiskAnswers.ts"
import { goldenAnswered } from "../golden/GoldenAnswers.ts"
import type { HealthWatch } from "../health/HealthWatch.ts"
import { type AdminAnswer, AdminRequest, type ListedOp } from "./AdminProtocol.ts"

const decode = Schema.decodeUnknownEither(Schema.parseJson(AdminRequest), { onExcessProperty: "error" })

const who = "root on the host"

const listed = (open: OpenOp, waitsFor: string | undefined): Effect.Effect<ListedOp, never, Crypto> =>
  Effect.gen(function*() {
    const crypto = yield* Crypto
    const found = Option.getOrUndefined(decodeDocument(open.document))
    return {
      op: found === undefined ? null : yield* crypto.sha256(found.bytes),
      words: found === undefined ? open.action : opWords(found.op),
      stage: waitsFor === undefined ? open.stage : "waiting",
      ...(waitsFor === undefined ? {} : { waitsFor }),
      acceptedAt: open.acceptedAt
    }
  })

/** What an op that changes it has to name of what holds now. */
const shown = Effect.gen(function*() {
  const signers = yield* Effect.option((yield* Signers).current)
  const policy = yield* (yield* HostPolicy).current
  const desired = yield* (yield* DesiredIntake).held
  return {
    ...(Option.isNone(signers) ? {} : {
      signers: {
        version: Option.match(signers.value.held, { onNone: () => 0, onSome: ({ document }) => document.version }),
        sha256: signers.value.sha256
      }
    }),
    ...(Option.isSome(policy.problem) ? {} : { policy: { sha256: policy.sha256 } }),
    ...(desired === undefined
      ? {}
      : { desired: { epoch: desired?.epoch ?? null, version: desired?.version ?? 0 } })
  }
})

const answered = (request: AdminRequest) =>
  Effect.gen(function*() {
    switch (request.ask) {
      case "ops.accept": {
        const { before, payload } = yield* (yield* OpIntake).fromConsole(request.signed)
        return {
          ok: true,
          message: before
            ? `the op ${payload} was accepted before; nothing new is begun`
            : `accepted the op ${payload}; felhom-agent ops list shows it until it has ended`
        }
      }
      case "ops.list": {
        const open = yield* (yield* OpJournal).open
        const waiting = yield* (yield* Executor).waiting
        const ops = yield* Effect.forEach(open, (one) => listed(one, waiting.get(one.op)))
        const nonces = yield* NonceStore
        const held = yield* (yield* Hold).current
        const trust = {
          host: (yield* StateFile).host.id,
          hostEpoch: yield* nonces.hostEpoch,
          storeSeq: yield* nonces.storeSeq,
          hold: Option.match(held, { onNone: () => null, onSome: ({ since }) => since }),
          ...yield* shown
        }
        return { ok: true, message: ops.length === 0 ? "no signed op is under way or waits" : "", ops, trust }
      }
      case "hold.set": {
        const held = yield* (yield* Hold).set(who, request.reason)
        yield* (yield* OpNews).held(held.by, held.reason)
        return { ok: true, message: `held since ${new Date(held.since).toISOString()}: ${held.reason}` }
      }
      case "hold.release": {
        const hold = yield* Hold
        if (Option.isNone(yield* hold.current)) return { ok: true, message: "the host is not held" }
        yield* hold.release
        yield* (yield* OpNews).released(who, request.reason)
        return { ok: true, message: "the hold is released" }
      }
      case "golden.build":
      case "golden.list":
      case "golden.resume":
      case "golden.discard":
      case "golden.draft":
      case "golden.verify":
      case "golden.accept":
        return yield* goldenAnswered(request)
      case "disks.list":
      case "disks.eject":
      case "disks.adopt":
      case "health.show":
        return yield* diskAnswered(request)
    }
  })

type Needs =
  | OpIntake
  | OpJournal
  | Executor
  | NonceStore
  | StateFile
  | Hold
  | OpNews
  | Signers
  | HostPolicy
  | DesiredIntake
  | GoldenBuilder
  | GoldenImages
  | ProxmoxClient
  | HostStorageKeeper
  | HealthWatch
  | Crypto

/** What the daemon answers to one line. Never fails: a question that can't be understood has an answer, too. */
export const answerTo = (
  line: string
): Effect.Effect<AdminAnswer, never, Needs> =>
  Either.match(decode(line), {
    onLeft: (error) =>
      Effect.succeed({
        ok: false,
        message: `the daemon does not understand that; is it of another version? ${
          ParseResult.TreeFormatter.formatErrorSync(error)
        }`
      }),
    onRight: (request) =>
      Effect.catchAll(answered(request), (error) => Effect.succeed({ ok: false, message: error.message }))
  })
