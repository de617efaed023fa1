import type { Envelope, SignedBytes } from "@felhom/domain/Envelope"
import type { HostReport } from "@felhom/domain/HostReport"
import { HubConflict, HubNotFound } from "@felhom/domain/HubRefusal"
import { opLimits } from "@felhom/domain/OpsApi"
import { Crypto } from "@felhom/domain/port/Crypto"
import { type SignersDetail, type SignersEntry, signersLimits, type SignersSubmission } from "@felhom/domain/SignersApi"
import { decodeSigners, type FleetId } from "@felhom/domain/SignersDocument"
import { EpochMillis } from "@felhom/domain/Time"
import { Clock, Context, Effect, Either, Encoding, Layer, Option } from "effect"
import { Database } from "./Database.ts"
import * as KeyedTurns from "./KeyedTurns.ts"
import { continuing, emptyList, entryOf, HostSignersRow, hostSignersSelect, SignersRow } from "./SignersRow.ts"
import type { StoreError } from "./StoreError.ts"

/**
 * The versions of fleets' signers on their way to the hosts, and which of them each host says that it has. As with ops the bytes
 * are handed on as they came: what is checked is their size and that each says it continues from the one before, since a host
 * refuses the others; whose signatures count the hub can't tell.
 */
export class SignersChain extends Context.Tag("felhom/hub/SignersChain")<SignersChain, {
  /** Takes the next version, or adds signatures to one with the same bytes. `by` is who brought it. */
  readonly submit: (
    submission: SignersSubmission,
    by: string
  ) => Effect.Effect<SignersEntry, HubConflict | StoreError>
  /** Oldest first. */
  readonly list: Effect.Effect<ReadonlyArray<SignersEntry>>
  readonly one: (fleet: FleetId, version: number) => Effect.Effect<Option.Option<SignersDetail>>
  /** Takes the last version back, which no host has. */
  readonly withdraw: (
    fleet: FleetId,
    version: number
  ) => Effect.Effect<SignersEntry, HubConflict | HubNotFound | StoreError>
  /**
   * Takes what a stored report says of the host's signers, and puts the versions that it lacks into the envelope. Without either
   * it is the envelope as it was.
   */
  readonly exchange: (report: HostReport, envelope: Envelope) => Effect.Effect<Envelope, StoreError>
}>() {}

/** What the versions in one envelope may weigh, in characters, beside its ops: an agent reads answers of 1 MiB. One always goes. */
const envelopeRoom = 200 * 1024

const signedBytes = ({ payload, signatures }: SignersRow): SignedBytes => ({
  payload: Encoding.encodeBase64(payload),
  signatures
})

const weight = ({ payload, signatures }: SignedBytes): number =>
  signatures.reduce((sum, { length }) => sum + length, payload.length)

/** As many as fit from the oldest on: a host takes them one after the other, so none may be left out between. */
const fitting = (versions: ReadonlyArray<SignedBytes>): ReadonlyArray<SignedBytes> => {
  let room = envelopeRoom
  const end = versions.findIndex((version) => (room -= weight(version)) < 0)
  return end === -1 ? versions : versions.slice(0, Math.max(1, end))
}

const same = (a: HostSignersRow, b: HostSignersRow): boolean =>
  a.fleet === b.fleet && a.version === b.version && a.allowed === b.allowed && a.revoked === b.revoked

/** What a report says of its host's signers; undefined when its agent can't follow a fleet, or can't say. */
const heldBy = ({ host, trust }: HostReport): HostSignersRow | undefined =>
  trust === undefined || trust === null || trust.fleet === undefined ? undefined : {
    host: host.id,
    fleet: trust.fleet?.fleet ?? null,
    version: trust.fleet?.version ?? 0,
    allowed: trust.signers,
    revoked: trust.fleet?.revoked ?? emptyList
  }

const select =
  `SELECT fleet, version, sha256, from_allowed AS fromAllowed, from_revoked AS fromRevoked, allowed, revoked, payload,
  signatures, needs, submitted_by AS submittedBy, submitted_at AS submittedAt, changed_at AS changedAt
  FROM signers_document ORDER BY submitted_at, fleet, version`

const conflict = (message: string): HubConflict => new HubConflict({ message })

const make = Effect.gen(function*() {
  const { readText, writeTexts } = yield* Database
  const crypto = yield* Crypto
  const turns = yield* KeyedTurns.make
  // Few and small, and every report looks at them.
  const chains = new Map<FleetId, ReadonlyArray<SignersRow>>()
  const hosts = new Map<string, HostSignersRow>()

  const remember = (row: SignersRow) => {
    const others = (chains.get(row.fleet) ?? []).filter(({ version }) => version !== row.version)
    chains.set(row.fleet, [...others, row].toSorted((a, b) => a.version - b.version))
  }
  for (const row of yield* readText(SignersRow, { sql: select, parameters: [] })) remember(row)
  for (const row of yield* readText(HostSignersRow, { sql: hostSignersSelect, parameters: [] })) {
    hosts.set(row.host, row)
  }

  const chainOf = (fleet: FleetId): ReadonlyArray<SignersRow> => chains.get(fleet) ?? []

  const store = (row: SignersRow) =>
    Effect.map(
      writeTexts([{
        sql:
          `INSERT INTO signers_document (fleet, version, sha256, from_allowed, from_revoked, allowed, revoked, payload,
            signatures, needs, submitted_by, submitted_at, changed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
          ON CONFLICT (fleet, version) DO UPDATE SET signatures = excluded.signatures, needs = excluded.needs,
            changed_at = excluded.changed_at`,
        parameters: [
          row.fleet,
          row.version,
          row.sha256,
          row.fromAllowed,
          row.fromRevoked,
          row.allowed,
          row.revoked,
          row.payload,
          JSON.stringify(row.signatures),
          row.needs,
          row.submittedBy,
          row.submittedAt,
          row.changedAt
        ]
      }]),
      () => {
        remember(row)
        return entryOf(row)
      }
    )

  const rowFor = (submission: SignersSubmission, by: string) =>
    Effect.gen(function*() {
      // It was checked where it came in.
      const payload = Either.getOrThrow(Encoding.decodeBase64(submission.payload))
      const { allowedSigners, fleet, from, revoked, version } = Either.getOrThrow(decodeSigners(payload))
      const now = EpochMillis.make(yield* Clock.currentTimeMillis)
      const row: SignersRow = {
        fleet,
        version,
        sha256: yield* crypto.sha256(payload),
        fromAllowed: from.allowedSigners,
        fromRevoked: from.revoked,
        allowed: yield* crypto.sha256(allowedSigners),
        revoked: yield* crypto.sha256(revoked),
        payload,
        signatures: Array.from(new Set(submission.signatures)),
        needs: submission.needs,
        submittedBy: by,
        submittedAt: now,
        changedAt: now
      }
      return row
    })

  /** Why this can't be the next version of its fleet; undefined when it can. */
  const objection = (row: SignersRow): string | undefined => {
    const { fleet, fromAllowed, fromRevoked, version } = row
    const chain = chainOf(fleet)
    const last = chain.at(-1)
    if (last === undefined) {
      return chains.size >= signersLimits.fleets
        ? `this hub keeps the signers of ${chains.size} fleets already, and this is another one, ${fleet}`
        : undefined
    }
    if (version < last.version) {
      return `fleet ${fleet} is at version ${last.version}, and this is version ${version}: make the next one from the last`
    }
    if (chain.length >= signersLimits.versions) return `this hub keeps ${chain.length} versions of a fleet at most`
    // Where root edited a host's own list, the chain goes on from that one (protocol 5).
    const isHeld = Array.from(hosts.values()).some(({ allowed, revoked }) =>
      allowed === fromAllowed && revoked === fromRevoked
    )
    return isHeld || continuing([{ ...row, needs: 0 }], last).length === 1
      ? undefined
      : `version ${version} continues neither from version ${last.version}, the last that this hub has, nor from lists that any ` +
        "host has: felhom signers push brings what is missing between"
  }

  const joined = (known: SignersRow, given: SignersRow): Either.Either<SignersRow, HubConflict> => {
    if (known.sha256 !== given.sha256) {
      return Either.left(conflict(
        `version ${known.version} of fleet ${known.fleet} is here with other bytes (${known.sha256}, brought by ` +
          `${known.submittedBy}): two people made it, or somebody wants to mislead; felhom signers log`
      ))
    }
    const signatures = Array.from(new Set([...known.signatures, ...given.signatures]))
    if (signatures.length > opLimits.signatures) {
      return Either.left(
        conflict(`it would have ${signatures.length} signatures, and ${opLimits.signatures} are possible`)
      )
    }
    return Either.right({
      ...known,
      signatures,
      // A second submission may ask for more of them, never for fewer.
      needs: Math.max(known.needs, given.needs),
      changedAt: signatures.length > known.signatures.length ? given.changedAt : known.changedAt
    })
  }

  const submit = (submission: SignersSubmission, by: string) =>
    Effect.gen(function*() {
      const given = yield* rowFor(submission, by)
      const known = chainOf(given.fleet).find(({ version }) => version === given.version)
      if (known !== undefined) return yield* store(yield* joined(known, given))
      const why = objection(given)
      return why === undefined ? yield* store(given) : yield* conflict(why)
    })

  const withdraw = (fleet: FleetId, version: number) =>
    Effect.gen(function*() {
      const row = chainOf(fleet).find((one) => one.version === version)
      if (row === undefined) {
        return yield* new HubNotFound({ message: `this hub has no version ${version} of fleet ${fleet}'s signers` })
      }
      const last = chainOf(fleet).at(-1)
      if (last !== row) {
        return yield* conflict(`version ${last?.version} continues from it: only the last can be taken back`)
      }
      const holders = Array.from(hosts.values()).filter((host) => host.fleet === fleet && host.version >= version)
      if (holders.length > 0) {
        return yield* conflict(
          `${holders.length} hosts say that they took it, and a host never goes back: make the next version instead`
        )
      }
      yield* writeTexts([{
        sql: "DELETE FROM signers_document WHERE fleet = ? AND version = ?",
        parameters: [fleet, version]
      }])
      const kept = chainOf(fleet).filter((one) => one !== row)
      if (kept.length === 0) chains.delete(fleet)
      else chains.set(fleet, kept)
      return entryOf(row)
    })

  const heard = (held: HostSignersRow) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      Effect.map(
        writeTexts([{
          sql: `INSERT INTO host_signers (host_id, fleet, version, allowed, revoked, at) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (host_id) DO UPDATE SET fleet = excluded.fleet, version = excluded.version,
              allowed = excluded.allowed, revoked = excluded.revoked, at = excluded.at`,
          parameters: [held.host, held.fleet, held.version, held.allowed, held.revoked, now]
        }]),
        () => {
          hosts.set(held.host, held)
        }
      ))

  const missing = (held: HostSignersRow): ReadonlyArray<SignersRow> =>
    held.fleet === null
      // Whichever of them it is that the host's list was the beginning of.
      ? Array.from(chains.values()).flatMap((chain) => continuing(chain, held))
      : continuing(chainOf(held.fleet), held)

  return SignersChain.of({
    submit: (submission, by) => turns.alone("chains")(submit(submission, by)),
    list: Effect.sync(() => Array.from(chains.values()).flatMap((chain) => chain.map(entryOf))),
    one: (fleet, version) =>
      Effect.sync(() =>
        Option.map(
          Option.fromNullable(chainOf(fleet).find((row) => row.version === version)),
          (row) => ({ entry: entryOf(row), signed: signedBytes(row) })
        )
      ),
    withdraw: (fleet, version) => turns.alone("chains")(withdraw(fleet, version)),
    exchange: (report, envelope) => {
      const held = report.sequence === null ? undefined : heldBy(report)
      if (held === undefined) return Effect.succeed(envelope)
      const versions = chains.size === 0 ? [] : fitting(missing(held).map(signedBytes))
      const answer = versions.length === 0 ? envelope : { ...envelope, signers: versions }
      const known = hosts.get(held.host)
      return known !== undefined && same(known, held) ? Effect.succeed(answer) : Effect.as(heard(held), answer)
    }
  })
})

export const layer: Layer.Layer<SignersChain, StoreError, Database | Crypto> = Layer.effect(SignersChain, make).pipe(
  Layer.ensureRequirementsType<Database | Crypto>()
)
