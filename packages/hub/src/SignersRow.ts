import { Sha256Hex } from "@felhom/domain/Sha256"
import type { SignersEntry } from "@felhom/domain/SignersApi"
import { FleetId, type SignersBefore } from "@felhom/domain/SignersDocument"
import { EpochMillis } from "@felhom/domain/Time"
import { Schema } from "effect"
import { Blob } from "./KeptReports.ts"

/** A version of a fleet's signers as it is stored. */
export const SignersRow = Schema.Struct({
  fleet: FleetId,
  version: Schema.Int,
  sha256: Sha256Hex,
  fromAllowed: Sha256Hex,
  fromRevoked: Sha256Hex,
  allowed: Sha256Hex,
  revoked: Sha256Hex,
  payload: Blob,
  signatures: Schema.parseJson(Schema.Array(Schema.String)),
  needs: Schema.Int,
  submittedBy: Schema.String,
  submittedAt: EpochMillis,
  changedAt: EpochMillis
})
export type SignersRow = typeof SignersRow.Type

/** What a host says of the signers that it goes by. `fleet` is null and `version` 0 while it took none. */
export const HostSignersRow = Schema.Struct({
  host: Schema.String,
  fleet: Schema.NullOr(FleetId),
  version: Schema.Int,
  allowed: Schema.NullOr(Sha256Hex),
  revoked: Sha256Hex
})
export type HostSignersRow = typeof HostSignersRow.Type

export const hostSignersSelect = "SELECT host_id AS host, fleet, version, allowed, revoked FROM host_signers"

/** SHA-256 of the empty text: the list of revoked keys where there is none. */
export const emptyList = Sha256Hex.make("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")

export type ChainLink =
  & Pick<
    SignersRow,
    "fleet" | "version" | "fromAllowed" | "fromRevoked" | "allowed" | "revoked" | "needs" | "changedAt"
  >
  & { readonly signatures: { readonly length: number } }

/** Whether hosts are given it: all signatures that it needs are here. */
export const isServed = ({ needs, signatures }: ChainLink): boolean => signatures.length >= needs

/** By what each says of itself, the versions that a host which has these lists can take one after the other, oldest first. */
export const continuing = <Link extends ChainLink>(
  links: ReadonlyArray<Link>,
  held: Pick<HostSignersRow, "version" | "allowed" | "revoked">
): ReadonlyArray<Link> => {
  let last = held
  return links.filter((link) => {
    const follows = isServed(link) && link.version > last.version && link.fromAllowed === last.allowed &&
      link.fromRevoked === last.revoked
    if (follows) last = link
    return follows
  })
}

const listsOf = (allowedSigners: Sha256Hex, revoked: Sha256Hex): SignersBefore => ({ allowedSigners, revoked })

export const entryOf = (row: SignersRow): SignersEntry => ({
  fleet: row.fleet,
  version: row.version,
  sha256: row.sha256,
  from: listsOf(row.fromAllowed, row.fromRevoked),
  lists: listsOf(row.allowed, row.revoked),
  state: isServed(row) ? "served" : "collecting",
  signatures: row.signatures.length,
  needs: row.needs,
  submittedBy: row.submittedBy,
  submittedAt: row.submittedAt,
  changedAt: row.changedAt
})
