import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "@effect/platform"
import { Either, Encoding, Schema } from "effect"
import { OperatorAuthorization } from "./HubPrincipal.ts"
import { HubConflict, HubForbidden, HubNotFound, HubUnavailable } from "./HubRefusal.ts"
import { BoundedBytes, opLimits, SignatureTexts } from "./OpsApi.ts"
import { Sha256Hex } from "./Sha256.ts"
import { decodeSigners, FleetId, longestSigners, SignersBefore } from "./SignersDocument.ts"
import { EpochMillis } from "./Time.ts"

/** How much a hub keeps: fleets, and versions of each. */
export const signersLimits = { fleets: 8, versions: 1_000 } as const

const DocumentText = BoundedBytes("document", longestSigners).pipe(
  Schema.filter((text) =>
    Either.match(Encoding.decodeBase64(text), {
      onLeft: ({ message }) => message,
      onRight: (bytes) =>
        Either.match(decodeSigners(bytes), { onLeft: ({ message }) => message, onRight: () => undefined })
    })
  )
)

const Needs = Schema.Int.pipe(Schema.between(1, opLimits.signatures))

/** A version of a fleet's signers, as it was signed. Whose signatures these are, and whether they count, a hub can't say. */
export const SignersSubmission = Schema.Struct({
  payload: DocumentText,
  signatures: SignatureTexts,
  /** So many signatures must be here before hosts are given it: a host refuses one that has too few. */
  needs: Schema.optionalWith(Needs, { default: () => 1 })
})
export type SignersSubmission = typeof SignersSubmission.Type

/** A version of a fleet's signers at the hub, by what it says of itself. */
export const SignersEntry = Schema.Struct({
  fleet: FleetId,
  version: Schema.Int,
  /** Of the document's exact bytes. */
  sha256: Sha256Hex,
  /** The lists that it replaces, and its own. */
  from: SignersBefore,
  lists: SignersBefore,
  /** `collecting`: the hub waits for more signatures before it hands it out. */
  state: Schema.Literal("collecting", "served"),
  signatures: Schema.Int,
  needs: Schema.Int,
  submittedBy: Schema.String,
  /** By the hub's clock, like the next. */
  submittedAt: EpochMillis,
  changedAt: EpochMillis
})
export type SignersEntry = typeof SignersEntry.Type

/** The same with the signed bytes. */
export const SignersDetail = Schema.Struct({
  entry: SignersEntry,
  signed: Schema.Struct({ payload: Schema.String, signatures: Schema.Array(Schema.String) })
})
export type SignersDetail = typeof SignersDetail.Type

const versionPath = Schema.Struct({
  fleet: FleetId,
  version: Schema.NumberFromString.pipe(Schema.int(), Schema.positive())
})

/** The chain of a fleet's signers on its way to the hosts. */
export const SignersGroup = HttpApiGroup.make("signers")
  .add(
    HttpApiEndpoint.post("submit", "/signers")
      .setPayload(SignersSubmission)
      .addSuccess(SignersEntry)
      .addError(HubForbidden)
      .addError(HubConflict)
      .addError(HubUnavailable)
      .annotate(
        OpenApi.Summary,
        "Bring the next version of a fleet's signers, or signatures for one that is here: same bytes, same version (operator)"
      )
  )
  .add(
    HttpApiEndpoint.get("list", "/signers")
      .addSuccess(Schema.Array(SignersEntry))
      .addError(HubUnavailable)
      .annotate(OpenApi.Summary, "All versions of all fleets' signers, oldest first, without their bytes")
  )
  .add(
    HttpApiEndpoint.get("one", "/signers/:fleet/:version")
      .setPath(versionPath)
      .addSuccess(SignersDetail)
      .addError(HubNotFound)
      .addError(HubUnavailable)
      .annotate(
        OpenApi.Summary,
        "One version with the bytes that were signed, for whoever verifies it or is to sign it, too"
      )
  )
  .add(
    HttpApiEndpoint.del("withdraw", "/signers/:fleet/:version")
      .setPath(versionPath)
      .addSuccess(SignersEntry)
      .addError(HubForbidden)
      .addError(HubConflict)
      .addError(HubNotFound)
      .addError(HubUnavailable)
      .annotate(
        OpenApi.Summary,
        "Take the last version of a fleet's signers back, as long as no host has said that it took it (admin)"
      )
  )
  .middleware(OperatorAuthorization)
