import type { HttpClient } from "@effect/platform"
import * as Daemon from "@felhom/agent/Daemon"
import * as HostKey from "@felhom/agent/enrol/HostKey"
import { renewing } from "@felhom/agent/ops/DeskRenewal"
import { noHands, openDesk } from "@felhom/agent/ops/OpsStart"
import { reportNamespace } from "@felhom/domain/HostKey"
import { Crypto } from "@felhom/domain/port/Crypto"
import { DurableFile } from "@felhom/domain/port/DurableFile"
import { Ed25519, type Ed25519Key } from "@felhom/domain/port/Ed25519"
import { FileSteps } from "@felhom/domain/port/FileSteps"
import { RootSocket, RootSocketError } from "@felhom/domain/port/RootSocket"
import { SignatureCrypto } from "@felhom/domain/port/SignatureCrypto"
import { NodeName, TokenId } from "@felhom/domain/ProxmoxId"
import * as StateFile from "@felhom/durable/StateFile"
import * as HubClient from "@felhom/hub-client/HubClient"
import { sha256 } from "@felhom/node/NodeCrypto"
import { ed25519 } from "@felhom/node/NodeEd25519"
import { signatureCrypto } from "@felhom/node/NodeSignatureCrypto"
import { Privileged } from "@felhom/privileged/Privileged"
import * as PrivilegedSocket from "@felhom/privileged/PrivilegedSocket"
import * as ProxmoxClient from "@felhom/proxmox/ProxmoxClient"
import * as TaskWaiter from "@felhom/proxmox/TaskWaiter"
import { answerLimitMillis } from "@felhom/proxmox/Transport"
import * as Observer from "@felhom/reconciler/Observer"
import { Context, Effect, Exit, Logger, LogLevel, Random, Redacted } from "effect"
import type { Chance } from "./Chance.ts"
import { type Disk, wholeFiles } from "./Disk.ts"
import { node, secret, tokenId } from "./Home.ts"
import type { Life, Timeline } from "./Timeline.ts"

/** Where the agent keeps its own, and root's files are. */
export const places = {
  stateDirectory: "/state",
  runtimeDirectory: "/run",
  policyFile: "/etc/policy.json",
  signers: { allowed: "/etc/allowed_signers", revoked: { path: "/etc/revoked_keys", required: false } },
  bootId: "storm"
} as const

export const hubToken = "hub-bearer-c0ffee"

/** What an agent stands on in one life. */
export interface Ground {
  readonly timeline: Timeline
  readonly life: Life
  readonly disk: Disk
  readonly chance: Chance
  readonly proxmox: HttpClient.HttpClient
  readonly hub: HttpClient.HttpClient
  /** A line that went to a root helper. */
  readonly askedRoot: (verb: string, line: string) => void
  readonly logged: (line: string) => void
  /** It ended by itself. */
  readonly exited: (why: string) => void
}

export { answerLimitMillis }
export const hubLimitMillis = HubClient.exchangeLimitMillis

const settings = {
  url: new URL("https://127.0.0.1:8006"),
  node: NodeName.make(node),
  tokenId: TokenId.make(tokenId),
  secret: Redacted.make(secret)
}

const unpacked = (bytes: Uint8Array): Effect.Effect<Uint8Array> => Effect.succeed(bytes)

// To read a key takes longer than all that is done with it.
const readKeys = new Map<string, Ed25519Key>()
const curve = Ed25519.of({
  ...ed25519,
  read: (pem) =>
    Effect.suspend(() => {
      const text = Redacted.value(pem)
      const found = readKeys.get(text)
      return found === undefined
        ? Effect.tap(ed25519.read(pem), (key) => Effect.sync(() => readKeys.set(text, key)))
        : Effect.succeed(found)
    })
})

// The schemas of the root side's lines are put together once, and not in each life.
let asked: Ground["askedRoot"] = () => undefined
const privileged = PrivilegedSocket.make(RootSocket.of({
  exchange: (verb, line) =>
    Effect.suspend(() => {
      asked(verb, line)
      return new RootSocketError({ verb, reason: "absent", detail: "no root helper in this home" })
    })
}))

const cryptoOf = (chance: Chance) =>
  Crypto.of({
    sha256: (data) => Effect.sync(() => sha256(data)),
    randomHex: (bytes) => Effect.sync(() => chance.hex(2 * bytes))
  })

// A disk never changes bytes that it once gave out.
const hashes = new WeakMap<Uint8Array, string>()

const hashOf = (content: Uint8Array): string => {
  const known = hashes.get(content)
  if (known !== undefined) return known
  const hash = sha256(content)
  hashes.set(content, hash)
  return hash
}

/** A stamp that changes with each of the files' contents; nothing here is as slow as a real disk. */
const stampsOn = (disk: Disk) => (paths: ReadonlyArray<string>): string =>
  paths.map((path) => {
    const found = disk.read(path)
    return found === undefined ? "none" : hashOf(found)
  }).join("\n")

const program = (ground: Ground) =>
  Effect.gen(function*() {
    const { disk } = ground
    const files = wholeFiles(disk)
    const state = yield* Effect.provideService(StateFile.make(places.stateDirectory), DurableFile, files)
    const client = yield* ProxmoxClient.make(ground.proxmox, settings)
    const around = Context.make(ProxmoxClient.ProxmoxClient, client).pipe(
      Context.add(TaskWaiter.TaskWaiter, TaskWaiter.make(client)),
      Context.add(StateFile.StateFile, state),
      Context.add(Privileged, privileged),
      Context.add(DurableFile, files),
      Context.add(FileSteps, disk.fileSteps),
      Context.add(SignatureCrypto, signatureCrypto)
    )
    const observer = yield* Effect.provide(Observer.make, around)
    const key = yield* HostKey.make(places.stateDirectory, files, curve)
    const hub = yield* HubClient.make(ground.hub, {
      url: new URL("https://hub.example"),
      token: Redacted.make(hubToken),
      sign: (body) => key.sign(reportNamespace, body),
      pack: unpacked
    })
    const desk = renewing((again) => openDesk(places, stampsOn(disk), noHands, again))
    return yield* Daemon.run({ node: client.node, bootId: places.bootId }, desk).pipe(
      Effect.provide(around.pipe(
        Context.add(Observer.Observer, observer),
        Context.add(HubClient.HubClient, hub)
      ))
    )
  }).pipe(Effect.scoped, Effect.provideService(Crypto, cryptoOf(ground.chance)))

/**
 * Starts the whole agent on a disk. It lives until its life is ended, or it ends by itself; what this gives back asks it to end, as
 * SIGTERM does.
 */
export const start = (ground: Ground): () => void => {
  const { life, timeline } = ground
  // Only one agent lives at a time.
  asked = ground.askedRoot
  const logger = Logger.make<unknown, void>(({ message }) => ground.logged(String(message)))
  const fiber = Effect.runFork(
    program(ground).pipe(
      Effect.provide(Logger.replace(Logger.defaultLogger, logger)),
      Logger.withMinimumLogLevel(LogLevel.Info),
      Effect.withClock(timeline.clock(life)),
      Effect.withRandom(Random.make(ground.chance.below(1_000_000)))
    ),
    { scheduler: timeline.scheduler(life) }
  )
  fiber.addObserver((exit) => {
    if (!life.over) ground.exited(Exit.isFailure(exit) ? String(exit.cause) : "it returned")
  })
  return () => fiber.unsafeInterruptAsFork(fiber.id())
}
