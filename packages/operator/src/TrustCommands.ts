import { Args, Command, Options } from "@effect/cli"
import { displayText } from "@felhom/domain/DisplayText"
import type { HostId } from "@felhom/domain/HostId"
import { hostCode, type HostPublicKey, keyFingerprint, readCode } from "@felhom/domain/HostKey"
import { layer as crypto } from "@felhom/node/NodeCrypto"
import { layer as durableFile } from "@felhom/node/NodeDurableFile"
import { layer as ed25519 } from "@felhom/node/NodeEd25519"
import { Clock, Console, Effect, Either, Layer, Option, Redacted } from "effect"
import { connectionOptions } from "./Connection.ts"
import { findHost, wanted } from "./FindHost.ts"
import { HubAdmin } from "./HubAdmin.ts"
import { HubReader } from "./HubReader.ts"
import { Input } from "./Input.ts"
import * as KnownHosts from "./KnownHosts.ts"
import { forgetCommand, rejectCommand, retireCommand } from "./LeavingCommands.ts"
import { OperatorError } from "./OperatorError.ts"
import { colours, output, print, withAdmin, withHub } from "./Root.ts"
import { signerOf } from "./SignedHost.ts"
import { renderTokens, renderWaiting } from "./TrustView.ts"

/** What it takes to judge a host's signature on this machine. */
export const trustLayer = Layer.mergeAll(Layer.provide(KnownHosts.layer, durableFile), ed25519, crypto)

/** A host that could be trusted: where its key comes from does not matter, since its code is compared. */
interface Candidate {
  readonly host: HostId
  readonly node: string
  readonly publicKey: HostPublicKey
  readonly code: string
}

const noHost = (detail: string): OperatorError => new OperatorError({ reason: "no-host", detail })

const waitingCandidates = Effect.gen(function*() {
  const hub = yield* HubReader
  return yield* Effect.forEach(
    yield* hub.waiting,
    (host) => Effect.map(hostCode(host.publicKey), (code): Candidate => ({ ...host, code }))
  )
})

/** A host that reports already, by the key that signed its last report. */
const reportingCandidate = (text: string) =>
  Effect.gen(function*() {
    const hub = yield* HubReader
    const { host } = yield* Effect.flatMap(hub.hosts, (list) => findHost(list, text))
    const signed = yield* hub.signed(host.id)
    const publicKey = Option.flatMap(signed, ({ report }) => Either.getRight(signerOf(report)))
    if (Option.isNone(publicKey)) {
      return yield* noHost(
        `host ${host.node} neither waits to be accepted nor signs its reports: there is no key to accept`
      )
    }
    const candidate: Candidate = {
      host: host.id,
      node: host.node,
      publicKey: publicKey.value,
      code: yield* hostCode(publicKey.value)
    }
    return candidate
  })

/** The one host that is meant: by its code alone, else by id or node name with the code typed as a second step. */
const candidate = (text: string) =>
  Effect.gen(function*() {
    const waiting = yield* waitingCandidates
    const code = readCode(text)
    if (code !== undefined) {
      const found = waiting.find((host) => host.code === code)
      return found ?? (yield* noHost(
        `no waiting host has the code ${code}. Was it read from the host's own console, and is it this hub that the host ` +
          "enrolled with? If the hub shows another code for it, do not accept that one: somebody stands in between"
      ))
    }
    const matches = waiting.filter(({ host, node }) => node === text || host.startsWith(text.toLowerCase()))
    if (matches.length > 1) {
      return yield* noHost(`${matches.length} waiting hosts are called ${JSON.stringify(text)}; give the code instead`)
    }
    return matches[0] ?? (yield* reportingCandidate(text))
  })

/** The code as the person has it from the host's own console. What the hub showed is never put into their mouth. */
const compared = (typed: string, meant: Candidate) =>
  readCode(typed) === meant.code ? Effect.succeed(meant) : Effect.fail(
    new OperatorError({
      reason: "distrust",
      detail:
        `the code does not match: the hub has another key for ${meant.node} (${meant.host}) than the one whose code ` +
        "you typed. Nothing was accepted. Read it again on the host (felhom-agent key); if it stays so, somebody stands in between"
    })
  )

const which = Args.text({ name: "host" }).pipe(
  Args.withDescription(
    "The code that the host shows; or its node name or the beginning of its id, then the code is asked for"
  )
)

const chosen = (text: string) =>
  Effect.gen(function*() {
    const meant = yield* candidate(text)
    if (readCode(text) !== undefined) return meant
    const input = yield* Input
    const typed = yield* input.line(
      `The code that ${displayText(meant.node)} shows on its own console (felhom-agent enrol, or key)`
    )
    return yield* compared(typed, meant)
  })

const pinned = (meant: Candidate) =>
  Effect.flatMap(KnownHosts.KnownHosts, (hosts) => hosts.pin(meant.host, meant.publicKey, meant.node))

const accepted = (meant: Candidate, said: string) =>
  Effect.flatMap(
    keyFingerprint(meant.publicKey),
    (fingerprint) => print([`${said} ${displayText(meant.node)}  ${meant.host}`, `key ${fingerprint}`])
  )

const accept = Command.make("accept", { which, ...connectionOptions }, ({ which, ...options }) =>
  withAdmin(
    options,
    Effect.gen(function*() {
      const meant = yield* chosen(which)
      const admin = yield* HubAdmin
      // First here: a hub that accepted what this machine does not know would leave the operator without a pin.
      yield* pinned(meant)
      yield* admin.accept(meant.host, meant.publicKey)
      yield* accepted(meant, "accepted")
    }).pipe(Effect.provide(trustLayer))
  )).pipe(Command.withDescription("Let a host in, by the code on its own console, and pin its key here (admin)"))

const trust = Command.make("trust", { which, ...connectionOptions }, ({ which, ...options }) =>
  withHub(
    options,
    Effect.gen(function*() {
      const meant = yield* chosen(which)
      yield* pinned(meant)
      yield* accepted(meant, "trusted here")
    }).pipe(Effect.provide(trustLayer))
  )).pipe(Command.withDescription("Pin a host's key on this machine only, by the code on the host's own console"))

const waiting = Command.make("waiting", { ...connectionOptions, output }, ({ output, ...options }) =>
  withHub(
    options,
    Effect.gen(function*() {
      const hub = yield* HubReader
      const list = yield* hub.waiting
      const codes = yield* Effect.forEach(list, ({ publicKey }) => hostCode(publicKey))
      const rows = list.map((host, index) => ({ ...host, code: codes[index] ?? "" }))
      if (output === "json") return yield* Console.log(JSON.stringify(rows))
      yield* print(renderWaiting(rows, yield* Clock.currentTimeMillis, yield* colours))
    }).pipe(Effect.provide(ed25519))
  )).pipe(Command.withDescription("Hosts that wait to be accepted, with their codes"))

const enrol = Command.make("enrol", {
  count: Options.integer("count").pipe(
    Options.withDefault(1),
    Options.withDescription("How many hosts, 100 at most: each takes a token of its own")
  ),
  hours: Options.integer("hours").pipe(
    Options.withDefault(48),
    Options.withDescription("How long the tokens are good, 720 hours at most")
  ),
  label: Options.text("label").pipe(
    Options.withDefault(""),
    Options.withDescription("What they are for, for the list")
  ),
  ...connectionOptions,
  output
}, ({ count, hours, label, output, ...options }) =>
  withAdmin(
    options,
    Effect.gen(function*() {
      if (count < 1 || count > 100 || hours < 1 || hours > 720) {
        return yield* new OperatorError({ reason: "usage", detail: "--count is 1 to 100, and --hours 1 to 720" })
      }
      const admin = yield* HubAdmin
      const tokens = yield* admin.enrol(count, label, hours)
      yield* output === "json"
        ? Console.log(JSON.stringify(tokens.map((made) => ({ ...made, token: Redacted.value(made.token) }))))
        : print(tokens.map(({ token }) => Redacted.value(token)))
    })
  )).pipe(
    Command.withDescription(
      "Make one-time tokens for hosts to enrol with (FELHOM_AGENT_ENROL_TOKEN), shown this once (admin)"
    )
  )

const reset = Command.make("reset", { wanted, ...connectionOptions }, ({ wanted, ...options }) =>
  withAdmin(
    options,
    Effect.gen(function*() {
      const hub = yield* HubReader
      const admin = yield* HubAdmin
      const { host } = yield* Effect.flatMap(hub.hosts, (list) => findHost(list, wanted))
      yield* admin.reset(host.id)
      yield* print([`the hub forgot its alarms of ${displayText(host.node)} (${host.id}), and takes its reports again`])
    })
  )).pipe(
    Command.withDescription("After two agents with one identity: forget the alarm, and serve the host again (admin)")
  )

const tokenId = /^[0-9a-f]{1,64}$/

const revokeToken = Command.make(
  "revoke-token",
  {
    id: Args.text({ name: "id" }).pipe(
      Args.withDescription("The beginning of the token's id, as felhom tokens lists it")
    ),
    ...connectionOptions
  },
  ({ id, ...options }) =>
    withAdmin(
      options,
      Effect.gen(function*() {
        if (!tokenId.test(id)) {
          const detail = `${displayText(JSON.stringify(id))} is no token's id (felhom tokens); ` +
            "a signer's key is revoked with felhom revoke WHO --reason TEXT"
          return yield* new OperatorError({ reason: "usage", detail })
        }
        const token = yield* (yield* HubAdmin).revoke(id)
        yield* print([`revoked ${token.id} (${token.role}, ${displayText(token.label)})`])
      })
    )
).pipe(Command.withDescription("End a token at once (admin)"))

const tokens = Command.make("tokens", { ...connectionOptions, output }, ({ output, ...options }) =>
  withAdmin(
    options,
    Effect.gen(function*() {
      const admin = yield* HubAdmin
      const list = yield* admin.tokens
      yield* output === "json"
        ? Console.log(JSON.stringify(list))
        : print(renderTokens(list, yield* Clock.currentTimeMillis, yield* colours))
    })
  )).pipe(Command.withDescription("All tokens of hosts and people, without the tokens themselves (admin)"))

/** Who may come in, and whose word counts. */
export const trustCommands = [
  enrol,
  waiting,
  accept,
  rejectCommand,
  trust,
  forgetCommand,
  reset,
  retireCommand,
  tokens,
  revokeToken
] as const
