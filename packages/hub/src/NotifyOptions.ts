import { Options } from "@effect/cli"
import { parsePins } from "@felhom/domain/PeerPin"
import { Config, Effect, Either, Option, Redacted, Schema } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { hostname } from "node:os"
import { envOption } from "./EnvOption.ts"
import { mail, parseAddresses, parseSmtpUrl } from "./Mail.ts"
import type { Channel } from "./NoticeChannels.ts"
import { parseWebhook, webhook } from "./Webhook.ts"

/** How people are told of alarms, as flags that may stand in the environment. What is secret is never a flag. */
export const notifyOptions = {
  notifyWebhook: envOption(
    "notify-webhook",
    "FELHOM_HUB_NOTIFY_WEBHOOK",
    "Where notices are posted as JSON, https://HOST/PATH; if the address is a secret itself, only in the environment",
    parseWebhook
  ).pipe(Options.optional),
  notifyWebhookFingerprint: envOption(
    "notify-webhook-fingerprint",
    "FELHOM_HUB_NOTIFY_WEBHOOK_FINGERPRINT",
    "The certificate that the webhook must show, AA:BB:… or spki:AA:BB:…; without it, one that a known authority signed",
    (text) => Either.mapLeft(parsePins(text), ({ message }) => message)
  ).pipe(Options.optional),
  notifyMail: envOption(
    "notify-mail",
    "FELHOM_HUB_NOTIFY_MAIL",
    "Who notices are mailed to; several with commas. The mail server is named by FELHOM_HUB_SMTP_URL",
    parseAddresses
  ).pipe(Options.optional),
  notifyMailFrom: envOption(
    "notify-mail-from",
    "FELHOM_HUB_NOTIFY_MAIL_FROM",
    "Who notices are mailed by; without it, the mail server's user",
    (text) =>
      Either.flatMap(
        parseAddresses(text),
        ([only, ...others]) =>
          only === undefined || others.length > 0 ? Either.left("expected one mail address") : Either.right(only)
      )
  ).pipe(Options.optional),
  name: envOption(
    "name",
    "FELHOM_HUB_NAME",
    "What the hub is called in notices; without it, its machine's name",
    (text) => /^[\w .-]{1,64}$/.test(text) ? Either.right(text) : Either.left("expected up to 64 letters and digits")
  ).pipe(Options.withDefault(hostname().replace(/[^\w.-]/g, "-").slice(0, 64)))
}

type Chosen = {
  readonly notifyWebhook: Option.Option<Parameters<typeof webhook>[0]["url"]>
  readonly notifyWebhookFingerprint: Parameters<typeof webhook>[0]["pins"]
  readonly notifyMail: Option.Option<ReadonlyArray<string>>
  readonly notifyMailFrom: Option.Option<string>
}

/** What stands in flags, environment and credentials together makes no channel. No secret is in it. */
export class NotifySettingsError extends Schema.TaggedError<NotifySettingsError>()("NotifySettingsError", {
  detail: Schema.String
}) {
  override get message(): string {
    return this.detail
  }
}

const invalid = (detail: string): NotifySettingsError => new NotifySettingsError({ detail })

/** From the environment, else from systemd's credential of that name; empty counts as absent. */
const secret = (variable: string, credential: string) =>
  Effect.gen(function*() {
    const given = yield* Config.option(Config.redacted(variable))
    if (Option.exists(given, (value) => Redacted.value(value).trim() !== "")) return given
    const folder = yield* Config.option(Config.nonEmptyString("CREDENTIALS_DIRECTORY"))
    if (Option.isNone(folder)) return Option.none()
    const path = `${folder.value}/${credential}`
    const text = yield* Effect.try({
      try: () => (existsSync(path) ? readFileSync(path, "utf8").trim() : ""),
      catch: (cause) => invalid(`cannot read the credential ${path}: ${String(cause)}`)
    })
    return text === "" ? Option.none() : Option.some(Redacted.make(text))
  }).pipe(Effect.catchTag("ConfigError", (error) => Effect.fail(invalid(`${variable}: ${String(error)}`))))

const webhookOf = ({ notifyWebhook, notifyWebhookFingerprint }: Chosen) =>
  Effect.gen(function*() {
    const signedWith = yield* secret("FELHOM_HUB_NOTIFY_WEBHOOK_SECRET", "notify-webhook-secret")
    return Option.map(notifyWebhook, (url) => webhook({ url, pins: notifyWebhookFingerprint, secret: signedWith }))
  })

const mailOf = ({ notifyMail, notifyMailFrom }: Chosen) =>
  Effect.gen(function*() {
    if (Option.isNone(notifyMail)) return Option.none()
    const url = yield* secret("FELHOM_HUB_SMTP_URL", "smtp-url")
    if (Option.isNone(url)) {
      return yield* invalid(
        "--notify-mail takes a mail server: set FELHOM_HUB_SMTP_URL to smtp://USER:PASSWORD@HOST:587, or give the " +
          "systemd credential smtp-url"
      )
    }
    const server = yield* Either.mapLeft(parseSmtpUrl(url.value), (why) => invalid(`FELHOM_HUB_SMTP_URL: ${why}`))
    const user = Either.getRight(parseAddresses(server.login?.user ?? ""))
    const from = Option.orElse(notifyMailFrom, () => Option.flatMapNullable(user, ([first]) => first))
    if (Option.isNone(from)) {
      return yield* invalid("name who notices are mailed by: --notify-mail-from, FELHOM_HUB_NOTIFY_MAIL_FROM")
    }
    return Option.some(mail({ server, from: from.value, to: notifyMail.value }))
  })

/** The channels that flags, environment and credentials make. */
export const channelsOf = (chosen: Chosen): Effect.Effect<ReadonlyArray<Channel>, NotifySettingsError> =>
  Effect.zipWith(webhookOf(chosen), mailOf(chosen), (first, second) => [
    ...Option.toArray(first),
    ...Option.toArray(second)
  ])
