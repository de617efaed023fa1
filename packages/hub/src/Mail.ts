import type { Notice } from "@felhom/domain/AlarmApi"
import { displayText, displayTextWithin } from "@felhom/domain/DisplayText"
import { Effect, Either, Redacted } from "effect"
import { createTransport } from "nodemailer"
import { type Channel, NoticeError } from "./NoticeChannels.ts"
import { isLoopback } from "./Webhook.ts"

/** A mail server as the hub's operator named it, with what it takes to log in. */
export interface MailServer {
  readonly host: string
  readonly port: number
  /** `tls`: encrypted from the first byte; `starttls`: before anything is said; `plain`: to this machine only. */
  readonly security: "tls" | "starttls" | "plain"
  readonly login: { readonly user: string; readonly password: Redacted.Redacted } | null
}

export interface MailSettings {
  readonly server: MailServer
  readonly from: string
  readonly to: ReadonlyArray<string>
}

const timeoutMillis = 20_000

/** Within this a subject is shown whole almost everywhere. */
const subjectLength = 150

/** `user@host` of characters that need no quoting, so that an address can be nothing else. */
const addressPattern = /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,255}$/

/** Reads one address or several with commas between them. */
export const parseAddresses = (text: string): Either.Either<ReadonlyArray<string>, string> => {
  const addresses = text.split(",").map((part) => part.trim()).filter((part) => part !== "")
  const bad = addresses.find((address) => !addressPattern.test(address))
  if (bad !== undefined) return Either.left(`${JSON.stringify(bad)} is not a mail address`)
  return addresses.length === 0 ? Either.left("expected a mail address") : Either.right(addresses)
}

const securities = { "smtps:": "tls", "smtp:": "starttls" } as const
const ports = { tls: 465, starttls: 587, plain: 25 } as const

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    // A percent sign that begins no escape is a percent sign.
    return text
  }
}

/**
 * Reads `smtp://user:password@host:587` (STARTTLS is required, but to this machine) or `smtps://user:password@host:465`.
 * The text holds a password, so no message quotes it.
 */
export const parseSmtpUrl = (text: Redacted.Redacted): Either.Either<MailServer, string> => {
  const value = Redacted.value(text).trim()
  const url = URL.canParse(value) ? new URL(value) : undefined
  const wanted = url?.protocol === "smtp:" || url?.protocol === "smtps:" ? securities[url.protocol] : undefined
  if (url === undefined || wanted === undefined || url.hostname === "") {
    return Either.left("it is not a mail server's address: expected smtp://USER:PASSWORD@HOST:587 or smtps://…:465")
  }
  const host = url.hostname.replace(/^\[|\]$/g, "")
  const security = wanted === "starttls" && isLoopback(url.hostname) ? "plain" : wanted
  return Either.right({
    host,
    port: url.port === "" ? ports[security] : Number(url.port),
    security,
    login: url.username === ""
      ? null
      : { user: decoded(url.username), password: Redacted.make(decoded(url.password)) }
  })
}

const failed = (detail: string): NoticeError => new NoticeError({ channel: "mail", detail })

const transportOf = ({ host, login, port, security }: MailServer) =>
  createTransport({
    host,
    port,
    secure: security === "tls",
    requireTLS: security === "starttls",
    ignoreTLS: security === "plain",
    ...(login === null ? {} : { auth: { user: login.user, pass: Redacted.value(login.password) } }),
    connectionTimeout: timeoutMillis,
    greetingTimeout: timeoutMillis,
    socketTimeout: timeoutMillis,
    disableFileAccess: true,
    disableUrlAccess: true
  })

/** A password that a server repeats in its refusal is not repeated by us. */
const withoutPassword = (text: string, { login }: MailServer): string => {
  const password = login === null ? "" : Redacted.value(login.password)
  return password === "" ? text : text.replaceAll(password, "<redacted>")
}

/** Sends notices as plain text over SMTP. Once the server took it, it is delivered as far as the hub knows. */
export const mail = ({ from, server, to }: MailSettings): Channel => ({
  channel: "mail",
  target: `${to.join(", ")} over ${server.host}:${server.port}`,
  send: (notice: Notice) =>
    Effect.acquireUseRelease(
      Effect.sync(() => transportOf(server)),
      (transport) =>
        Effect.tryPromise({
          try: () =>
            transport.sendMail({
              from,
              to: [...to],
              // A subject is one line, whatever a host calls itself.
              subject: displayTextWithin(`[felhom ${notice.hub.name}] ${notice.title}`, subjectLength),
              text: notice.text.split("\n").map(displayText).join("\n"),
              messageId: `<${notice.id}@felhom-hub>`,
              headers: { "Auto-Submitted": "auto-generated" }
            }),
          catch: (cause) => {
            const words = cause instanceof Error ? cause.message : String(cause)
            return failed(`${server.host}:${server.port}: ${displayTextWithin(withoutPassword(words, server), 300)}`)
          }
        }).pipe(
          Effect.asVoid,
          Effect.timeoutFail({
            duration: 3 * timeoutMillis,
            onTimeout: () =>
              failed(`${server.host}:${server.port} did not take the mail within ${3 * timeoutMillis / 1000} s`)
          })
        ),
      (transport) => Effect.sync(() => transport.close())
    )
})
