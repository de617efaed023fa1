import type { Snapshot } from "@felhom/domain/Guest"
import { Either, Predicate } from "effect"
import { CurrentState, SnapshotRow } from "./GuestRows.ts"
import { decodeListing, type Listing } from "./Listing.ts"

/** A guest's snapshots, and where it stands now; `current` is null when the list did not say. */
export interface SnapshotListing extends Listing<Snapshot> {
  readonly current: CurrentState | null
}

const snapshots = decodeListing(SnapshotRow)
const states = decodeListing(CurrentState)

const isCurrent = (row: unknown): boolean => Predicate.isRecord(row) && row["name"] === "current"

/** Takes the pseudo entry `current` out of the list (platform-facts 1.2). */
export const decodeSnapshotListing = (data: unknown): Either.Either<SnapshotListing, string> => {
  if (data !== null && !Array.isArray(data)) return Either.left("expected a list")
  const rows: ReadonlyArray<unknown> = data ?? []
  return Either.gen(function*() {
    const real = yield* snapshots(rows.filter((row) => !isCurrent(row)))
    const current = yield* states(rows.filter(isCurrent))
    return {
      rows: real.rows,
      unreadable: [...real.unreadable, ...current.unreadable],
      current: current.rows[0] ?? null
    }
  })
}
