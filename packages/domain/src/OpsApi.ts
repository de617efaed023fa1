import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { longestDocument, SignedBytes } from "./Envelope.ts"
import { HostId } from "./HostId.ts"
import { OperatorAuthorization } from "./HubPrincipal.ts"
import { HubConflict, HubForbidden, HubNotFound, HubUnavailable } from "./HubRefusal.ts"
import { Sha256Hex } from "./Sha256.ts"
import { longestOp } from "./SignedOp.ts"
import { decodeCanonicalBase64 } from "./Sshsig.ts"
import { EpochMillis } from "./Time.ts"

/** How much a hub takes for one op. More signatures than these no threshold asks for. */
export const opLimits = { signatures: 8, signatureCharacters: 8 * 1024, openPerHost: 100 } as const

/**
 * How far an op has come. `collecting`: the hub waits for more signatures before it hands the op out; `awaiting`: it goes to the
 * host with every envelope; the others are the host's own words, but for `expired`: the host said nothing of it in time. `waiting`:
 * somebody else works on its target, and the host has spent nothing yet; or it is over, and its end waits for the host's disk.
 */
export const OpState = Schema.Literal(
  "collecting",
  "awaiting",
  "accepted",
  "waiting",
  "started",
  "finished",
  "failed",
  "unknown",
  "refused",
  "expired"
)
export type OpState = typeof OpState.Type

const eventStates: { readonly [kind: string]: OpState } = {
  "op.accepted": "accepted",
  "op.waiting": "waiting",
  "op.started": "started",
  "op.finished": "finished",
  "op.failed": "failed",
  "op.unknown": "unknown",
  "op.refused": "refused"
}

/** How far an op has come by an event of its host, which has the op's hash as its subject; undefined for one that is about no op. */
export const opStateOfEvent = (kind: string): OpState | undefined => eventStates[kind]

/** Whether it is the host that says so; of the others only the hub can speak. */
export const isHostsWord = (state: OpState): boolean => !["collecting", "awaiting", "expired"].includes(state)

/** States in which nothing more is expected of an op. */
export const isOver = (state: OpState): boolean =>
  !["collecting", "awaiting", "accepted", "waiting", "started"].includes(state)

/** Bytes in canonical base64, 1 to `longest` of them. */
export const BoundedBytes = (what: string, longest: number) =>
  Schema.String.pipe(
    Schema.maxLength(Math.ceil(longest / 3) * 4, {
      message: () => `the ${what} is longer than ${longest} bytes`
    }),
    Schema.filter((text) => {
      const read = decodeCanonicalBase64(text)
      if (read._tag === "Left") return `the ${what}: ${read.left}`
      return read.right.length > 0 && read.right.length <= longest
        ? undefined
        : `the ${what} has ${read.right.length} bytes, and 1 to ${longest} are possible`
    })
  )

/** Armored signatures over the same bytes, as many as any threshold asks for. */
export const SignatureTexts = Schema.Array(
  Schema.NonEmptyString.pipe(Schema.maxLength(opLimits.signatureCharacters))
).pipe(Schema.minItems(1), Schema.maxItems(opLimits.signatures))

/** An op for a host, as it was signed. A hub checks sizes only: whose signatures these are, and whether they count, it can't say. */
export const OpSubmission = Schema.Struct({
  payload: BoundedBytes("payload", longestOp),
  signatures: SignatureTexts,
  /** What the payload names by its hash, for the few ops that bring something along. */
  document: Schema.optional(BoundedBytes("document", longestDocument)),
  /** So many signatures must be here before the host is given the op: a host refuses one that has too few. */
  needs: Schema.optionalWith(Schema.Int.pipe(Schema.between(1, opLimits.signatures)), { default: () => 1 })
})
export type OpSubmission = typeof OpSubmission.Type

/** What a payload says of itself, read without any check: for display, never for a decision. Null: it does not say. */
export const OpClaim = Schema.Struct({
  op: Schema.NullOr(Schema.String),
  target: Schema.NullOr(Schema.String),
  reason: Schema.NullOr(Schema.String)
})
export type OpClaim = typeof OpClaim.Type

/** One line of `felhom ops`. */
export const OpSummary = Schema.Struct({
  host: HostId,
  /** The host's node name, or null when it never reported. */
  node: Schema.NullOr(Schema.String),
  /** What the op is called everywhere: the SHA-256 of its payload. */
  op: Sha256Hex,
  state: OpState,
  /** What the host said last of it; null while it said nothing. */
  message: Schema.NullOr(Schema.String),
  claim: OpClaim,
  signatures: Schema.Int,
  needs: Schema.Int,
  /** Null: it came to the host without this hub. */
  submittedBy: Schema.NullOr(Schema.String),
  /** By the hub's clock, like the next two. */
  submittedAt: EpochMillis,
  changedAt: EpochMillis,
  expiresAt: EpochMillis,
  /** The report in which the host said so itself, by the SHA-256 of its bytes; null when the hub has none to show. */
  report: Schema.optionalWith(Schema.NullOr(Sha256Hex), { default: () => null })
})
export type OpSummary = typeof OpSummary.Type

/** The same with the signed bytes: what a second operator signs. */
export const OpDetail = Schema.Struct({ summary: OpSummary, signed: SignedBytes })
export type OpDetail = typeof OpDetail.Type

const hostPath = Schema.Struct({ hostId: HostId })

/** Signed operations on their way to hosts, and what became of them. */
export const OpsGroup = HttpApiGroup.make("ops")
  .add(
    HttpApiEndpoint.post("submit", "/hosts/:hostId/ops")
      .setPath(hostPath)
      .setPayload(OpSubmission)
      .addSuccess(OpSummary)
      .addError(HubForbidden)
      .addError(HubNotFound)
      .addError(HubConflict)
      .addError(HubUnavailable)
      .annotate(
        OpenApi.Summary,
        "Queue a signed op for a host, or add signatures to one that is queued: same bytes, same op (operator)"
      )
  )
  .add(
    HttpApiEndpoint.get("ofHost", "/hosts/:hostId/ops")
      .setPath(hostPath)
      .addSuccess(Schema.Array(OpSummary))
      .addError(HubUnavailable)
      .annotate(OpenApi.Summary, "A host's signed ops, newest first")
  )
  .add(
    HttpApiEndpoint.get("one", "/hosts/:hostId/ops/:op")
      .setPath(Schema.Struct({ hostId: HostId, op: Sha256Hex }))
      .addSuccess(OpDetail)
      .addError(HubNotFound)
      .addError(HubUnavailable)
      .annotate(OpenApi.Summary, "One op with the bytes that were signed, for whoever is to sign them, too")
  )
  .add(
    HttpApiEndpoint.get("report", "/hosts/:hostId/ops/:op/report")
      .setPath(Schema.Struct({ hostId: HostId, op: Sha256Hex }))
      .addSuccess(SignedBytes)
      .addError(HubNotFound)
      .addError(HubUnavailable)
      .annotate(
        OpenApi.Summary,
        "The report in which the host said how far the op has come, byte for byte, with its signature"
      )
  )
  .add(
    HttpApiEndpoint.get("list", "/ops")
      .setUrlParams(Schema.Struct({ state: Schema.optional(OpState) }))
      .addSuccess(Schema.Array(OpSummary))
      .addError(HubUnavailable)
      .annotate(OpenApi.Summary, "Signed ops of all hosts, newest first, at most a thousand; with state=, those in it")
  )
  .middleware(OperatorAuthorization)
