import type { HeldSigners } from "@felhom/authz/AcceptedSigners"
import type { AllowedSigners } from "@felhom/authz/AllowedSigners"
import { nothingRevoked } from "@felhom/authz/RevocationList"
import { verifySignature } from "@felhom/authz/VerifySignature"
import { usualDemands } from "@felhom/authz/VerifySignature"
import { displayText } from "@felhom/domain/DisplayText"
import { opLimits } from "@felhom/domain/OpsApi"
import { type SignersDocument, signersNamespace } from "@felhom/domain/SignersDocument"
import { EpochMillis } from "@felhom/domain/Time"
import { Clock, Effect, Either, Encoding, Option } from "effect"
import { quoted, row } from "./DisplayLines.ts"
import { HubSigners, type SignedList } from "./HubSigners.ts"
import { KnownSigners } from "./KnownSigners.ts"
import { meant } from "./OpApproval.ts"
import { OperatorError } from "./OperatorError.ts"
import { writeOpFile } from "./OpFile.ts"
import { print } from "./Root.ts"
import { followed, heldIn, judged, type Trail } from "./SignersTrail.ts"
import { changeWords, usableNow } from "./SignersWords.ts"
import { sign, signingKey } from "./SshKeygen.ts"
import { type Cell, toned } from "./Table.ts"

/** How a list is confirmed, signed and sent. */
export interface ListOptions {
  readonly key: Option.Option<string>
  readonly yesIMean: Option.Option<string>
  readonly out: Option.Option<string>
  /** How many signatures the hub waits for; what the lists and the threshold ask for without it. */
  readonly needs: Option.Option<number>
}

/** A version that is to be signed, with who signed it already. */
export interface MadeList {
  readonly bytes: Uint8Array
  readonly signatures: ReadonlyArray<string>
}

const usage = (detail: string): OperatorError => new OperatorError({ reason: "usage", detail })

/** It leaves the list as it is and revokes more: one signature is enough for that (protocol 5). */
export const isRevocation = ({ reading }: Trail, next: HeldSigners): boolean => {
  const before = Option.match(reading.held, { onNone: () => new Set<string>(), onSome: ({ revoked }) => revoked.keys })
  const { keys } = next.revoked
  return next.lists.allowedSigners === reading.sha256 && keys.size > before.size &&
    [...before].every((key) => keys.has(key))
}

/** Why this does not continue from what was verified here; undefined when it does. */
const objection = (trail: Trail, { fleet, from, version }: SignersDocument): string | undefined => {
  if (fleet !== trail.known.fleet) return `it is for the fleet ${fleet}, and not for ${trail.known.fleet}`
  if (version <= trail.version) return `it is version ${version}, and version ${trail.version} was verified here`
  const { allowedSigners, revoked } = trail.reading.lists
  return from.allowedSigners === allowedSigners && from.revoked === revoked
    ? undefined
    : `it does not continue from version ${trail.version}, the last that was verified here`
}

const sentence = (trail: Trail, { document }: HeldSigners, revocation: boolean): Cell => {
  const fleet = `fleet ${document.fleet}`
  if (revocation) {
    return toned(
      "bad",
      `REVOKE KEYS of the signers of ${fleet}, as version ${document.version}. A key that was revoked ` +
        "comes back only with a list that as many sign as for a new one."
    )
  }
  return toned(
    "bad",
    trail.version === 0
      ? `BEGIN THE SIGNERS of ${fleet} with version ${document.version}, for all hosts whose list is the one that it begins with.`
      : `REPLACE THE SIGNERS of ${fleet}: version ${document.version} in the place of version ${trail.version}, on every host.`
  )
}

const people = (count: number): string => (count === 1 ? "1 signer" : `${count} signers`)

const displayed = (trail: Trail, next: HeldSigners, revocation: boolean) =>
  Effect.zipWith(changeWords(trail.reading, next), usableNow(next), (words, left): ReadonlyArray<Cell> => {
    const { threshold } = trail.known
    const tooFew = revocation && left.ops.size < threshold
    return [
      sentence(trail, next, revocation),
      ...words,
      ...(tooFew
        ? [
          toned(
            "bad",
            row(
              "TOO FEW",
              `${
                people(left.ops.size)
              } can sign ops then. What takes ${threshold} can't be signed until root adds somebody on each host`
            )
          )
        ]
        : []),
      row(
        "takes",
        revocation
          ? "one signer of the present list"
          : `${people(threshold)} of the list before, and ${
            people(threshold)
          } of the new one (one who is on both counts for both)`
      ),
      row("reason", quoted(next.document.reason)),
      row("document", next.sha256)
    ]
  })

/** Of a list that nobody could replace every host says no: told before anybody signs it. */
const bearable = ({ known: { threshold } }: Trail, next: HeldSigners, revocation: boolean) =>
  Effect.gen(function*() {
    const usable = yield* usableNow(next)
    if (revocation) {
      return usable.lists.size > 0 ? undefined : yield* usage(
        "nothing was signed: that would revoke the last signer who can sign a list, and no host would take it. Let a new " +
          "signer in first: felhom signers new"
      )
    }
    for (
      const [what, { size }] of [["ops (op.v1@felhom.eu)", usable.ops], [
        "lists (signers.v1@felhom.eu)",
        usable.lists
      ]] as const
    ) {
      if (size < threshold) {
        return yield* usage(
          `nothing was signed: ${
            people(size)
          } of the new list could sign ${what}, and ${threshold} have to; no host would take ` +
            "it. Each line needs one plain name, and namespaces=\"op.v1@felhom.eu,signers.v1@felhom.eu\" or none"
        )
      }
    }
  })

/** Whose signature it is by these lists; none when it does not count there. */
const countsOn = (signers: AllowedSigners, message: Uint8Array, signature: string) =>
  Effect.flatMap(Clock.currentTimeMillis, (now) =>
    verifySignature(signature, {
      message,
      namespace: signersNamespace,
      at: EpochMillis.make(now),
      signers,
      revoked: nothingRevoked,
      demands: usualDemands
    }).pipe(Effect.option, Effect.map(Option.isSome)))

/** How many signatures suffice, if as many as can be are of people who are on both lists. */
const enough = ({ known: { threshold }, reading }: Trail, next: HeldSigners) =>
  Effect.gen(function*() {
    const before = yield* usableNow(reading)
    const after = yield* usableNow(next)
    const both = [...before.lists].filter((name) => after.lists.has(name)).length
    return Math.min(opLimits.signatures, 2 * threshold - Math.min(both, threshold))
  })

/** Brings a version to the hub, or writes it to a file. */
export const deliveredList = (
  trail: Trail,
  signed: SignedList,
  { needs, out }: { readonly needs: number; readonly out: Option.Option<string> }
) =>
  Effect.gen(function*() {
    if (Option.isSome(out)) {
      yield* writeOpFile(out.value, { payload: signed.payload, signatures: [...signed.signatures] })
      return yield* print([
        `wrote ${out.value}; the next signs it with felhom sign ${out.value}, or felhom submit ${out.value}`
      ])
    }
    const hub = yield* HubSigners
    const entry = yield* hub.submit(signed, needs)
    yield* print([
      entry.state === "collecting"
        ? `version ${entry.version} has ${entry.signatures} of ${entry.needs} signatures; the next signs with: felhom sign ${
          entry.sha256.slice(0, 12)
        }`
        : `version ${entry.version} goes to the hosts with their next reports; felhom signers log shows who has it`
    ])
    // What is complete by the rules of a host is where this machine goes on from.
    const { notes } = yield* followed(trail.known)
    if (notes.length > 0) yield* print(notes.map(displayText))
  })

/** Shows what a version changes, has it confirmed, signs exactly these bytes, checks the result, and brings it on its way. */
export const approvedList = (trail: Trail, { bytes, signatures }: MadeList, options: ListOptions) =>
  Effect.gen(function*() {
    const given = Option.getOrElse(options.needs, () => 1)
    if (given < 1 || given > opLimits.signatures) return yield* usage(`--needs is 1 to ${opLimits.signatures}`)
    const payload = Encoding.encodeBase64(bytes)
    const next = yield* Effect.mapError(
      heldIn({ payload, signatures }),
      (why) => usage(`it is no list of signers that a host would take: ${why}`)
    )
    const why = objection(trail, next.document)
    if (why !== undefined) {
      return yield* new OperatorError({ reason: "distrust", detail: `nothing was signed: ${why}` })
    }
    const revocation = isRevocation(trail, next)
    yield* bearable(trail, next, revocation)
    const key = yield* signingKey(options.key)
    yield* meant(yield* displayed(trail, next, revocation), [`version ${next.document.version}`], options.yesIMean)
    const { fingerprint, signature } = yield* sign(key, bytes, signersNamespace)
    const onBefore = yield* countsOn(trail.reading.signers, bytes, signature)
    const onAfter = !revocation && (yield* countsOn(next.signers, bytes, signature))
    if (!onBefore && !onAfter) {
      return yield* usage(
        `nothing was sent: ${fingerprint} may sign lists neither by the present list nor by the new one ` +
          "(its line needs namespaces=\"…,signers.v1@felhom.eu\", or none)"
      )
    }
    const signed = { payload, signatures: Array.from(new Set([...signatures, signature])) }
    const counts = onBefore && onAfter ? "for both lists" : onBefore ? "for the present list" : "for the new list"
    yield* print([`signed ${next.sha256} with ${fingerprint}, which counts ${counts}`])
    const complete = yield* Effect.either(judged(trail, signed))
    if (Either.isLeft(complete)) yield* print([`a host would not take it yet: ${displayText(complete.left.message)}`])
    // A fleet that begins here is known from now on, also where the list goes as a file.
    yield* Effect.flatMap(KnownSigners, (kept) => kept.keep(trail.known))
    const needs = Math.max(given, revocation ? 1 : yield* enough(trail, next))
    yield* deliveredList(trail, signed, { needs, out: options.out })
  })
