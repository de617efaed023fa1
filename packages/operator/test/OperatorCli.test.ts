import { NodeContext } from "@effect/platform-node"
import { describe, it } from "@effect/vitest"
import { formatFingerprint } from "@felhom/domain/PeerPin"
import { publicKeyBlob } from "@felhom/domain/Sshsig"
import * as TlsIdentity from "@felhom/node/TlsIdentity"
import { findHost } from "@felhom/operator/FindHost"
import * as Input from "@felhom/operator/Input"
import { run } from "@felhom/operator/OperatorCli"
import { IsTerminal } from "@felhom/operator/Root"
import { ConfigProvider, Effect, Layer } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:https"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect } from "vitest"
import { guest, hostId, named, summary, wireDetail, wireEvent, wireSummary } from "./HostBuilder.ts"

const token = `felhom_viewer_${"x".repeat(43)}`
const fingerprint = "AA".repeat(32)

/** A hub of a few answers, over TLS, that knows one token. */
const hub = (answers: { readonly [path: string]: unknown }) =>
  Effect.gen(function*() {
    const identity = yield* TlsIdentity.make({ commonName: "hub", altNames: ["localhost"], days: 1 })
    const port = yield* Effect.acquireRelease(
      Effect.async<{ readonly port: number; readonly close: () => void }>((resume) => {
        const server = createServer(
          { cert: identity.certificatePem, key: identity.privateKeyPem },
          (request, response) => {
            const known = request.headers.authorization === `Bearer ${token}`
            const body = known ? answers[request.url ?? ""] : { _tag: "HubUnauthorized", message: "who are you?" }
            response.writeHead(known ? body === undefined ? 404 : 200 : 401, { "content-type": "application/json" })
            response.end(JSON.stringify(body ?? {}))
          }
        )
        server.listen(0, "127.0.0.1", () => {
          const address = server.address()
          const port = typeof address === "object" && address !== null ? address.port : 0
          resume(Effect.succeed({
            port,
            close: () => {
              server.close()
              server.closeAllConnections()
            }
          }))
        })
      }),
      ({ close }) => Effect.sync(close)
    )
    return { url: `https://127.0.0.1:${port.port}`, fingerprint: formatFingerprint(identity.leafSha256) }
  })

/** Runs one command line; what it wrote, and its exit code. */
const felhom = (
  args: ReadonlyArray<string>,
  environment: { readonly [variable: string]: string } = {},
  isTerminal = false
) =>
  Effect.gen(function*() {
    const console = yield* Effect.console
    const out: Array<string> = []
    const err: Array<string> = []
    const code = yield* run(["node", "felhom.js", ...args]).pipe(
      Effect.withConsole({
        ...console,
        log: (...texts) => Effect.sync(() => out.push(...texts.map(String))),
        error: (...texts) => Effect.sync(() => err.push(...texts.map(String)))
      }),
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(environment))))
    )
    return { code, out: out.join("\n"), err: err.join("\n") }
  }).pipe(
    Effect.provideService(IsTerminal, isTerminal),
    Effect.provide(Layer.provideMerge(Input.layer(false), NodeContext.layer))
  )

const list = "/api/v1/hosts"

describe("felhom hosts", () => {
  it.scopedLive("ends with 0 when all is well", () =>
    Effect.gen(function*() {
      const { fingerprint, url } = yield* hub({ [list]: [wireSummary()] })
      const answer = yield* felhom(["hosts", "--hub", url, "--fingerprint", fingerprint], { FELHOM_TOKEN: token })
      expect(answer).toMatchObject({ code: 0, err: "" })
      expect(answer.out).toContain("attic  0a1b2c3d")
    }))

  it.scopedLive("ends with 1 and says so when a host needs attention", () =>
    Effect.gen(function*() {
      const { fingerprint, url } = yield* hub({ [list]: [wireSummary({ attention: ["storage nas is offline"] })] })
      const answer = yield* felhom(["hosts", "--output", "json"], {
        FELHOM_HUB_URL: url,
        FELHOM_HUB_FINGERPRINT: fingerprint,
        FELHOM_TOKEN: token
      })
      expect(answer).toMatchObject({ code: 1, err: "1 of 1 host needs attention" })
      expect(JSON.parse(answer.out)).toMatchObject([{ attention: ["storage nas is offline"] }])
    }))

  it.scopedLive("takes its flags before the subcommand, too, and the token from a file", () =>
    Effect.gen(function*() {
      const { fingerprint, url } = yield* hub({ [list]: [] })
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "felhom-"))),
        (path) => Effect.sync(() => rmSync(path, { recursive: true }))
      )
      const file = join(folder, "token")
      writeFileSync(file, `${token}\n`)
      const answer = yield* felhom(["--hub", url, "--fingerprint", fingerprint, "--token-file", file, "hosts"])
      expect(answer).toMatchObject({ code: 0, out: "no host has ever reported to this hub" })
    }))

  it.scopedLive("is coloured at a terminal, unless NO_COLOR asks not to", () =>
    Effect.gen(function*() {
      const { fingerprint, url } = yield* hub({ [list]: [wireSummary()] })
      const environment = { FELHOM_HUB_URL: url, FELHOM_HUB_FINGERPRINT: fingerprint, FELHOM_TOKEN: token }
      expect((yield* felhom(["hosts"], environment, true)).out).toContain("\u001b[")
      expect((yield* felhom(["hosts"], { ...environment, NO_COLOR: "1" }, true)).out).not.toContain("\u001b[")
      expect((yield* felhom(["hosts"], environment)).out).not.toContain("\u001b[")
    }))

  it.scopedLive("sends nothing to a hub that shows another certificate", () =>
    Effect.gen(function*() {
      const { url } = yield* hub({ [list]: [] })
      const answer = yield* felhom(["hosts", "--hub", url, "--fingerprint", fingerprint], { FELHOM_TOKEN: token })
      expect(answer.code).toBe(1)
      expect(answer.err).toContain("shows a certificate that no pin names")
    }))

  it.scopedLive("says what the hub said when it refuses", () =>
    Effect.gen(function*() {
      const { fingerprint, url } = yield* hub({ [list]: [] })
      const answer = yield* felhom(["hosts", "--hub", url, "--fingerprint", fingerprint], {
        FELHOM_TOKEN: `felhom_viewer_${"y".repeat(43)}`
      })
      expect(answer.code).toBe(1)
      expect(answer.err).toContain("who are you?")
    }))
})

it.scopedLive("felhom host shows a host by its name, with its last events", () =>
  Effect.gen(function*() {
    const { fingerprint, url } = yield* hub({
      [list]: [wireSummary()],
      [`${list}/${hostId}`]: wireDetail([guest(101, { name: "\u001b]0;owned\u0007" })]),
      [`${list}/${hostId}/events?after=31&limit=10`]: [wireEvent]
    })
    const answer = yield* felhom(["host", "--hub", url, "--fingerprint", fingerprint, "attic"], { FELHOM_TOKEN: token })
    expect(answer).toMatchObject({ code: 0, err: "" })
    expect(answer.out).toContain("\\u001b]0;owned\\u0007")
    expect(answer.out).toContain("nas does not answer")
    expect(answer.out).toContain("NOT VERIFIED")
  }))

it.scopedLive("felhom host believes no hub that is too old to hand out what a host signed, once its key is known", () =>
  Effect.gen(function*() {
    const { fingerprint, url } = yield* hub({ [list]: [wireSummary()], [`${list}/${hostId}`]: wireDetail([]) })
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "felhom-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true }))
    )
    const key = publicKeyBlob(new Uint8Array(32).fill(9))
    writeFileSync(join(folder, "known"), `# mine\n${hostId} ssh-ed25519 ${Buffer.from(key).toString("base64")} attic\n`)
    const answer = yield* felhom(["host", "--hub", url, "--fingerprint", fingerprint, "attic"], {
      FELHOM_TOKEN: token,
      FELHOM_KNOWN_HOSTS: join(folder, "known")
    })
    expect(answer).toMatchObject({ code: 1, out: "" })
    expect(answer.err).toContain("the hub has no signed report of it to show")
  }))

describe("a host is found", () => {
  const hosts = [
    summary({ host: named("attic", "aa11") }),
    summary({ host: named("pve", "ab22") }),
    summary({ host: named("pve", "cc33") })
  ]

  it.effect.each([["attic", "aa11"], ["AA", "aa11"], ["c", "cc33"]])(
    "by %s",
    ([text, id]) => Effect.map(findHost(hosts, String(text)), ({ host }) => expect(host.id.slice(0, 4)).toBe(id))
  )

  it.effect.each([["a", "attic (aa110000), pve (ab220000)"], ["pve", "ab220000"], ["x", "felhom hosts"]])(
    "not by %s",
    ([text, says]) =>
      Effect.map(Effect.flip(findHost(hosts, String(text))), ({ message }) => expect(message).toContain(says))
  )
})

describe("a wrong command line or environment ends with 2 and a sentence", () => {
  const hubFlags = ["--hub", "https://hub.test:8443", "--fingerprint", fingerprint]
  it.effect.each([
    { args: ["hosts"], says: "FELHOM_HUB_URL" },
    { args: ["hosts", "--hub", "http://hub.test", "--fingerprint", fingerprint], says: "https://HOST:PORT" },
    { args: ["hosts", "--hub", "https://hub.test"], says: "FELHOM_HUB_FINGERPRINT" },
    { args: ["hosts", "--hub", "https://hub.test", "--fingerprint", "AA:BB"], says: "is not a fingerprint" },
    { args: ["hosts", ...hubFlags], says: "FELHOM_TOKEN" },
    { args: ["hosts", ...hubFlags, "--token-file", "/nowhere/token"], says: "/nowhere/token" },
    { args: ["host"], says: "host" },
    { args: ["sing"], says: "Invalid subcommand" }
  ])("$args", ({ args, says }) =>
    Effect.gen(function*() {
      const { code, err } = yield* felhom(args)
      expect(err).toContain(says)
      expect(code).toBe(2)
    }))

  it.effect("and never shows the token", () =>
    Effect.gen(function*() {
      const { code, err } = yield* felhom(["hosts", ...hubFlags], { FELHOM_TOKEN: "felhom_viewer_tooshort" })
      expect(code).toBe(2)
      expect(err).not.toContain("tooshort")
    }))
})
