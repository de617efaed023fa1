import type { SignersStanding } from "@felhom/domain/HubApi"
import { EpochMillis } from "@felhom/domain/Time"
import { Effect, Schema } from "effect"
import { type Concern, warning } from "./Concern.ts"
import type { Database } from "./Database.ts"
import { continuing, HostSignersRow, hostSignersSelect, isServed, SignersRow } from "./SignersRow.ts"
import type { StoreError } from "./StoreError.ts"

/** A host that is not where its fleet's signers are, and since when it could be. */
export interface Behind {
  readonly standing: SignersStanding
  /** When the hub began to hand out the first version that the host lacks, by the hub's clock. */
  readonly since: EpochMillis
}

const Link = Schema.Struct({
  fleet: SignersRow.fields.fleet,
  version: Schema.Int,
  fromAllowed: SignersRow.fields.fromAllowed,
  fromRevoked: SignersRow.fields.fromRevoked,
  allowed: SignersRow.fields.allowed,
  revoked: SignersRow.fields.revoked,
  signatures: Schema.parseJson(Schema.Array(Schema.String)),
  needs: Schema.Int,
  changedAt: EpochMillis
})
type Link = typeof Link.Type

const behind = (links: ReadonlyArray<Link>, host: HostSignersRow): Behind | undefined => {
  const next = continuing(links.filter(({ fleet }) => host.fleet === null || fleet === host.fleet), host)
  // A host that never took a version follows none, unless there is one that begins with its list.
  const lacking = host.fleet === null
    ? next
    : links.filter((link) => link.fleet === host.fleet && link.version > host.version && isServed(link))
  const [first] = lacking
  const last = lacking.at(-1)
  return first === undefined || last === undefined ? undefined : {
    standing: { version: host.version, latest: last.version, continues: next.length > 0 },
    since: first.changedAt
  }
}

/** The hosts that lack a version of the signers that they follow, by what they said last. */
export const hostsBehind = (
  { readText }: Pick<typeof Database.Service, "readText">
): Effect.Effect<ReadonlyMap<string, Behind>, StoreError> =>
  Effect.gen(function*() {
    const links = yield* readText(Link, {
      sql:
        `SELECT fleet, version, from_allowed AS fromAllowed, from_revoked AS fromRevoked, allowed, revoked, signatures, needs,
        changed_at AS changedAt FROM signers_document ORDER BY fleet, version`,
      parameters: []
    })
    if (links.length === 0) return new Map()
    const hosts = yield* readText(HostSignersRow, { sql: hostSignersSelect, parameters: [] })
    return new Map(hosts.flatMap((host) => {
      const found = behind(links, host)
      return found === undefined ? [] : [[host.host, found] as const]
    }))
  })

/** So long a host may report without taking what it was given, in milliseconds: it takes it with its next report. */
const patience = 15 * 60_000

/** What calls for a person: who was revoked may still sign for a host that does not follow. */
export const behindConcern = (found: Behind | undefined, lastSeen: number): ReadonlyArray<Concern> => {
  if (found === undefined || lastSeen - found.since < patience) return []
  const { continues, latest, version } = found.standing
  const what = version === 0
    ? `it took none of the fleet's signers, which are at version ${latest}`
    : `its signers are version ${version}, and the fleet's ${latest}`
  return [
    warning(
      "signers",
      continues
        ? `${what}: its events say why it does not take them (felhom events)`
        : `${what}, and no version continues from the list that it has: felhom op signers.update`
    )
  ]
}
