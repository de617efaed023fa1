import { Args, Command, Options } from "@effect/cli"
import { displayText } from "@felhom/domain/DisplayText"
import { hostCode, readCode } from "@felhom/domain/HostKey"
import { layer as durableFile } from "@felhom/node/NodeDurableFile"
import { layer as ed25519 } from "@felhom/node/NodeEd25519"
import { Effect, Layer } from "effect"
import { connectionOptions } from "./Connection.ts"
import { findHost, wanted } from "./FindHost.ts"
import { HubAdmin } from "./HubAdmin.ts"
import { HubReader } from "./HubReader.ts"
import * as KnownHosts from "./KnownHosts.ts"
import { OperatorError } from "./OperatorError.ts"
import { print, withAdmin } from "./Root.ts"

const which = Args.text({ name: "host" }).pipe(
  Args.withDescription("A waiting host's code, its node name or the beginning of its id")
)

/** The one waiting host that is meant. */
const waitingHost = (text: string) =>
  Effect.gen(function*() {
    const hub = yield* HubReader
    const waiting = yield* hub.waiting
    const codes = yield* Effect.forEach(waiting, ({ publicKey }) => hostCode(publicKey))
    const code = readCode(text)
    const matches = waiting.filter((host, index) =>
      code === undefined ? host.node === text || host.host.startsWith(text.toLowerCase()) : codes[index] === code
    )
    const [found] = matches
    if (found !== undefined && matches.length === 1) return found
    return yield* new OperatorError({
      reason: "no-host",
      detail: matches.length === 0
        ? `no waiting host is ${JSON.stringify(text)}; see felhom waiting`
        : `${matches.length} waiting hosts are called ${JSON.stringify(text)}; give the code instead`
    })
  })

export const rejectCommand = Command.make(
  "reject",
  { which, ...connectionOptions },
  ({ which, ...options }) =>
    withAdmin(
      options,
      Effect.gen(function*() {
        const { host, node, publicKey } = yield* waitingHost(which)
        const admin = yield* HubAdmin
        yield* admin.reject(host, publicKey)
        yield* print([
          `rejected ${displayText(node)} (${host}): it waits no more, and the one-time token that it showed is void`
        ])
      }).pipe(Effect.provide(ed25519))
    )
).pipe(Command.withDescription("Turn a waiting host away, and void the one-time token that it came with (admin)"))

const undo = Options.boolean("undo").pipe(Options.withDescription("Take it back: the host is in service again"))

/** A host that reported, or one that was accepted and never did. */
const knownHost = (text: string) =>
  Effect.gen(function*() {
    const hub = yield* HubReader
    const expected = (yield* hub.expected).filter(({ host, node }) =>
      node === text || host.startsWith(text.toLowerCase())
    )
    const [only] = expected
    if (only !== undefined && expected.length === 1) return { id: only.host, node: only.node }
    return (yield* Effect.flatMap(hub.hosts, (list) => findHost(list, text))).host
  })

export const retireCommand = Command.make(
  "retire",
  { wanted, undo, ...connectionOptions },
  ({ undo, wanted, ...options }) =>
    withAdmin(
      options,
      Effect.gen(function*() {
        const { id, node } = yield* knownHost(wanted)
        const admin = yield* HubAdmin
        yield* admin.retire(id, !undo)
        yield* print([
          undo
            ? `${displayText(node)} (${id}) is in service again; on the host, felhom-agent enrol gets it a new token`
            : `retired ${
              displayText(node)
            } (${id}): its token is revoked, and it is expected no more. Its history stays ` +
              "(felhom hosts --all); felhom forget removes its key from this machine"
        ])
      })
    )
).pipe(Command.withDescription("Expect a host no more and revoke its token; its history is kept (admin)"))

const forgotten = Args.text({ name: "host" }).pipe(
  Args.withDescription("A host in this machine's known hosts, by its node name or the beginning of its id")
)

export const forgetCommand = Command.make("forget", { forgotten }, ({ forgotten }) =>
  Effect.gen(function*() {
    const hosts = yield* KnownHosts.KnownHosts
    const { host, node } = yield* hosts.forget(forgotten)
    yield* print([
      `forgot the key of ${
        displayText(node)
      } (${host}) on this machine; felhom trust pins one anew, by the host's own code`
    ])
  }).pipe(Effect.provide(Layer.provide(KnownHosts.layer, durableFile)))).pipe(
    Command.withDescription(
      "Remove a host's key from this machine's known hosts; the hub is not asked and keeps its own pin"
    )
  )
