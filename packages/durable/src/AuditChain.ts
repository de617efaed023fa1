import { type AuditEntry, type AuditHead, AuditLink } from "@felhom/domain/AuditEntry"
import { Crypto } from "@felhom/domain/port/Crypto"
import type { FileSteps } from "@felhom/domain/port/FileSteps"
import { EpochMillis } from "@felhom/domain/Time"
import { Clock, Context, Effect, Layer, Schema, type Scope } from "effect"
import { auditLogName } from "./AuditVerdict.ts"
import * as DurableLog from "./DurableLog.ts"
import { DurableLogError } from "./DurableLogError.ts"

/**
 * What this host did and refused to do, in an order that can't be changed afterwards without showing: each entry names the hash
 * of the one before it. `verifyAudit` reads it.
 *
 * The file is opened at the first use. While it can't be, everything here fails.
 */
export class AuditChain extends Context.Tag("felhom/durable/AuditChain")<AuditChain, {
  /** Answers with the new head once the entry is on the disk. */
  readonly append: (entry: AuditEntry) => Effect.Effect<AuditHead, DurableLogError>
  /** The hash of the last entry that is on the disk, and how many there are. */
  readonly head: Effect.Effect<AuditHead, DurableLogError>
}>() {}

const text = { decode: new TextDecoder(), encode: new TextEncoder() }
const encodeLink = Schema.encode(Schema.parseJson(AuditLink))
const decodeLink = Schema.decodeUnknown(Schema.parseJson(AuditLink))

interface Chain {
  readonly records: ReadonlyArray<Uint8Array>
  readonly seq: number
}

/** Only the last entry is looked at: whether those before it fit is a question that `verifyAudit` answers to whoever asks. */
const load = (path: string) => (records: ReadonlyArray<Uint8Array>): Effect.Effect<Chain, DurableLogError> => {
  const last = records.at(-1)
  if (last === undefined) return Effect.succeed({ records, seq: 0 })
  return decodeLink(text.decode.decode(last)).pipe(
    Effect.mapBoth({
      onFailure: () => new DurableLogError({ reason: "unreadable", path, detail: "its last entry can't be read" }),
      onSuccess: ({ seq }) => ({ records, seq })
    })
  )
}

const openChain = (directory: string, broken?: DurableLog.Broken) =>
  Effect.gen(function*() {
    const crypto = yield* Crypto
    const { first, last, log, seq } = yield* Effect.map(
      DurableLog.open({
        directory,
        name: auditLogName,
        load: load(`${directory}/${auditLogName}.log`),
        keep: ({ records }) => records,
        broken
      }),
      // The entries themselves stay in the file only.
      ({ initRecord, loaded, log }) => ({ log, seq: loaded.seq, first: initRecord, last: loaded.records.at(-1) })
    )
    let written: AuditHead = { head: yield* crypto.sha256(last ?? first), length: seq }
    const one = yield* Effect.makeSemaphore(1)
    // One after the other: an entry can only name the one before it once that is written.
    const append = (entry: AuditEntry) =>
      one.withPermits(1)(Effect.uninterruptible(Effect.gen(function*() {
        const at = EpochMillis.make(yield* Clock.currentTimeMillis)
        const link = { seq: written.length + 1, at, previous: written.head, entry }
        const record = text.encode.encode(yield* Effect.orDie(encodeLink(link)))
        yield* log.append(record)
        written = { head: yield* crypto.sha256(record), length: link.seq }
        return written
      })))
    return AuditChain.of({ append, head: Effect.sync(() => written) })
  })

/** Keeps `audit.log` in the state folder, whose lock the caller holds. */
export const make = (
  directory: string,
  broken?: DurableLog.Broken
): Effect.Effect<typeof AuditChain.Service, never, FileSteps | Crypto | Scope.Scope> =>
  Effect.map(DurableLog.openOnce(openChain(directory, broken)), (opened) => ({
    append: (entry) => Effect.flatMap(opened, (chain) => chain.append(entry)),
    head: Effect.flatMap(opened, (chain) => chain.head)
  }))

/** What `make` keeps. */
export const layer = (directory: string): Layer.Layer<AuditChain, never, FileSteps | Crypto> =>
  Layer.scoped(AuditChain, make(directory)).pipe(Layer.ensureRequirementsType<FileSteps | Crypto>())
