import type { SignedBytes } from "@felhom/domain/Envelope"
import type { HostId } from "@felhom/domain/HostId"
import {
  hostCode,
  type HostPublicKey,
  hostPublicKey,
  hostPublicKeyBytes,
  reportNamespace
} from "@felhom/domain/HostKey"
import { HostReport, type Inventory } from "@felhom/domain/HostReport"
import type { HostDetail, SignedReports } from "@felhom/domain/HubApi"
import { humanDuration } from "@felhom/domain/HumanText"
import { Crypto } from "@felhom/domain/port/Crypto"
import type { Ed25519 } from "@felhom/domain/port/Ed25519"
import { decodeCanonicalBase64, readArmor, readBlob, SshsigError, verifySshsig } from "@felhom/domain/Sshsig"
import { Clock, Effect, Either, Option, Schema } from "effect"
import { KnownHosts, type LastSeen } from "./KnownHosts.ts"
import { OperatorError } from "./OperatorError.ts"

/** Whose word it is that is about to be shown. */
export type Trust =
  | { readonly state: "signed"; readonly code: string }
  | { readonly state: "unknown-key"; readonly code: string }
  | { readonly state: "unsigned" }

/** What a host said last, if its key is known here, its signature holds and nothing newer was seen; else why not. Remembers nothing. */
export const glimpsed = (
  host: HostId,
  signed: Option.Option<SignedReports>
): Effect.Effect<HostReport, string, KnownHosts | Crypto | Ed25519> =>
  Effect.gen(function*() {
    const hosts = yield* KnownHosts
    const key = hosts.find(host)
    if (Option.isNone(key)) return yield* Effect.fail("its key is not known here (felhom trust HOST)")
    if (Option.isNone(signed)) return yield* Effect.fail("the hub has no signed report of it to show")
    const { digest, report } = yield* Effect.mapError(
      verified(signed.value.report, key.value),
      ({ message }) => message
    )
    if (report.host.id !== host) {
      return yield* Effect.fail(`the hub serves a report of host ${report.host.id} as this one's`)
    }
    const last = hosts.lastSeen(host)
    const stale = Option.isSome(last) ? staleness(report, digest, last.value) : undefined
    return stale === undefined ? report : yield* Effect.fail(stale)
  })

/** A host's detail, and whose word it is: the host's own when its key is known here, else the hub's. */
export interface TrustedDetail {
  readonly detail: HostDetail
  readonly trust: Trust
}

const ReportJson = Schema.parseJson(HostReport)

/** Who signed, without a word on whether that is anybody we know. */
export const signerOf = ({ signatures: [signature] }: SignedBytes): Either.Either<HostPublicKey, SshsigError> =>
  signature === undefined
    ? Either.left(new SshsigError({ reason: "blob", detail: "there is none" }))
    : Either.map(Either.flatMap(readArmor(signature), readBlob), ({ publicKey }) => hostPublicKey(publicKey))

/** The report in these bytes, once the key's signature over them held, and the SHA-256 of the bytes. */
export const verified = ({ payload, signatures: [signature] }: SignedBytes, key: HostPublicKey) =>
  Effect.gen(function*() {
    if (signature === undefined) return yield* new SshsigError({ reason: "blob", detail: "there is none" })
    const message = yield* Either.mapLeft(
      decodeCanonicalBase64(payload),
      (detail) => new SshsigError({ reason: "blob", detail: `the report: ${detail}` })
    )
    const blob = yield* readArmor(signature)
    yield* verifySshsig({ blob, namespace: reportNamespace, message, expected: hostPublicKeyBytes(key) })
    const crypto = yield* Crypto
    const report = yield* Effect.mapError(
      Schema.decode(ReportJson)(new TextDecoder().decode(message)),
      () =>
        new SshsigError({
          reason: "blob",
          detail: "it holds, but what was signed is no report that this version reads"
        })
    )
    return { report, digest: yield* crypto.sha256(message) }
  })

const name = ({ summary: { host } }: HostDetail): string => `${host.node} (${host.id})`

const distrust = (detail: HostDetail, why: string): OperatorError =>
  new OperatorError({
    reason: "distrust",
    detail: `host ${
      name(detail)
    }: ${why}. Nothing of it is shown as current; ask who runs the hub, or look at the host itself`
  })

/** Why this report can't be the newest that the host made, in the eyes of somebody who saw an earlier one. */
const staleness = (report: HostReport, digest: string, last: LastSeen): string | undefined => {
  const { epoch } = report.host
  const age = humanDuration(Math.abs(last.takenAt - report.takenAt))
  if (last.formerEpochs.includes(epoch)) return "the hub serves a report of an earlier incarnation of the host"
  if (epoch !== last.epoch || report.sequence === null || last.sequence === null) {
    return report.takenAt < last.takenAt
      ? `the hub serves a report that is ${age} older than one seen before`
      : undefined
  }
  if (report.sequence < last.sequence) {
    return `the hub serves report ${report.sequence}, and report ${last.sequence} was seen before: it serves old ` +
      "reports, or was restored from a backup, or the host's disk was set back"
  }
  return report.sequence === last.sequence && digest !== last.digest
    ? `the host signed two different reports with the number ${report.sequence}: do two machines use one identity?`
    : undefined
}

const remembered = (report: HostReport, digest: LastSeen["digest"], last: Option.Option<LastSeen>): LastSeen => {
  const { epoch } = report.host
  const former = Option.match(last, {
    onNone: () => [],
    onSome: (seen) => (seen.epoch === epoch ? seen.formerEpochs : [...seen.formerEpochs, seen.epoch])
  })
  // A one-off report carries no number; the last one that was seen still counts.
  const sequence = report.sequence ??
    Option.getOrNull(
      Option.flatMapNullable(Option.filter(last, (seen) => seen.epoch === epoch), (seen) => seen.sequence)
    )
  return { epoch, sequence, takenAt: report.takenAt, digest, formerEpochs: former }
}

/** The inventory in the host's own words: from this report, or from the signed one that this report's hash names. */
const inventoryOf = (detail: HostDetail, signed: SignedReports, report: HostReport, key: HostPublicKey) =>
  Effect.gen(function*() {
    if (report.inventory !== null || signed.inventory === null) return report.inventory
    const carrier = yield* Effect.mapError(
      verified(signed.inventory, key),
      (error) => distrust(detail, `the report with its inventory: ${error.message}`)
    )
    const ofThisHost = carrier.report.host.id === report.host.id
    return ofThisHost && carrier.report.inventoryHash === report.inventoryHash ? carrier.report.inventory : null
  })

const fromReport = (detail: HostDetail, report: HostReport, inventory: Inventory | null): HostDetail => ({
  summary: { ...detail.summary, host: report.host, sequence: report.sequence, takenAt: report.takenAt },
  inventory,
  samples: report.samples,
  sections: report.sections
})

/** What a host said last, in its own words: its signature held, and nothing newer was seen before. */
export interface Witnessed {
  readonly report: HostReport
  /** The one that the report's hash names; null when the hub has none that the host signed. */
  readonly inventory: Inventory | null
  /** The short code of the key that signed. */
  readonly code: string
}

const known = (detail: HostDetail, signed: Option.Option<SignedReports>, key: HostPublicKey) =>
  Effect.gen(function*() {
    const hosts = yield* KnownHosts
    const { id } = detail.summary.host
    if (Option.isNone(signed)) {
      return yield* distrust(detail, "its key is known here, and the hub has no signed report of it to show")
    }
    const { digest, report } = yield* Effect.mapError(
      verified(signed.value.report, key),
      (error) => distrust(detail, `its key is known here, and its last report is not what it signed: ${error.message}`)
    )
    if (report.host.id !== id) {
      return yield* distrust(detail, `the hub serves a report of host ${report.host.id} as this one's`)
    }
    const last = hosts.lastSeen(id)
    const stale = Option.isSome(last) ? staleness(report, digest, last.value) : undefined
    if (stale !== undefined) {
      return yield* distrust(detail, stale)
    }
    const inventory = yield* inventoryOf(detail, signed.value, report, key)
    yield* hosts.remember(id, remembered(report, digest, last))
    const witnessed: Witnessed = { report, inventory, code: yield* hostCode(key) }
    return witnessed
  })

const knownDetail = (detail: HostDetail, signed: Option.Option<SignedReports>, key: HostPublicKey) =>
  Effect.map(known(detail, signed, key), ({ code, inventory, report }): TrustedDetail => ({
    detail: fromReport(detail, report, inventory),
    trust: { state: "signed", code }
  }))

/**
 * What a host itself said, for whoever is about to sign something on the strength of it: a host whose key is not known here is
 * refused, whatever the hub says of it.
 */
export const witnessed = (
  detail: HostDetail,
  signed: Option.Option<SignedReports>
): Effect.Effect<Witnessed, OperatorError, KnownHosts | Crypto | Ed25519> =>
  Effect.flatMap(KnownHosts, (hosts) =>
    Option.match(hosts.find(detail.summary.host.id), {
      onNone: () =>
        Effect.fail(
          new OperatorError({
            reason: "distrust",
            detail:
              `host ${name(detail)}: its key is not known here, so nobody can say whether the host said what the hub ` +
              "shows. Compare its code on its own console (felhom-agent key), then: felhom trust HOST"
          })
        ),
      onSome: (key) => known(detail, signed, key)
    }))

const stranger = (detail: HostDetail, signed: Option.Option<SignedReports>) =>
  Effect.gen(function*() {
    const report = Option.map(signed, ({ report }) => report)
    const unsigned: TrustedDetail = { detail, trust: { state: "unsigned" } }
    if (Option.isNone(report) || report.value.signatures.length === 0) return unsigned
    const key = yield* Effect.tap(signerOf(report.value), (key) => verified(report.value, key)).pipe(
      Effect.mapError((error) => distrust(detail, error.message))
    )
    const shown: TrustedDetail = { detail, trust: { state: "unknown-key", code: yield* hostCode(key) } }
    return shown
  })

/**
 * What may be shown of a host. With its key known here everything comes out of the bytes that the host signed, and a report
 * that is unsigned, changed or older than one seen before is refused (protocol 1). Without, it is the hub's word, and says so.
 */
export const trusted = (
  detail: HostDetail,
  signed: Option.Option<SignedReports>
): Effect.Effect<TrustedDetail, OperatorError, KnownHosts | Crypto | Ed25519> =>
  Effect.flatMap(KnownHosts, (hosts) =>
    Option.match(hosts.find(detail.summary.host.id), {
      onNone: () => stranger(detail, signed),
      onSome: (key) => knownDetail(detail, signed, key)
    }))

/** One line for a person, on whose word follows. */
export const trustSentence = (detail: HostDetail, trust: Trust): Effect.Effect<string> =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    switch (trust.state) {
      case "signed":
        return `signed by the host ${
          humanDuration(now - detail.summary.takenAt)
        } ago, by its own clock; key ${trust.code}`
      case "unknown-key":
        return `NOT VERIFIED: signed by a key that is not known here (${trust.code}). Compare that code with the host's own ` +
          "(felhom-agent key), then: felhom trust HOST, or as an admin felhom accept HOST"
      case "unsigned":
        return "NOT VERIFIED: the host did not sign this; it is the hub's word alone"
    }
  })
