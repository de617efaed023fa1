import { Either, Predicate } from "effect"
import { GuestResource, plainGuestResource } from "./GuestRows.ts"
import { decodedOnce, decodeListing, type UnreadableRow } from "./Listing.ts"
import { NodeRow, plainNodeRow } from "./NodeRows.ts"
import { plainStorageResource, StorageResource } from "./StorageRows.ts"

/**
 * `GET /cluster/resources` by kind. Rows of a kind that this version does not know are left out, as each release adds some;
 * rows of a known kind that could not be read are named.
 *
 * @see platform-facts 1.1
 */
export interface ClusterResources {
  readonly guests: ReadonlyArray<GuestResource>
  readonly nodes: ReadonlyArray<NodeRow>
  readonly storages: ReadonlyArray<StorageResource>
  readonly unreadable: ReadonlyArray<UnreadableRow>
}

const guests = decodeListing(GuestResource, { plain: plainGuestResource })
const nodes = decodeListing(NodeRow, { plain: plainNodeRow })
const storages = decodeListing(StorageResource, { plain: plainStorageResource })

const typeOf = (row: unknown): unknown => Predicate.isRecord(row) ? row["type"] : undefined

export const decodeClusterResources = decodedOnce((data): Either.Either<ClusterResources, string> => {
  if (data !== null && !Array.isArray(data)) return Either.left("expected a list")
  const rows: ReadonlyArray<unknown> = data ?? []
  const ofType = (...types: ReadonlyArray<string>) => rows.filter((row) => types.some((type) => type === typeOf(row)))
  return Either.gen(function*() {
    const guest = yield* guests(ofType("lxc", "qemu"))
    const node = yield* nodes(ofType("node"))
    const storage = yield* storages(ofType("storage"))
    return {
      guests: guest.rows,
      nodes: node.rows,
      storages: storage.rows,
      unreadable: [...guest.unreadable, ...node.unreadable, ...storage.unreadable]
    }
  })
})
