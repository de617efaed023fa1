import { sameBytes } from "@felhom/domain/ByteReader"
import type { Envelope, SignedBytes } from "@felhom/domain/Envelope"
import type { HostId } from "@felhom/domain/HostId"
import type { HostReport } from "@felhom/domain/HostReport"
import { HubConflict, HubNotFound } from "@felhom/domain/HubRefusal"
import { type OpDetail, opLimits, type OpState, type OpSubmission, type OpSummary } from "@felhom/domain/OpsApi"
import { Crypto } from "@felhom/domain/port/Crypto"
import type { Sha256Hex } from "@felhom/domain/Sha256"
import { longestValidity } from "@felhom/domain/SignedOp"
import { EpochMillis } from "@felhom/domain/Time"
import { Clock, Context, Effect, Either, Encoding, Layer, Option, Schema } from "effect"
import { Database } from "./Database.ts"
import * as KeyedTurns from "./KeyedTurns.ts"
import { readClaim } from "./OpClaimReading.ts"
import { isNews, type OpNews, opNews } from "./OpFollowing.ts"
import { keepTexts, opReport, type SpokenReport } from "./OpReports.ts"
import { isHandedOut, OpRow, stateOf, summaryOf } from "./OpRow.ts"
import type { StoreError } from "./StoreError.ts"

/**
 * Signed ops on their way to hosts. The bytes are handed on exactly as they came and nothing is concluded from them: the hub
 * holds no key that a host obeys, and can't tell whose signature counts. How an op ends is what its host says.
 */
export class OpQueue extends Context.Tag("felhom/hub/OpQueue")<OpQueue, {
  /**
   * Queues an op, or adds signatures to one with the same bytes; one that was refused is handed out again when it got a new
   * signature. `by` is who brought it.
   */
  readonly submit: (
    host: HostId,
    submission: OpSubmission,
    by: string
  ) => Effect.Effect<OpSummary, HubConflict | HubNotFound | StoreError>
  /** Newest first. */
  readonly ofHost: (host: HostId) => Effect.Effect<ReadonlyArray<OpSummary>, StoreError>
  /** None when the hub does not have its bytes. */
  readonly one: (host: HostId, op: Sha256Hex) => Effect.Effect<Option.Option<OpDetail>, StoreError>
  /** Of all hosts, newest first, a thousand at most. */
  readonly list: (state: OpState | undefined) => Effect.Effect<ReadonlyArray<OpSummary>, StoreError>
  /** The report in which the host said how far the op has come; none when the hub has none that the host signed. */
  readonly report: (host: HostId, op: Sha256Hex) => Effect.Effect<Option.Option<SignedBytes>, StoreError>
  /**
   * Takes what a stored report says of ops, and puts those that its host should have into the envelope. Without either it is the
   * envelope as it was. `letter` is the report as it came, and its host's armored signature if it signed.
   */
  readonly exchange: (report: HostReport, letter: Letter, envelope: Envelope) => Effect.Effect<Envelope, StoreError>
}>() {}

/** A report's bytes as they were signed, the same gzipped, and the signature; null when there is none. */
export interface Letter {
  readonly plain: Uint8Array
  readonly packed: Uint8Array
  readonly signature: string | null
}

/** How many ops of one host are kept, open ones apart. */
const keptPerHost = 1_000

/** What all ops of one envelope may weigh, in characters: an agent reads answers of 1 MiB. What is left over goes with the next. */
const envelopeRoom = 700 * 1024

const select =
  `SELECT signed_op.host_id AS host, json_extract(host.identity, '$.node') AS node, op, payload, signatures, needs,
  submitted_by AS submittedBy, submitted_at AS submittedAt, signed_op.expires_at AS expiresAt, state, message,
  changed_at AS changedAt, event_epoch AS eventEpoch, event_seq AS eventSeq,
  (SELECT report FROM op_report WHERE op_report.host_id = signed_op.host_id AND op_report.report = signed_op.report) AS report,
  document
  FROM signed_op LEFT JOIN host ON host.host_id = signed_op.host_id`

const Known = Schema.Struct({ known: Schema.Int })

const signedBytes = ({ document, payload, signatures }: OpRow): SignedBytes => ({
  payload: Encoding.encodeBase64(payload ?? new Uint8Array()),
  signatures,
  ...(document === null ? {} : { document: Encoding.encodeBase64(document) })
})

const weight = ({ document = "", payload, signatures }: SignedBytes): number =>
  signatures.reduce((sum, { length }) => sum + length, payload.length + document.length)

/** As many of them as fit, oldest first. */
const fitting = (ops: ReadonlyArray<SignedBytes>): ReadonlyArray<SignedBytes> => {
  let room = envelopeRoom
  return ops.filter((op) => (room -= weight(op)) >= 0)
}

const clock = (now: number): EpochMillis => EpochMillis.make(now)

/** An op of which nothing is known yet but its name. */
const fresh = (host: HostId, op: Sha256Hex, now: number): OpRow => ({
  host,
  node: null,
  op,
  payload: null,
  signatures: [],
  needs: 1,
  submittedBy: null,
  submittedAt: clock(now),
  expiresAt: clock(now),
  state: "awaiting",
  message: null,
  changedAt: clock(now),
  eventEpoch: null,
  eventSeq: null,
  report: null,
  document: null
})

const make = Effect.gen(function*() {
  const { readText, writeTexts } = yield* Database
  const crypto = yield* Crypto
  const turns = yield* KeyedTurns.make
  // The open ops of hosts that have any: a report of any other host costs one look in here.
  const open = new Map<string, ReadonlyArray<OpRow>>()

  const openRows = readText(OpRow, {
    sql:
      `${select} WHERE state IN ('awaiting', 'accepted', 'waiting', 'started') AND payload IS NOT NULL ORDER BY submitted_at, op`,
    parameters: []
  })
  for (const row of yield* openRows) open.set(row.host, [...(open.get(row.host) ?? []), row])

  const rowsOf = (host: HostId) =>
    readText(OpRow, { sql: `${select} WHERE signed_op.host_id = ? ORDER BY submitted_at DESC, op`, parameters: [host] })

  const rowOf = (host: HostId, op: Sha256Hex) =>
    Effect.map(
      readText(OpRow, { sql: `${select} WHERE signed_op.host_id = ? AND op = ?`, parameters: [host, op] }),
      ([row]) => Option.fromNullable(row)
    )

  const remember = (row: OpRow) => {
    const others = (open.get(row.host) ?? []).filter(({ op }) => op !== row.op)
    const isOpen = row.payload !== null && ["awaiting", "accepted", "waiting", "started"].includes(row.state)
    const kept = isOpen ? [...others, row].toSorted((a, b) => a.submittedAt - b.submittedAt) : others
    if (kept.length === 0) open.delete(row.host)
    else open.set(row.host, kept)
  }

  /** Writes rows of one host, and lets its oldest go when there are too many. */
  const store = (host: HostId, rows: ReadonlyArray<OpRow>, now: number, spoken?: SpokenReport) =>
    Effect.map(
      writeTexts([
        ...rows.map((row) => ({
          sql:
            `INSERT INTO signed_op (host_id, op, payload, signatures, needs, submitted_by, submitted_at, expires_at, state,
              message, changed_at, event_epoch, event_seq, report, document)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (host_id, op) DO UPDATE SET payload = excluded.payload, signatures = excluded.signatures,
              needs = excluded.needs, submitted_by = excluded.submitted_by, submitted_at = excluded.submitted_at,
              expires_at = excluded.expires_at, state = excluded.state, message = excluded.message,
              changed_at = excluded.changed_at, event_epoch = excluded.event_epoch, event_seq = excluded.event_seq,
              report = excluded.report, document = excluded.document`,
          parameters: [
            row.host,
            row.op,
            row.payload,
            JSON.stringify(row.signatures),
            row.needs,
            row.submittedBy,
            row.submittedAt,
            row.expiresAt,
            row.state,
            row.message,
            row.changedAt,
            row.eventEpoch,
            row.eventSeq,
            row.report,
            row.document
          ]
        })),
        {
          sql:
            `DELETE FROM signed_op WHERE host_id = ? AND (state NOT IN ('awaiting', 'accepted', 'waiting', 'started') OR expires_at < ?)
            AND op NOT IN (SELECT op FROM signed_op WHERE host_id = ? ORDER BY changed_at DESC LIMIT ?)`,
          parameters: [host, now, host, keptPerHost]
        },
        ...keepTexts(host, spoken)
      ]),
      () => rows.forEach(remember)
    )

  const isKnown = (host: HostId) =>
    Effect.map(
      readText(Known, {
        sql: `SELECT EXISTS (SELECT 1 FROM host WHERE host_id = ?)
          OR EXISTS (SELECT 1 FROM host_key WHERE host_id = ? AND accepted_at IS NOT NULL) AS known`,
        parameters: [host, host]
      }),
      ([row]) => row?.known === 1
    )

  /** The op with these signatures, too. A second submission may ask for more of them, never for fewer. */
  const joined = (row: OpRow, { document, needs, signatures }: OpSubmission, by: string, now: number): OpRow => {
    const all = Array.from(new Set([...row.signatures, ...signatures]))
    // Which document the payload names the host knows; the one that came last is the one that somebody mended.
    const brought = document === undefined ? null : Either.getOrThrow(Encoding.decodeBase64(document))
    const isNew = all.length > row.signatures.length ||
      (brought !== null && (row.document === null || !sameBytes(row.document, brought)))
    const reopened = isNew && row.state === "refused"
    return {
      ...row,
      signatures: all,
      document: brought ?? row.document,
      needs: Math.max(row.needs, needs),
      submittedBy: row.submittedBy ?? by,
      state: reopened ? "awaiting" : row.state,
      changedAt: isNew ? clock(now) : row.changedAt
    }
  }

  const submit = (host: HostId, submission: OpSubmission, by: string) =>
    Effect.gen(function*() {
      const now = yield* Clock.currentTimeMillis
      if (!(yield* isKnown(host))) {
        return yield* new HubNotFound({
          message: `no host ${host} has ever reported to this hub or was accepted by it`
        })
      }
      // It was checked where it came in.
      const payload = Either.getOrThrow(Encoding.decodeBase64(submission.payload))
      const op = yield* crypto.sha256(payload)
      const before = yield* rowOf(host, op)
      const { exp } = readClaim(payload)
      const row = joined(
        Option.getOrElse(before, () => fresh(host, op, now)),
        submission,
        by,
        now
      )
      if (row.signatures.length > opLimits.signatures) {
        return yield* new HubConflict({
          message: `op ${op} would have ${row.signatures.length} signatures, and ${opLimits.signatures} are possible`
        })
      }
      const waiting = (open.get(host) ?? []).filter(({ expiresAt }) => now < expiresAt)
      if (waiting.length >= opLimits.openPerHost && !waiting.some((other) => other.op === op)) {
        return yield* new HubConflict({
          message:
            `${waiting.length} ops are open for host ${host} already; wait until it has done some, or they expire`
        })
      }
      // What says nothing of its end, or too late a one, is kept as long as an op may be good at most (protocol 5).
      const expiresAt = clock(Math.min(exp ?? Infinity, row.submittedAt + longestValidity))
      const whole: OpRow = { ...row, payload, expiresAt }
      yield* store(host, [whole], now)
      return summaryOf(whole, now)
    })

  /** A row for what a host says of an op that did not come through this hub, or is new to it. */
  const told = (
    host: HostId,
    news: OpNews,
    known: Option.Option<OpRow>,
    now: number,
    spoken: SpokenReport | undefined
  ): OpRow => ({
    ...Option.getOrElse(known, () => fresh(host, news.op, now)),
    state: news.state,
    message: news.message,
    changedAt: clock(now),
    eventEpoch: news.epoch,
    eventSeq: news.seq,
    report: spoken?.sha256 ?? null
  })

  const follow = (host: HostId, news: ReadonlyArray<OpNews>, { packed, plain, signature }: Letter) =>
    Effect.gen(function*() {
      const spoken = signature === null ? undefined : { sha256: yield* crypto.sha256(plain), packed, signature }
      const now = yield* Clock.currentTimeMillis
      const changed = new Map<string, OpRow>()
      for (const one of news) {
        const held = changed.get(one.op)
        const known = held === undefined ? yield* rowOf(host, one.op) : Option.some(held)
        if (Option.isNone(known) || isNews(known.value, one)) changed.set(one.op, told(host, one, known, now, spoken))
      }
      if (changed.size > 0) yield* store(host, Array.from(changed.values()), now, spoken)
    })

  return OpQueue.of({
    submit: (host, submission, by) => turns.alone(host)(submit(host, submission, by)),
    ofHost: (host) =>
      Effect.zipWith(rowsOf(host), Clock.currentTimeMillis, (rows, now) => rows.map((row) => summaryOf(row, now))),
    one: (host, op) =>
      Effect.zipWith(
        rowOf(host, op),
        Clock.currentTimeMillis,
        (found, now) =>
          Option.filterMap(found, (row) =>
            row.payload === null
              ? Option.none()
              : Option.some({ summary: summaryOf(row, now), signed: signedBytes(row) }))
      ),
    list: (state) =>
      Effect.zipWith(
        readText(OpRow, { sql: `${select} ORDER BY submitted_at DESC, op LIMIT 1000`, parameters: [] }),
        Clock.currentTimeMillis,
        (rows, now) =>
          rows.filter((row) => state === undefined || stateOf(row, now) === state).map((row) => summaryOf(row, now))
      ),
    report: (host, op) => opReport({ readText }, host, op),
    exchange: (report, letter, envelope) => {
      const { epoch, id } = report.host
      // A one-off report's events are not stored, and nobody waits for its answer's ops.
      if (report.sequence === null || (report.events.length === 0 && !open.has(id))) return Effect.succeed(envelope)
      return Effect.gen(function*() {
        const news = opNews(report.events, epoch)
        if (news.length > 0) yield* turns.alone(id)(follow(id, news, letter))
        const now = yield* Clock.currentTimeMillis
        const ops = (open.get(id) ?? []).filter((row) => isHandedOut(row, now)).map(signedBytes)
        return ops.length === 0 ? envelope : { ...envelope, ops: fitting(ops) }
      })
    }
  })
})

export const layer: Layer.Layer<OpQueue, StoreError, Database | Crypto> = Layer.effect(OpQueue, make).pipe(
  Layer.ensureRequirementsType<Database | Crypto>()
)
