import type { SignedBytes } from "@felhom/domain/Envelope"
import type { HostId } from "@felhom/domain/HostId"
import { HostReport } from "@felhom/domain/HostReport"
import { Effect, Encoding, Option, Schema } from "effect"
import { promisify } from "node:util"
import { gunzip } from "node:zlib"
import type { Database } from "./Database.ts"
import { StoreError } from "./StoreError.ts"

/** A host's reports as they came: the last one, and the one that brought the inventory, which may be the same. */
export interface KeptReports {
  readonly latest: KeptReport
  readonly inventory: KeptReport | null
}

/** Bytes as they were signed, and the host's armored signature over them if it signed. */
export interface KeptReport {
  readonly plain: Uint8Array
  readonly signature: string | null
}

/** The driver gives a BLOB as an `ArrayBuffer`. */
export const Blob = Schema.transform(Schema.instanceOf(ArrayBuffer), Schema.Uint8ArrayFromSelf, {
  strict: true,
  decode: (buffer) => new Uint8Array(buffer),
  encode: (bytes) => bytes.slice().buffer
})

const Row = Schema.Struct({ body: Blob, signature: Schema.NullOr(Schema.String) })
const LatestRow = Schema.Struct({ ...Row.fields, hasInventory: Schema.Int })

const gunzipped = promisify(gunzip)

const corrupt = (cause: unknown): StoreError =>
  new StoreError({ reason: "corrupt", path: "report", detail: cause instanceof Error ? cause.message : String(cause) })

/** The report as it was before it was gzipped. */
export const unpacked = ({ body, signature }: typeof Row.Type): Effect.Effect<KeptReport, StoreError> =>
  Effect.map(Effect.tryPromise({ try: () => gunzipped(body), catch: corrupt }), (plain) => ({ plain, signature }))

/** None when the host is unknown, or nothing that it said was kept. */
export const keptReports = (
  { readText }: Pick<typeof Database.Service, "readText">,
  host: HostId
): Effect.Effect<Option.Option<KeptReports>, StoreError> =>
  Effect.gen(function*() {
    const [row] = yield* readText(LatestRow, {
      sql: "SELECT body, signature, has_inventory AS hasInventory FROM latest_report WHERE host_id = ?",
      parameters: [host]
    })
    if (row === undefined) return Option.none()
    const latest = yield* unpacked(row)
    if (row.hasInventory === 1) return Option.some({ latest, inventory: latest })
    const [carrier] = yield* readText(Row, {
      sql: "SELECT body, signature FROM inventory_report WHERE host_id = ?",
      parameters: [host]
    })
    return Option.some({ latest, inventory: carrier === undefined ? null : yield* unpacked(carrier) })
  })

const decode = Schema.decode(Schema.parseJson(HostReport))

/** What the bytes say. */
export const reportIn = ({ plain }: KeptReport): Effect.Effect<HostReport, StoreError> =>
  Effect.mapError(decode(Buffer.from(plain.buffer, plain.byteOffset, plain.byteLength).toString("utf8")), corrupt)

/** The same for whoever verifies it. */
export const signedBytes = ({ plain, signature }: KeptReport): SignedBytes => ({
  payload: Encoding.encodeBase64(plain),
  signatures: signature === null ? [] : [signature]
})
