import { HttpClient, type HttpClientError } from "@effect/platform"
import { Envelope } from "@felhom/domain/Envelope"
import { signatureHeader } from "@felhom/domain/HostKey"
import type { HostReport } from "@felhom/domain/HostReport"
import { pinMismatchOf } from "@felhom/domain/PeerPin"
import { AnswerLate, isKnownToEnd } from "@felhom/domain/port/AnswerLimit"
import { type WholeAnswer, wholeExchange, type WholeRequest } from "@felhom/domain/port/WholeExchange"
import { reportPath } from "@felhom/domain/ReportRoute"
import { ConfigError, Context, Effect, Either, Layer, Option, ParseResult, Redacted, Schema } from "effect"
import { HubClientConfig } from "./HubClientConfig.ts"
import { HubError, type HubErrorReason } from "./HubError.ts"

/**
 * The agent's one exchange with its hub: a report out, an envelope in (protocol 2). It is tried once; whoever calls decides
 * when to try again.
 */
export class HubClient extends Context.Tag("felhom/hub-client/HubClient")<HubClient, {
  readonly exchange: (report: HostReport) => Effect.Effect<Envelope, HubError>
}>() {}

/** How long an exchange may take altogether, in milliseconds. */
export const exchangeLimitMillis = 30_000

/** More than that is no envelope, in bytes: a desired state of 1 MiB in base64, ops with what they bring, and signers. */
const answerLimit = 4 * 1024 * 1024

type Fail = (reason: HubErrorReason, detail: string, retryAfterSeconds?: number) => HubError

/** `Retry-After` in seconds; as a date, or beyond what any hub of ours says, it is not heard. */
const retryAfter = ({ header }: WholeAnswer): number | undefined => {
  const text = header("retry-after") ?? ""
  return /^\d{1,4}$/.test(text) ? Number(text) : undefined
}

const statusReasons: { readonly [status: number]: HubErrorReason } = {
  400: "rejected",
  401: "unauthorized",
  403: "forbidden",
  413: "too-large"
}

const joined = (chunks: Iterable<Uint8Array>, size: number): Uint8Array<ArrayBuffer> => {
  const whole = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}

// Not through Blob and Response: the first use of those loads a second HTTP client into Node, which weighs 7 MB.
const gzip = (bytes: Uint8Array): Effect.Effect<Uint8Array> =>
  Effect.promise(async () => {
    const packer = new CompressionStream("gzip")
    const writer = packer.writable.getWriter()
    const written = writer.write(new Uint8Array(bytes)).then(() => writer.close())
    const chunks: Array<Uint8Array> = []
    const reader = packer.readable.getReader()
    for (let part = await reader.read(); !part.done; part = await reader.read()) chunks.push(part.value)
    await written
    return joined(chunks, chunks.reduce((size, chunk) => size + chunk.length, 0))
  })

const utf8 = new TextEncoder()

/**
 * A report's bytes. The types say that a report is what it is encoded to, so there is nothing to do for a schema, which would
 * only look at each value once more.
 */
const bytesOf = (report: typeof HostReport.Encoded): Uint8Array => utf8.encode(JSON.stringify(report))

const Refusal = Schema.parseJson(Schema.Struct({ message: Schema.String }))

/** What a failing hub says, in its own words if it is ours and else in a few of the answer's. */
const refusalText = (body: string): string =>
  Option.match(Schema.decodeUnknownOption(Refusal)(body), {
    onNone: () => JSON.stringify(body.slice(0, 120)),
    onSome: ({ message }) => message
  })

const causeText = (error: HttpClientError.RequestError): string =>
  error.cause instanceof Error ? error.cause.message : error.description ?? error.message

const decodeEnvelope = Schema.decodeUnknownEither(Schema.parseJson(Envelope))

/** The first thing that is wrong, and where: the schema's own tree would be a page, and belongs to nobody's log. */
const problemIn = (error: ParseResult.ParseError): string => {
  const [first] = ParseResult.ArrayFormatter.formatErrorSync(error)
  const [message = "it can't be read"] = (first?.message ?? "").split("\n")
  return first === undefined || first.path.length === 0 ? message : `${first.path.map(String).join(".")}: ${message}`
}

/** Fails when the hub's address is not https. */
export const make = (
  http: HttpClient.HttpClient,
  { pack = gzip, sign, token, url }: Context.Tag.Service<HubClientConfig>
): Effect.Effect<Context.Tag.Service<HubClient>, ConfigError.ConfigError> =>
  Effect.gen(function*() {
    if (url.protocol !== "https:") {
      return yield* Effect.fail(
        ConfigError.InvalidData(
          [],
          `the hub's address ${url.origin} is not https; nothing is sent to a hub in the clear`
        )
      )
    }
    const base = url.href.replace(/\/+$/, "")
    const ends = isKnownToEnd(http, exchangeLimitMillis)
    const exchange = wholeExchange(ends ? http : HttpClient.withTracerPropagation(http, false))

    const fail: Fail = (reason, detail, retryAfterSeconds) =>
      new HubError({
        reason,
        hub: url.origin,
        detail,
        mismatch: null,
        ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds })
      })
    const late = () => fail("unreachable", `it gave ${new AnswerLate(exchangeLimitMillis).message}`)

    const unsent = (error: HttpClientError.RequestError): HubError => {
      if (error.cause instanceof AnswerLate) return late()
      const mismatch = pinMismatchOf(error)
      return mismatch === undefined
        ? fail("unreachable", `it cannot be reached: ${causeText(error)}`)
        : new HubError({ reason: "refused-certificate", hub: url.origin, detail: mismatch.message, mismatch })
    }

    /** Signs the report's bytes before they are packed: what is signed must not depend on who packed it. */
    const requestOf = (report: HostReport): Effect.Effect<WholeRequest> =>
      Effect.gen(function*() {
        const body = bytesOf(report)
        const signature = sign === undefined ? {} : { [signatureHeader]: yield* sign(body) }
        return {
          method: "POST",
          url: `${base}${reportPath(report.host.id)}`,
          headers: {
            ...signature,
            accept: "application/json",
            authorization: `Bearer ${Redacted.value(token)}`,
            "content-encoding": "gzip"
          },
          body: { type: "application/json", bytes: yield* pack(body) },
          limit: answerLimit
        }
      })

    /** The envelope in an answer; anything but a success fails here, whoever answered. */
    const envelopeIn = (answer: WholeAnswer): Either.Either<Envelope, HubError> => {
      const { status, text: body } = answer
      if (status === 200) {
        return Either.mapLeft(
          decodeEnvelope(body),
          (error) => fail("malformed", `its answer is no envelope: ${problemIn(error)}`)
        )
      }
      const reason = statusReasons[status] ?? (status >= 400 ? "unavailable" : "malformed")
      return Either.left(
        status < 400
          ? fail(reason, `it answered with status ${status}`)
          : fail(reason, `it said ${status}: ${refusalText(body)}`, retryAfter(answer))
      )
    }

    return HubClient.of({
      exchange: (report) =>
        requestOf(report).pipe(
          Effect.flatMap(exchange),
          Effect.flatMap(envelopeIn),
          Effect.mapError((error) => {
            switch (error._tag) {
              case "HubError":
                return error
              case "RequestError":
                return unsent(error)
              case "ResponseError":
                return error.cause instanceof AnswerLate
                  ? late()
                  : fail("malformed", `its answer does not read: ${error.message}`)
              case "BodyTooLarge":
                return fail("malformed", `its answer is longer than ${answerLimit} bytes`)
            }
          }),
          (exchanged) =>
            ends
              ? exchanged
              : Effect.timeoutFail(exchanged, { duration: exchangeLimitMillis, onTimeout: late }),
          Effect.filterOrFail(
            (envelope) => envelope.host === report.host.id && envelope.hostEpoch === report.host.epoch,
            (envelope) => fail("wrong-host", `its answer is for host ${envelope.host}, epoch ${envelope.hostEpoch}`)
          )
        )
    })
  })

/** Fails to build when the hub's address is not https. */
export const layer: Layer.Layer<HubClient, ConfigError.ConfigError, HttpClient.HttpClient | HubClientConfig> = Layer
  .effect(
    HubClient,
    Effect.flatMap(Effect.all([HttpClient.HttpClient, HubClientConfig]), ([http, config]) => make(http, config))
  ).pipe(Layer.ensureRequirementsType<HttpClient.HttpClient | HubClientConfig>())
