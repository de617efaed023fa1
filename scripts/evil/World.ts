import { FileSystem, type HttpClient } from "@effect/platform"
import type { SignedBytes } from "@felhom/domain/Envelope"
import { Effect, Ref, type Scope } from "effect"
import { randomUUID } from "node:crypto"
import { type Cast, run, type Running, start } from "../story/Program.ts"
import { type Simulator, startSimulator } from "../story/Simulator.ts"
import { StoryFailed } from "../story/StoryFailed.ts"
import { type Arena, factsIn, obeyed, untilReport } from "./Arena.ts"
import type { HostHands } from "./Attack.ts"
import { startEvilHub } from "./EvilHub.ts"
import type { Keys } from "./Keys.ts"
import type { Attacked } from "./Round.ts"
import { truthOf } from "./Truth.ts"

const tokenId = "felhom-agent@pve!agent"
const node = "victim"

/** A container of the recorded world. */
const target = 9999

/** Two people for what destroys a guest, and for whom the host trusts; root wrote it on the host. */
const policy = {
  typ: "felhom/policy/v1",
  signatures: { thresholds: { "guest.destroy": 2, "signers.update": 2, "policy.widen": 2 } }
}

type Environment = { readonly [name: string]: string }

/** A simulated host: its truth, its root, and what its agent needs to reach it. */
export interface SimulatedHost {
  readonly simulator: Simulator
  readonly truth: Arena["truth"]
  readonly environment: Environment
}

/** A real agent on a simulated host, with an attacker's hub. */
export interface World extends Arena {
  readonly host: HostHands
  readonly on: SimulatedHost
  readonly agent: {
    /** Its state folder. */
    readonly state: string
    readonly environment: Environment
    readonly start: Effect.Effect<void, StoryFailed, Scope.Scope | Cast>
    readonly stop: Effect.Effect<void, StoryFailed>
    /** Moves the agent's clock, to so many ms beside the machine's. Only in a world that was made with one. */
    readonly setClock: (offset: number) => Effect.Effect<void, StoryFailed>
  }
}

type Needs = Scope.Scope | Cast | FileSystem.FileSystem | HttpClient.HttpClient

const failed = (error: { readonly message: string }) => new StoryFailed({ message: error.message })

/** The recorded world, in which the guest that everything is about runs. */
export const makeHost = (folder: string, name: string): Effect.Effect<SimulatedHost, StoryFailed, Needs> =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const secret = randomUUID()
    const tokens = `${folder}/${name}-tokens.json`
    yield* Effect.mapError(fs.writeFileString(tokens, JSON.stringify({ [tokenId]: secret }), { mode: 0o600 }), failed)
    const simulator = yield* startSimulator(tokens, node)
    yield* simulator.console({ _tag: "guest.status", vmid: target, status: "running" })
    return {
      simulator,
      truth: yield* truthOf(simulator, { node, tokenId, secret }),
      environment: {
        FELHOM_AGENT_PROXMOX_URL: simulator.url,
        FELHOM_AGENT_PROXMOX_NODE: node,
        FELHOM_AGENT_PROXMOX_FINGERPRINT: simulator.certificates.original.leaf,
        FELHOM_AGENT_PROXMOX_TOKEN_ID: tokenId,
        FELHOM_AGENT_PROXMOX_TOKEN: secret
      }
    }
  })

/** Root's files about who may sign, by their names. */
export const rootFiles = ({ allowedSigners, revokedKeys }: Keys): { readonly [name: string]: string } => ({
  allowed_signers: allowedSigners,
  revoked_keys: revokedKeys,
  "policy.json": JSON.stringify(policy)
})

const writeRootFiles = (folder: string, keys: Keys) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    for (const [name, text] of Object.entries(rootFiles(keys))) yield* fs.writeFileString(`${folder}/${name}`, text)
    return {
      FELHOM_AGENT_SIGNERS_FILE: `${folder}/allowed_signers`,
      FELHOM_AGENT_REVOCATION_FILE: `${folder}/revoked_keys`,
      FELHOM_AGENT_POLICY_FILE: `${folder}/policy.json`
    }
  }).pipe(Effect.mapError(failed))

// Loaded into the agent's process before anything of its own: what it asks for the time is off by what the file says.
const clockScript = (offsetFile: string) =>
  `const { readFileSync } = require("node:fs")
const real = Date.now
let offset = 0
const look = () => {
  try {
    offset = Number(readFileSync(${JSON.stringify(offsetFile)}, "utf8"))
  } catch {
    offset = 0
  }
}
look()
setInterval(look, 100).unref()
Date.now = () => real() + offset
`

export const makeWorld = (options: {
  readonly folder: string
  /** Its own among the worlds of one folder. */
  readonly name: string
  readonly keys: Keys
  /** A host that there is already. */
  readonly on?: SimulatedHost
  /** A state folder that the agent begins with a copy of. */
  readonly copyOf?: string
  /** Whether its agent's clock can be moved. */
  readonly clock?: true
}): Effect.Effect<World, StoryFailed, Needs> =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const folder = `${options.folder}/${options.name}`
    const state = `${folder}/state`
    yield* Effect.mapError(fs.makeDirectory(folder), failed)
    if (options.copyOf !== undefined) yield* Effect.mapError(fs.copy(options.copyOf, state), failed)
    const on = options.on ?? (yield* makeHost(options.folder, options.name))
    const hub = yield* startEvilHub()
    const offsetFile = `${folder}/clock-offset`
    if (options.clock === true) {
      yield* Effect.mapError(fs.writeFileString(`${folder}/clock.cjs`, clockScript(offsetFile)), failed)
    }
    const own = { FELHOM_AGENT_RUNTIME_DIR: `${folder}/run`, FELHOM_AGENT_STATE_DIR: state }
    const environment = {
      ...on.environment,
      ...own,
      ...yield* writeRootFiles(folder, options.keys),
      FELHOM_AGENT_HUB_URL: hub.url,
      FELHOM_AGENT_HUB_FINGERPRINT: hub.fingerprint,
      FELHOM_AGENT_HUB_TOKEN: `felhom_host_${"x".repeat(43)}`
    }
    const daemon = yield* Ref.make<Running | undefined>(undefined)
    const begin = Effect.flatMap(
      start({
        name: `the agent of ${options.name}`,
        bundle: "main.js",
        args: ["daemon"],
        environment: options.clock === undefined
          ? environment
          : { ...environment, NODE_OPTIONS: `--require ${folder}/clock.cjs` },
        printsReady: false
      }),
      (running) => Ref.set(daemon, running)
    )
    yield* begin
    // Several are asked about at once, so each has a file of its own.
    const accept = (signed: SignedBytes) =>
      Effect.suspend(() => {
        const file = `${folder}/op-${randomUUID()}.json`
        return Effect.zipRight(
          Effect.mapError(fs.writeFileString(file, JSON.stringify(signed)), failed),
          run("main.js", ["ops", "accept", file], own, [0, 1])
        )
      })
    return {
      hub,
      truth: on.truth,
      hands: options.keys.hands,
      vmid: target,
      on,
      host: {
        accept,
        hold: (held) =>
          Effect.asVoid(run("main.js", ["hold", ...(held ? ["--reason", "looking"] : ["--release"])], own)),
        console: on.simulator.console
      },
      agent: {
        state,
        environment,
        start: begin,
        stop: Effect.flatMap(Ref.get(daemon), (running) => running === undefined ? Effect.void : running.stop),
        setClock: (offset) =>
          options.clock === undefined
            ? new StoryFailed({ message: `the clock of ${options.name} can't be moved` })
            : Effect.mapError(fs.writeFileString(offsetFile, String(offset)), failed)
      }
    }
  })

/** The guest is started again by hand, and the agent says so. */
export const runningAgain = ({ host, hub, vmid }: Pick<World, "host" | "hub" | "vmid">) =>
  Effect.gen(function*() {
    yield* host.console({ _tag: "guest.status", vmid, status: "running" })
    const count = hub.reports().length
    yield* untilReport(hub, count, "the agent reports the guest as running again", (report) =>
      factsIn(report, vmid)._tag === "Some")
  })

/** Has the operator's own op done first, so that what is refused afterwards is refused by a host that obeys. */
export const opened = (world: World): Effect.Effect<World & Attacked, StoryFailed, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    const before = yield* world.truth.all
    const { signed } = yield* obeyed(world, () => ({}), world.hands.anna)
    if ((yield* world.truth.all) === before) {
      return yield* new StoryFailed({ message: "the operator's own op ended well, and the host is as it was" })
    }
    yield* world.host.console({ _tag: "guest.status", vmid: world.vmid, status: "running" })
    return { ...world, spent: signed }
  })
