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

/**
 * Reads a body of at most `limit` bytes. What comes beyond is not kept, and the request is left as it is: to destroy it would
 * take the connection away from under the answer.
 */
const readBounded = (request: IncomingMessage, limit: number): Effect.Effect<Buffer, HubTooLarge | HubBadReport> =>
  Effect.async((resume) => {
    const chunks: Array<Buffer> = []
    let size = 0
    const stop = () => {
      request.off("data", onData).off("end", onEnd).off("error", onError).off("close", onClose)
    }
    const done = (answer: Effect.Effect<Buffer, HubTooLarge | HubBadReport>) => {
      stop()
      resume(answer)
    }
    const onData = (chunk: Buffer) => {
      size += chunk.length
      if (size > limit) done(Effect.fail(tooLarge("larger", limit)))
      else chunks.push(chunk)
    }
    const onEnd = () => {
      const [first] = chunks
      done(Effect.succeed(first !== undefined && chunks.length === 1 ? first : Buffer.concat(chunks)))
    }
    const onError = (error: Error) => done(Effect.fail(bad(`the report's body broke off: ${error.message}`)))
    const onClose = () => done(Effect.fail(bad("the report's body broke off")))
    if (Number(request.headers["content-length"]) > limit) {
      return resume(Effect.fail(tooLarge("larger", limit)))
    }
    request.on("data", onData).on("end", onEnd).on("error", onError).on("close", onClose)
    return Effect.sync(stop)
  })

const unpack = promisify(gunzip)
const pack = promisify(gzip)

/** Bodies up to this size, packed and unpacked, are unpacked at once: for them a trip to another thread costs more. */
const atOnce = { packed: 16 * 1024, unpacked: 256 * 1024 } as const

const notGzip = (cause: unknown): HubBadReport =>
  bad(`the report's body is not gzip, though its Content-Encoding says so: ${String(cause)}`)

/** Unpacks at most `limit` bytes: zlib stops there, so what was packed to burst never gets more memory than that. */
const unpackLarge = (packed: Buffer, limit: number): Effect.Effect<Buffer, HubTooLarge | HubBadReport> =>
  Effect.tryPromise({
    try: () => unpack(packed, { maxOutputLength: limit }),
    catch: (cause) => cause instanceof RangeError ? tooLarge("larger when unpacked", limit) : notGzip(cause)
  })

const unpackBounded = (packed: Buffer, limit: number): Effect.Effect<Buffer, HubTooLarge | HubBadReport> =>
  Effect.suspend(() => {
    if (packed.length > atOnce.packed) return unpackLarge(packed, limit)
    try {
      return Effect.succeed(gunzipSync(packed, { maxOutputLength: atOnce.unpacked }))
    } catch (cause) {
      return cause instanceof RangeError ? unpackLarge(packed, limit) : Effect.fail(notGzip(cause))
    }
  })

const decode = Schema.decodeUnknown(HostReport, { onExcessProperty: "ignore" })

const asReport = (json: unknown): Effect.Effect<HostReport, HubBadReport> =>
  isCertainlyReport(json) ? Effect.succeed(json) : Effect.mapError(decode(json), (error) => {
    const [issue] = ParseResult.ArrayFormatter.formatErrorSync(error)
    return bad(
      issue === undefined || issue.path.length === 0
        ? `the body is not a report: ${issue?.message ?? error.message}`
        : `the report's field ${issue.path.join(".")} does not read: ${issue.message}`
    )
  })

const asJson = (body: Buffer): Effect.Effect<unknown, HubBadReport> =>
  Effect.try({
    try: (): unknown => JSON.parse(body.toString("utf8")),
    catch: (cause) => bad(`the report's body is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`)
  })

const plainOf = (body: Buffer, isPacked: boolean): Effect.Effect<Buffer, HubTooLarge | HubBadReport> =>
  isPacked ? unpackBounded(body, bodyLimits.unpacked) : Effect.succeed(body)

const packedOf = (body: Buffer, isPacked: boolean): Effect.Effect<Uint8Array> =>
  isPacked ? Effect.succeed(body) : Effect.promise(() => pack(body))

/** Reads, bounds, unpacks and decodes the body of a report. Keys that this hub doesn't know are ignored. */
export const receiveReport = (request: IncomingMessage): Effect.Effect<ReceivedReport, HubTooLarge | HubBadReport> =>
  Effect.flatMap(readBounded(request, bodyLimits.packed), (body) => {
    const encoding = request.headers["content-encoding"]?.toLowerCase() ?? "identity"
    if (encoding !== "identity" && encoding !== "gzip") {
      return bad(`the report's body has the Content-Encoding ${encoding}; this hub reads gzip and none`)
    }
    const isPacked = encoding === "gzip"
    return Effect.flatMap(
      plainOf(body, isPacked),
      (plain) =>
        Effect.flatMap(
          Effect.flatMap(asJson(plain), asReport),
          (report) => Effect.map(packedOf(body, isPacked), (packed) => ({ report, plain, packed }))
        )
    )
  })
