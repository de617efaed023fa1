import { HostReport } from "@felhom/domain/HostReport"
import { HubBadReport, HubTooLarge } from "@felhom/domain/HubRefusal"
import { Effect, ParseResult, Schema } from "effect"
import type { IncomingMessage } from "node:http"
import { promisify } from "node:util"
import { gunzip, gunzipSync, gzip } from "node:zlib"
import { isCertainlyReport } from "./ReportValidator.ts"

/** What a report's body may weigh, in bytes: as it comes, and unpacked. */
export const bodyLimits = { packed: 512 * 1024, unpacked: 8 * 1024 * 1024 } as const

/** A report, its bytes as they were signed, and the same gzipped to be kept. */
export interface ReceivedReport {
  readonly report: HostReport
  readonly plain: Uint8Array
  readonly packed: Uint8Array
}

const tooLarge = (what: string, limitBytes: number): HubTooLarge =>
  new HubTooLarge({ message: `the report is ${what} than this hub takes (${limitBytes} bytes)`, limitBytes })

const bad = (detail: string): HubBadReport => new HubBadReport({ message: detail })

type Refused = HubTooLarge | HubBadReport

/**
 * Reads a body of at most `limit` bytes. What comes beyond is not kept, and the request is left as it is: to destroy it would
 * take the connection away from under the answer.
 */
const readBounded = (
  request: IncomingMessage,
  limit: number,
  take: (body: Buffer) => Effect.Effect<ReceivedReport, Refused>
): Effect.Effect<ReceivedReport, Refused> =>
  Effect.async((resume) => {
    const chunks: Array<Buffer> = []
    let size = 0
    // Listeners stay, as an error that nobody listens to would end the hub; after the first answer they say nothing. An answer
    // is made only when it is given: an error's stack trace costs as much as the rest of this.
    let answered = false
    const answer = (made: () => Effect.Effect<ReceivedReport, Refused>) => {
      if (answered) return
      answered = true
      resume(Effect.suspend(made))
    }
    if (Number(request.headers["content-length"]) > limit) return answer(() => tooLarge("larger", limit))
    request.on("data", (chunk: Buffer) => {
      size += chunk.length
      if (size > limit) answer(() => tooLarge("larger", limit))
      else if (!answered) chunks.push(chunk)
    })
    request.on("end", () =>
      answer(() => {
        const [first] = chunks
        return take(first !== undefined && chunks.length === 1 ? first : Buffer.concat(chunks))
      }))
    request.on("error", (error: Error) => answer(() => bad(`the report's body broke off: ${error.message}`)))
    request.on("close", () => answer(() => bad("the report's body broke off")))
  })

const unpack = promisify(gunzip)
const pack = promisify(gzip)

/** Bodies up to this size, packed and unpacked, are unpacked at once: for them a trip to another thread costs more. */
const atOnce = { packed: 16 * 1024, unpacked: 256 * 1024 } as const

const notGzip = (cause: unknown): HubBadReport =>
  bad(`the report's body is not gzip, though its Content-Encoding says so: ${String(cause)}`)

/** Unpacks at most `limit` bytes: zlib stops there, so what was packed to burst never gets more memory than that. */
const unpackLarge = (packed: Buffer, limit: number): Effect.Effect<Buffer, Refused> =>
  Effect.tryPromise({
    try: () => unpack(packed, { maxOutputLength: limit }),
    catch: (cause) => cause instanceof RangeError ? tooLarge("larger when unpacked", limit) : notGzip(cause)
  })

const decode = Schema.decodeUnknown(HostReport, { onExcessProperty: "ignore" })

const decoded = (json: unknown): Effect.Effect<HostReport, HubBadReport> =>
  Effect.mapError(decode(json), (error) => {
    const [issue] = ParseResult.ArrayFormatter.formatErrorSync(error)
    return bad(
      issue === undefined || issue.path.length === 0
        ? `the body is not a report: ${issue?.message ?? error.message}`
        : `the report's field ${issue.path.join(".")} does not read: ${issue.message}`
    )
  })

const read = (plain: Buffer, packed: Uint8Array): Effect.Effect<ReceivedReport, HubBadReport> => {
  let json: unknown
  try {
    json = JSON.parse(plain.toString("utf8"))
  } catch (cause) {
    return bad(`the report's body is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`)
  }
  return isCertainlyReport(json)
    ? Effect.succeed({ report: json, plain, packed })
    : Effect.map(decoded(json), (report) => ({ report, plain, packed }))
}

// Nearly every body is small and right, and is read without a step between.
const readPacked = (packed: Buffer): Effect.Effect<ReceivedReport, Refused> => {
  const readLarge = () => Effect.flatMap(unpackLarge(packed, bodyLimits.unpacked), (plain) => read(plain, packed))
  if (packed.length > atOnce.packed) return readLarge()
  let plain: Buffer
  try {
    plain = gunzipSync(packed, { maxOutputLength: atOnce.unpacked })
  } catch (cause) {
    return cause instanceof RangeError ? readLarge() : Effect.fail(notGzip(cause))
  }
  return read(plain, packed)
}

const readPlain = (plain: Buffer): Effect.Effect<ReceivedReport, Refused> =>
  Effect.flatMap(
    read(plain, plain),
    (received) => Effect.map(Effect.promise(() => pack(plain)), (packed) => ({ ...received, packed }))
  )

/** Reads, bounds, unpacks and decodes the body of a report. Keys that this hub doesn't know are ignored. */
export const receiveReport = (request: IncomingMessage): Effect.Effect<ReceivedReport, Refused> => {
  const encoding = request.headers["content-encoding"]?.toLowerCase() ?? "identity"
  return readBounded(request, bodyLimits.packed, (body) => {
    if (encoding === "gzip") return readPacked(body)
    return encoding === "identity"
      ? readPlain(body)
      : bad(`the report's body has the Content-Encoding ${encoding}; this hub reads gzip and none`)
  })
}
