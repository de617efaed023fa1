import { Notice } from "@felhom/domain/AlarmApi"
import { displayTextWithin } from "@felhom/domain/DisplayText"
import type { PeerPins } from "@felhom/domain/PeerPin"
import { pinMismatchOf } from "@felhom/domain/PeerPin"
import { PinnedAgent } from "@felhom/node/PinnedAgent"
import { Clock, Effect, Either, Option, Redacted, Schema } from "effect"
import { createHmac } from "node:crypto"
import { Agent as HttpAgent, type ClientRequest, type IncomingMessage, request as httpRequest } from "node:http"
import { Agent as HttpsAgent, request as httpsRequest } from "node:https"
import { type Channel, NoticeError } from "./NoticeChannels.ts"

/** A webhook as the hub's operator set it up. The address may hold a token of its own, so it is a secret, too. */
export interface WebhookSettings {
  readonly url: Redacted.Redacted<URL>
  /** None: the certificate is verified as browsers do. */
  readonly pins: Option.Option<PeerPins>
  /** What notices are signed with; none: they are not. */
  readonly secret: Option.Option<Redacted.Redacted>
}

/** The time of sending in seconds since the epoch, and the HMAC over it. */
export const timestampHeader = "felhom-notice-timestamp"
export const signatureHeader = "felhom-notice-signature"

const timeoutSeconds = 15
/** Of an answer no more is read than a person might be told. */
const answerLimit = 4_096
const answerShown = 200

export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "[::1]" || host === "::1" || /^127(?:\.\d{1,3}){3}$/.test(host)

/** Reads a webhook's address: https, or http to this very machine. */
export const parseWebhook = (text: string): Either.Either<Redacted.Redacted<URL>, string> => {
  // The text is not quoted back: what makes an address secret is often a part of it.
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || (url.protocol !== "https:" && url.protocol !== "http:")) {
    return Either.left("this is not a webhook's address: expected https://HOST/PATH")
  }
  if (url.username !== "" || url.password !== "") {
    return Either.left("a webhook's address takes no user or password; use FELHOM_HUB_NOTIFY_WEBHOOK_SECRET")
  }
  return url.protocol === "https:" || isLoopback(url.hostname)
    ? Either.right(Redacted.make(url))
    : Either.left(`notices are sent in the clear to this machine only, not to ${url.host}: use https`)
}

/** `v1=` and the HMAC-SHA256 of `TIMESTAMP.BODY` in hex. */
export const signNotice = (secret: Redacted.Redacted, timestamp: string, body: string): string =>
  `v1=${createHmac("sha256", Redacted.value(secret)).update(`${timestamp}.${body}`).digest("hex")}`

const failed = (detail: string): NoticeError => new NoticeError({ channel: "webhook", detail })

const agentOf = (url: URL, pins: Option.Option<PeerPins>) =>
  url.protocol === "http:"
    ? new HttpAgent()
    : Option.match(pins, { onNone: () => new HttpsAgent(), onSome: (some) => new PinnedAgent(url.host, some) })

/** The answer's status and the beginning of what it said. */
interface Answer {
  readonly status: number
  readonly text: string
}

const answerOf = (message: IncomingMessage, done: (answer: Answer) => void): void => {
  const chunks: Array<Buffer> = []
  let size = 0
  const end = () =>
    done({ status: message.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8").slice(0, answerLimit) })
  message.on("data", (chunk: Buffer) => {
    chunks.push(chunk)
    size += chunk.length
    if (size > answerLimit) {
      end()
      message.destroy()
    }
  })
  message.once("end", end)
  // It broke off after its status, which says all that matters.
  message.once("error", end)
}

const posted = (url: URL, pins: Option.Option<PeerPins>, body: string, headers: { readonly [name: string]: string }) =>
  Effect.acquireUseRelease(
    Effect.sync(() => agentOf(url, pins)),
    (agent) =>
      Effect.async<Answer, NoticeError>((resume) => {
        const options = { method: "POST", agent, headers: { ...headers, "content-length": Buffer.byteLength(body) } }
        const request: ClientRequest = url.protocol === "http:" ? httpRequest(url, options) : httpsRequest(url, options)
        request.once("response", (message) => answerOf(message, (answer) => resume(Effect.succeed(answer))))
        request.on("error", (error) =>
          resume(failed(`${url.origin} cannot be reached: ${pinMismatchOf(error)?.message ?? error.message}`)))
        request.end(body)
        return Effect.sync(() =>
          request.destroy()
        )
      }),
    (agent) => Effect.sync(() => agent.destroy())
  ).pipe(
    Effect.timeoutFail({
      duration: `${timeoutSeconds} seconds`,
      onTimeout: () => failed(`${url.origin} gave no answer within ${timeoutSeconds} s`)
    })
  )

const judged = (url: URL, { status, text }: Answer): Effect.Effect<void, NoticeError> => {
  if (status >= 200 && status < 300) return Effect.void
  const said = text === "" ? "" : `: ${displayTextWithin(text, answerShown)}`
  return failed(
    status >= 300 && status < 400
      ? `${url.origin} sent us elsewhere (${status}), and no redirect is followed: set up the address that it leads to`
      : `${url.origin} answered ${status}${said}`
  )
}

const NoticeJson = Schema.parseJson(Notice)

/** Sends notices as JSON (`felhom/notice/v1`). Any 2xx means that they were taken. */
export const webhook = ({ pins, secret, url }: WebhookSettings): Channel => {
  const address = Redacted.value(url)
  return {
    channel: "webhook",
    target: address.origin,
    send: (notice) =>
      Effect.gen(function*() {
        const body = yield* Effect.orDie(Schema.encode(NoticeJson)(notice))
        const timestamp = String(Math.floor((yield* Clock.currentTimeMillis) / 1000))
        const answer = yield* posted(address, pins, body, {
          "content-type": "application/json",
          "user-agent": "felhom-hub",
          [timestampHeader]: timestamp,
          ...Option.match(secret, {
            onNone: () => ({}),
            onSome: (some) => ({ [signatureHeader]: signNotice(some, timestamp, body) })
          })
        })
        yield* judged(address, answer)
      })
  }
}
