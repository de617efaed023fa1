import { describe, it } from "@effect/vitest"
import { type Notice, noticeType } from "@felhom/domain/AlarmApi"
import { parsePins } from "@felhom/domain/PeerPin"
import { EpochMillis } from "@felhom/domain/Time"
import { mail, parseAddresses, parseSmtpUrl } from "@felhom/hub/Mail"
import { parseWebhook, signatureHeader, signNotice, timestampHeader, webhook } from "@felhom/hub/Webhook"
import * as TlsIdentity from "@felhom/node/TlsIdentity"
import { Effect, Either, Option, Redacted } from "effect"
import {
  createServer as createHttpServer,
  type IncomingHttpHeaders,
  type RequestListener,
  type Server
} from "node:http"
import { createServer as createHttpsServer } from "node:https"
import { createServer as createTcpServer, type Socket } from "node:net"
import { expect } from "vitest"

const notice: Notice = {
  typ: noticeType,
  id: "0123456789abcdef",
  kind: "raised",
  at: EpochMillis.make(1_790_000_000_000),
  hub: { name: "test", version: "1", storeEpoch: "e".repeat(32) },
  title: "attic stopped reporting",
  text: "attic stopped reporting.\n\nSee felhom hosts.",
  alarm: null
}

const listening = (server: Server | ReturnType<typeof createTcpServer>) =>
  Effect.acquireRelease(
    Effect.async<number>((resume) => {
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
      })
    }),
    () =>
      Effect.sync(() => {
        server.close()
        if ("closeAllConnections" in server) server.closeAllConnections()
      })
  )

/** A receiver over plain HTTP on this machine, and all that it was sent. */
const receiver = (answer: RequestListener) =>
  Effect.gen(function*() {
    const got: Array<{ readonly headers: IncomingHttpHeaders; readonly body: string }> = []
    const port = yield* listening(createHttpServer((request, response) => {
      let body = ""
      request.on("data", (chunk) => (body += chunk))
      request.on("end", () => {
        got.push({ headers: request.headers, body })
        answer(request, response)
      })
    }))
    return { got, url: `http://127.0.0.1:${port}/hook/s3cret` }
  })

const address = (text: string) => Either.getOrThrowWith(parseWebhook(text), (why) => new Error(why))

const channel = (url: string, more: Partial<Parameters<typeof webhook>[0]> = {}) =>
  webhook({ url: address(url), pins: Option.none(), secret: Option.none(), ...more })

describe("a webhook", () => {
  it.scopedLive("is sent the notice as JSON, signed over the time and the exact bytes", () =>
    Effect.gen(function*() {
      const { got, url } = yield* receiver((_, response) => response.writeHead(204).end())
      const secret = Redacted.make("key of mine")
      yield* channel(url, { secret: Option.some(secret) }).send(notice)
      const [{ body, headers } = { body: "", headers: {} }] = got
      expect(JSON.parse(body)).toEqual(notice)
      expect(headers["content-type"]).toBe("application/json")
      expect(headers[signatureHeader]).toBe(signNotice(secret, String(headers[timestampHeader]), body))
      expect(JSON.stringify(got)).not.toContain("key of mine")
    }))

  it.scopedLive("that redirects is not followed, and that refuses is told with what it said", () =>
    Effect.gen(function*() {
      const away = yield* receiver((_, response) => response.writeHead(302, { location: "https://evil.test/" }).end())
      const moved = yield* Effect.flip(channel(away.url).send(notice))
      expect(moved.message).toContain("no redirect is followed")
      const broken = yield* receiver((_, response) =>
        response.writeHead(500).end(`\u001b[2Jno${"x".repeat(1_000_000)}`)
      )
      const refused = yield* Effect.flip(channel(broken.url).send(notice))
      expect(refused.message).toContain("answered 500: \\u001b[2Jno")
      expect(refused.message.length).toBeLessThan(300)
      // The path is as good as a password with many services.
      expect(`${moved.message}${refused.message}${channel(away.url).target}`).not.toContain("s3cret")
    }))

  it.scopedLive("over https shows the pinned certificate, or one that an authority signed, and else is sent nothing", () =>
    Effect.gen(function*() {
      const identity = yield* TlsIdentity.make({ commonName: "hook", altNames: ["127.0.0.1"], days: 1 })
      let requests = 0
      const port = yield* listening(
        createHttpsServer({ cert: identity.certificatePem, key: identity.privateKeyPem }, (_, response) => {
          requests += 1
          response.end("ok")
        })
      )
      const url = `https://127.0.0.1:${port}/`
      const pins = (text: string) => ({ pins: Option.some(Either.getOrThrow(parsePins(text))) })
      yield* channel(url, pins(identity.leafSha256)).send(notice)
      expect(requests).toBe(1)
      const other = yield* Effect.flip(channel(url, pins("ab".repeat(32))).send(notice))
      expect(other.message).toContain("shows a certificate that no pin names")
      const unknown = yield* Effect.flip(channel(url).send(notice))
      expect(unknown.message).toContain("self-signed certificate")
      expect(requests).toBe(1)
    }))

  it.each([
    ["http://alarms.example/x", "use https"],
    ["https://me:mine@alarms.example/x", "takes no user or password"],
    ["ftp://alarms.example", "expected https://HOST/PATH"],
    ["s3cret", "expected https://HOST/PATH"]
  ])("at %s is refused, and its address is not repeated", (text, says) => {
    const why = Either.getOrElse(Either.flip(parseWebhook(text)), () => "")
    expect(why).toContain(says)
    expect(why).not.toContain("mine")
    expect(why).not.toContain("s3cret")
  })
})

/** A mail server on this machine that takes everything, or refuses the sender; and all that it was told. */
const mailServer = (options: { readonly refuses?: boolean } = {}) =>
  Effect.gen(function*() {
    const lines: Array<string> = []
    const talk = (socket: Socket) => {
      let data = false
      const answer = (line: string): string => {
        if (data) {
          data = line !== "."
          return data ? "" : "250 taken\r\n"
        }
        const verb = line.slice(0, 4).toUpperCase()
        data = verb === "DATA"
        if (verb === "EHLO") return "250-test\r\n250 AUTH PLAIN\r\n"
        if (verb === "STAR") return "454 not here\r\n"
        if (verb === "MAIL" && options.refuses === true) return "550 not you \u001b[2J\r\n"
        if (verb === "AUTH") return "235 ok\r\n"
        return data ? "354 go on\r\n" : verb === "QUIT" ? "221 bye\r\n" : "250 ok\r\n"
      }
      socket.write("220 test\r\n")
      let rest = ""
      socket.on("data", (chunk) => {
        const parts = (rest + chunk.toString("utf8")).split("\r\n")
        rest = parts.pop() ?? ""
        for (const line of parts) {
          lines.push(line)
          socket.write(answer(line))
        }
      })
      socket.on("error", () => socket.destroy())
    }
    const port = yield* listening(createTcpServer(talk))
    return { lines, port }
  })

const server = (port: number) =>
  Either.getOrThrow(parseSmtpUrl(Redacted.make(`smtp://me%40felhom.test:p%40ss@127.0.0.1:${port}`)))

const channelTo = (port: number) => mail({ server: server(port), from: "hub@felhom.test", to: ["me@felhom.test"] })

describe("a mail", () => {
  it.scopedLive("brings the notice as plain text", () =>
    Effect.gen(function*() {
      const { lines, port } = yield* mailServer()
      yield* channelTo(port).send(notice)
      expect(lines).toContain("RCPT TO:<me@felhom.test>")
      expect(lines).toContain("Subject: [felhom test] attic stopped reporting")
      expect(lines).toContain("See felhom hosts.")
    }))

  it.scopedLive("has one subject and no header more, whatever a host calls itself", () =>
    Effect.gen(function*() {
      const { lines, port } = yield* mailServer()
      const evil = "attic\r\nBcc: thief@evil.test\r\n\r\n\u001b[2Jhello"
      yield* channelTo(port).send({ ...notice, title: evil, text: `${evil}\n.\nQUIT` })
      const headers = lines.slice(lines.indexOf("DATA"), lines.indexOf("", lines.indexOf("DATA")))
      expect(headers.filter((line) => /^bcc:/i.test(line))).toEqual([])
      expect(lines.filter((line) => line.startsWith("RCPT"))).toEqual(["RCPT TO:<me@felhom.test>"])
      expect(lines.join("\n")).not.toContain("\u001b")
      expect(headers.filter((line) => line.startsWith("Subject:"))).toHaveLength(1)
    }))

  it.scopedLive("that is refused says why, without the password", () =>
    Effect.gen(function*() {
      const { port } = yield* mailServer({ refuses: true })
      const refused = yield* Effect.flip(channelTo(port).send(notice))
      expect(refused.message).toContain("550 not you \\u001b[2J")
      expect(refused.message).not.toContain("p@ss")
    }))

  it.scopedLive("goes nowhere without TLS but to this machine", () =>
    Effect.gen(function*() {
      const { lines, port } = yield* mailServer()
      const elsewhere = { ...server(port), security: "starttls" as const }
      yield* Effect.flip(mail({ server: elsewhere, from: "hub@felhom.test", to: ["me@felhom.test"] }).send(notice))
      expect(lines.filter((line) => /^(?:MAIL|AUTH)/.test(line))).toEqual([])
      expect(Either.getOrThrow(parseSmtpUrl(Redacted.make("smtp://u:p@mail.example"))).security).toBe("starttls")
      expect(Either.getOrThrow(parseSmtpUrl(Redacted.make("smtps://u:p@mail.example"))).security).toBe("tls")
    }))

  it.each(["a@b\r\nBcc: c@d", "a b@c", "", "a@b,,x"])("is addressed to nobody called %j", (text) => {
    expect(Either.isLeft(parseAddresses(text))).toBe(true)
  })
})
