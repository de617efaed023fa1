import { type DesiredDetail, type DesiredEntry, type DesiredSubmission, keptDesired } from "@felhom/domain/DesiredApi"
import { decodeDesired, type DesiredDocument, desiredType, isEmptyState } from "@felhom/domain/DesiredDocument"
import type { Envelope } from "@felhom/domain/Envelope"
import { HostEpoch, type HostId } from "@felhom/domain/HostId"
import type { DesiredHeld, HostReport } from "@felhom/domain/HostReport"
import { HubConflict, HubNotFound } from "@felhom/domain/HubRefusal"
import { Crypto } from "@felhom/domain/port/Crypto"
import { EpochMillis } from "@felhom/domain/Time"
import { Clock, Context, Effect, Either, Encoding, Layer, Schema } from "effect"
import { Database } from "./Database.ts"
import {
  AppliedRow,
  appliedText,
  appliedTextsFor,
  canonical,
  detailOf,
  entriesText,
  entryOf,
  EntryRow,
  PublishedRow,
  publishedSelect,
  publishedTextFor,
  wishesFor
} from "./DesiredRow.ts"
import { sameStanding, standingAfter, StandingRow, standingSelect, standingTextFor } from "./DesiredStandings.ts"
import { Blob } from "./KeptReports.ts"
import * as KeyedTurns from "./KeyedTurns.ts"
import { StoreEpoch } from "./StoreEpoch.ts"
import { StoreError } from "./StoreError.ts"

/**
 * What operators wish hosts to be, and its way to them (protocol 4). Nobody signs it, so the documents are the hub's own: with its
 * epoch, the host's epoch, and a version that only goes up. A host goes by one for as long as the operator said (`goodFor`); while
 * the host reports, the hub makes the next version, with the same state, once half of that is over. So a host that hears its hub
 * always has at least half of it ahead, and one that does not begins nothing new when it has run out.
 */
export class DesiredBook extends Context.Tag("felhom/hub/DesiredBook")<DesiredBook, {
  /** Publishes a state in place of the one before. `by` is who wishes it. What is wished already is left as it is. */
  readonly apply: (
    host: HostId,
    submission: DesiredSubmission,
    by: string
  ) => Effect.Effect<DesiredDetail, HubConflict | HubNotFound | StoreError>
  /** Null where nothing was ever applied. */
  readonly present: (host: HostId) => Effect.Effect<DesiredDetail | null, StoreError>
  /** Newest first. */
  readonly log: (host: HostId) => Effect.Effect<ReadonlyArray<DesiredEntry>, StoreError>
  /** Takes what a stored report says of it, and puts what the host lacks into the envelope, or that it lacks nothing. */
  readonly exchange: (report: HostReport, envelope: Envelope) => Effect.Effect<Envelope, StoreError>
}>() {}

const Present = Schema.Struct({ epoch: HostEpoch })
const Document = Schema.Struct({ document: Blob })

const conflict = (message: string): HubConflict => new HubConflict({ message })

const moment = (at: number): string => `${new Date(at).toISOString().slice(0, 16).replace("T", " ")} UTC`

const holds = (row: PublishedRow, held: DesiredHeld | null): boolean =>
  held !== null && held.epoch === row.epoch && held.version === row.version && held.sha256 === row.sha256

/** A host that has a later one, or another under this number, would refuse what is published. */
const isAhead = (row: PublishedRow, held: DesiredHeld | null): boolean =>
  held !== null && held.epoch === row.epoch && held.version >= row.version && !holds(row, held)

/** Half of its time is over. */
const isDue = ({ expires, issued }: PublishedRow, now: number): boolean => now - issued >= (expires - issued) / 2

const overtaken = (submission: DesiredSubmission, present: AppliedRow | undefined): HubConflict | undefined => {
  const version = present?.version ?? 0
  if (submission.after === version) return undefined
  const seen = submission.after === 0 ? "nothing was wished for it" : `version ${submission.after} was wished for it`
  return conflict(
    present === undefined
      ? `${seen} when you looked, and this hub knows of none: was it restored from a backup? Look, and apply again`
      : `${seen} when you looked, and since then ${present.by} applied version ${version} (${
        moment(present.at)
      }): look at it ` +
        "(felhom desired show), put into your files what is to stay, and apply again"
  )
}

const make = Effect.gen(function*() {
  const { path, readText, writeTexts } = yield* Database
  const crypto = yield* Crypto
  const epoch = yield* Effect.mapError(
    Schema.decode(HostEpoch)(yield* StoreEpoch),
    () => new StoreError({ reason: "corrupt", path, detail: "its epoch is none" })
  )
  const turns = yield* KeyedTurns.make
  // Few and small, and every report looks at them.
  const published = new Map<string, PublishedRow>()
  const standings = new Map<string, StandingRow>()
  for (const row of yield* readText(PublishedRow, { sql: publishedSelect, parameters: [] })) {
    published.set(row.host, row)
  }
  for (const row of yield* readText(StandingRow, { sql: standingSelect, parameters: [] })) standings.set(row.host, row)

  const missing = (host: HostId) =>
    new StoreError({ reason: "corrupt", path, detail: `what is wished for host ${host} is not whole` })

  const appliedOf = ({ applied, host }: PublishedRow) =>
    Effect.flatMap(
      readText(AppliedRow, appliedText(host, applied)),
      ([row]) => row === undefined ? missing(host) : Effect.succeed(row)
    )

  /** The epoch of the host's own stores, by its last report. */
  const hostEpoch = (host: HostId) =>
    Effect.map(
      readText(Present, { sql: "SELECT epoch FROM host WHERE host_id = ?", parameters: [host] }),
      ([row]) => row?.epoch
    )

  /** The document of a state, and its row. */
  const documentOf = (host: HostId, applied: AppliedRow, version: number, of: HostEpoch, now: EpochMillis) =>
    Effect.gen(function*() {
      const expires = EpochMillis.make(now + applied.goodFor * 1000)
      const document: DesiredDocument = {
        typ: desiredType,
        host,
        hostEpoch: of,
        epoch,
        version,
        issued: now,
        expires,
        ...(applied.allowEmpty === 1 ? { allowEmpty: true } : {}),
        state: applied.state
      }
      const bytes = new TextEncoder().encode(JSON.stringify(document))
      const row: PublishedRow = {
        host,
        applied: applied.version,
        epoch,
        hostEpoch: of,
        version,
        sha256: yield* crypto.sha256(bytes),
        issued: now,
        expires
      }
      return { bytes, row }
    })

  const bytesOf = ({ host }: PublishedRow) =>
    Effect.flatMap(
      readText(Document, { sql: "SELECT document FROM desired_published WHERE host_id = ?", parameters: [host] }),
      ([row]) => row === undefined ? missing(host) : Effect.succeed(row.document)
    )

  const apply = (host: HostId, submission: DesiredSubmission, by: string) =>
    Effect.gen(function*() {
      const { allowEmpty, called, goodFor, reason, state } = submission
      const of = yield* hostEpoch(host)
      if (of === undefined) {
        return yield* new HubNotFound({ message: `no host ${host} has ever reported to this hub` })
      }
      const current = published.get(host)
      const before = current === undefined ? undefined : yield* appliedOf(current)
      const late = overtaken(submission, before)
      if (late !== undefined) return yield* late
      if (isEmptyState(state) && !allowEmpty) {
        return yield* conflict("it wishes for nothing at all; if that is meant, say so: --allow-empty")
      }
      if (
        current !== undefined && before !== undefined && before.goodFor === goodFor &&
        canonical(before.state) === canonical(state)
      ) {
        return detailOf(before, current, yield* bytesOf(current))
      }
      const now = EpochMillis.make(yield* Clock.currentTimeMillis)
      const heard = standings.get(host)
      // A store that was set back by hand goes on above what the host has.
      const version = Math.max(current?.version ?? 0, heard?.epoch === epoch ? heard.version : 0) + 1
      const applied: AppliedRow = {
        version,
        guests: state.guests.length,
        goodFor,
        reason,
        by,
        at: now,
        state,
        wishes: wishesFor(state.guests, called, { version, by, at: now }, before),
        allowEmpty: allowEmpty ? 1 : 0
      }
      const { bytes, row } = yield* documentOf(host, applied, version, of, now)
      // What a host would refuse is not published.
      yield* Either.mapLeft(decodeDesired(bytes), ({ message }) => conflict(message))
      yield* writeTexts([...appliedTextsFor(host, applied, keptDesired), publishedTextFor(row, bytes)])
      published.set(host, row)
      return detailOf(applied, row, bytes)
    })

  /** The same state once more, under the next version, for a host whose time for it is half over or whose epochs have changed. */
  const renewed = (row: PublishedRow, of: HostEpoch) =>
    Effect.gen(function*() {
      const now = EpochMillis.make(yield* Clock.currentTimeMillis)
      // A report of an earlier incarnation that was long under way changes nothing.
      const isPresent = of === row.hostEpoch || (yield* hostEpoch(row.host)) === of
      if (!isPresent || (of === row.hostEpoch && row.epoch === epoch && !isDue(row, now))) return row
      const next = yield* documentOf(row.host, yield* appliedOf(row), row.version + 1, of, now)
      yield* writeTexts([publishedTextFor(next.row, next.bytes)])
      published.set(row.host, next.row)
      return next.row
    })

  const heard = (report: HostReport, held: DesiredHeld | null | undefined, lacks: boolean) =>
    Effect.gen(function*() {
      const before = standings.get(report.host.id)
      const now = EpochMillis.make(yield* Clock.currentTimeMillis)
      const after = standingAfter(before, report, held, lacks, now)
      if (before !== undefined && sameStanding(before, after)) return
      yield* writeTexts([standingTextFor(after)])
      standings.set(report.host.id, after)
    })

  const answered = (report: HostReport, held: DesiredHeld | null | undefined, envelope: Envelope) =>
    Effect.gen(function*() {
      const known = published.get(report.host.id)
      // An agent that says nothing of what it holds takes none.
      if (known === undefined || held === undefined) {
        yield* heard(report, held, false)
        return envelope
      }
      // What an earlier store published is made anew for this one, however far the host came with that.
      const row = known.epoch === epoch && isAhead(known, held) ? known : yield* renewed(known, report.host.epoch)
      const has = holds(row, held)
      yield* heard(report, held, !has)
      if (has) return { ...envelope, unchanged: true }
      return isAhead(row, held) ? envelope : { ...envelope, desired: Encoding.encodeBase64(yield* bytesOf(row)) }
    })

  /** What nearly every report is: of a host that has what it is given, and has nothing new to say of it. */
  const isQuiet = ({ host, inventory }: HostReport, held: DesiredHeld | null | undefined, now: number): boolean => {
    const row = published.get(host.id)
    const known = standings.get(host.id)
    return inventory === null && row !== undefined && known !== undefined && held !== undefined && holds(row, held) &&
      row.epoch === epoch && row.hostEpoch === host.epoch && !isDue(row, now) &&
      known.lackingSince === null && known.epoch === row.epoch && known.version === row.version
  }

  return DesiredBook.of({
    apply: (host, submission, by) => turns.alone(host)(apply(host, submission, by)),
    present: (host) =>
      Effect.suspend(() => {
        const row = published.get(host)
        return row === undefined
          ? Effect.succeed(null)
          : Effect.zipWith(appliedOf(row), bytesOf(row), (applied, bytes) => detailOf(applied, row, bytes))
      }),
    log: (host) => Effect.map(readText(EntryRow, entriesText(host)), (rows) => rows.map(entryOf)),
    exchange: (report, envelope) => {
      const { id } = report.host
      const held = report.trust?.desired
      const says = (held ?? null) !== null || (report.inventory?.desired ?? null) !== null
      // A one-off report changes nothing, and nobody goes by its answer.
      if (report.sequence === null || (!says && !published.has(id) && !standings.has(id))) {
        return Effect.succeed(envelope)
      }
      return Effect.flatMap(Clock.currentTimeMillis, (now) =>
        isQuiet(report, held, now)
          ? Effect.succeed({ ...envelope, unchanged: true })
          : turns.alone(id)(answered(report, held, envelope)))
    }
  })
})

export const layer: Layer.Layer<DesiredBook, StoreError, Database | Crypto | StoreEpoch> = Layer.effect(
  DesiredBook,
  make
).pipe(Layer.ensureRequirementsType<Database | Crypto | StoreEpoch>())
