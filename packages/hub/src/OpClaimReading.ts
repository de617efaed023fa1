import type { OpClaim } from "@felhom/domain/OpsApi"
import { Option, Schema } from "effect"

const Part = Schema.Union(Schema.String, Schema.Number)

/** What ops name as their target, as far as this version knows; whatever else stands there is left out. */
const Target = Schema.Struct({
  guest: Schema.optional(Schema.Struct({ type: Part, vmid: Part })),
  snapshot: Schema.optional(Part),
  volid: Schema.optional(Part),
  storage: Schema.optional(Part),
  sha256: Schema.optional(Part),
  epoch: Schema.optional(Part)
})

const Claimed = Schema.Struct({
  op: Schema.optional(Schema.Unknown),
  target: Schema.optional(Schema.Unknown),
  reason: Schema.optional(Schema.Unknown),
  exp: Schema.optional(Schema.Unknown)
})

const decode = Schema.decodeUnknownOption(Schema.parseJson(Claimed))
const decodeTarget = Schema.decodeUnknownOption(Target)

/** Of a stranger's text no more is kept for display than this. */
const longest = 512

const text = (value: unknown): string | null => typeof value === "string" ? value.slice(0, longest) : null

const targetText = (value: unknown): string | null =>
  Option.match(decodeTarget(value), {
    onNone: () => null,
    onSome: ({ epoch, guest, sha256, snapshot, storage, volid }) => {
      const words = [
        ...(guest === undefined ? [] : [`${guest.type}/${guest.vmid}`]),
        ...(snapshot === undefined ? [] : [`snapshot ${snapshot}`]),
        ...[volid, storage, sha256, epoch].filter((part) => part !== undefined)
      ]
      return words.length === 0 ? null : words.join(" ").slice(0, longest)
    }
  })

/**
 * What a payload says of itself, and when it says that it ends (milliseconds since the epoch). The hub can't vouch for any of it:
 * it is for display, and for dropping what no host would take any more.
 */
export const readClaim = (payload: Uint8Array): { readonly claim: OpClaim; readonly exp: number | null } => {
  const found = Option.getOrElse(decode(new TextDecoder().decode(payload)), (): typeof Claimed.Type => ({}))
  const { exp } = found
  return {
    claim: { op: text(found.op), target: targetText(found.target), reason: text(found.reason) },
    exp: typeof exp === "number" && Number.isSafeInteger(exp) && exp >= 0 ? exp : null
  }
}
