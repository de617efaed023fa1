import { FileSystem } from "@effect/platform"
import { Console, Effect, Layer, Option, Schema } from "effect"
import recordedWorld from "../fixtures/scenario/world.json" with { type: "json" }
import { agentPrivileges, allPrivileges } from "./AccessControl.ts"
import { ControlFront } from "./ControlFront.ts"
import { FaultRules } from "./Fault.ts"
import { HttpsFront } from "./HttpsFront.ts"
import { PveSim } from "./PveSim.ts"
import * as RootDisks from "./RootDisks.ts"
import * as RootFront from "./RootFront.ts"
import { decodeWorld, renamed, type World, WorldError } from "./World.ts"

/** `HOST:PORT` of a listener; port 0 takes a free one. */
export interface Address {
  readonly host: string
  readonly port: number
}

export interface ServeOptions {
  readonly listen: Address
  readonly control: Address
  readonly speed: number
  /** A file with a world; without it the recorded host. */
  readonly world: Option.Option<string>
  /** A file with a JSON object, token id to secret. */
  readonly tokens: Option.Option<string>
  /** A file with rules of what goes wrong. */
  readonly faults: Option.Option<string>
  /** A folder for the sockets of the root helpers. */
  readonly rootSockets: Option.Option<string>
  readonly seed: Option.Option<number>
  /** What the node is called; without it, as in the world. */
  readonly node: Option.Option<string>
  /** Nodes of its cluster; 1 is none. */
  readonly nodes: number
  /** Privileges of the role FelhomAgent; undefined leaves it as the world has it. */
  readonly privileges: ReadonlyArray<string> | undefined
}

/** What `serve` was given cannot be used. Nothing listens. */
export class ServeRefused extends Schema.TaggedError<ServeRefused>()("ServeRefused", {
  reason: Schema.Literal("address", "speed", "node", "nodes", "privilege", "file", "tokens", "faults"),
  detail: Schema.String
}) {
  override get message(): string {
    return this.detail
  }
}

const refuse = (reason: ServeRefused["reason"], detail: string): ServeRefused => new ServeRefused({ reason, detail })

/** Reads `127.0.0.1:8006` or `[::1]:8006`. */
export const parseAddress = (option: string, text: string): Effect.Effect<Address, ServeRefused> => {
  const [, v6, name, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/]+)):(\d{1,5})$/.exec(text) ?? []
  const host = v6 ?? name
  return host === undefined || Number(port) > 65_535
    ? Effect.fail(refuse("address", `${option} ${text}: not HOST:PORT, such as 127.0.0.1:8006`))
    : Effect.succeed({ host, port: Number(port) })
}

/** A list of privileges, `recorded` for those of the world, or `agent` for the 16 that the agent needs. */
export const parsePrivileges = (text: string): Effect.Effect<ReadonlyArray<string> | undefined, ServeRefused> => {
  // Undefined is a value here: leave the role as it is.
  if (text === "recorded") return Effect.as(Effect.void, undefined)
  if (text === "agent") return Effect.succeed(agentPrivileges)
  const names = text.split(/[,\s]+/).filter((name) => name !== "")
  const unknown = names.find((name) => !allPrivileges.includes(name))
  return unknown === undefined
    ? Effect.succeed(names)
    : Effect.fail(refuse("privilege", `--privileges: Proxmox VE 9 has no privilege ${unknown}`))
}

export const parseSpeed = (speed: number): Effect.Effect<number, ServeRefused> =>
  speed > 0 && Number.isFinite(speed)
    ? Effect.succeed(speed)
    : Effect.fail(refuse("speed", `--speed ${speed}: must be above 0; 1 is as fast as a real host`))

export const parseNode = (name: Option.Option<string>): Effect.Effect<Option.Option<string>, ServeRefused> =>
  Option.isNone(name) || /^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$/.test(name.value)
    ? Effect.succeed(name)
    : Effect.fail(refuse("node", `--node ${name.value}: not a host name, such as attic`))

export const parseNodes = (nodes: number): Effect.Effect<number, ServeRefused> =>
  nodes >= 1 && nodes <= 32
    ? Effect.succeed(nodes)
    : Effect.fail(refuse("nodes", `--nodes ${nodes}: must be 1 to 32; 1 is a host without a cluster`))

const Secrets = Schema.parseJson(Schema.Record({ key: Schema.NonEmptyString, value: Schema.NonEmptyString }))

const readText = (option: string, path: string) =>
  Effect.flatMap(FileSystem.FileSystem, (files) => files.readFileString(path)).pipe(
    Effect.mapError((error) => refuse("file", `${option} ${path}: ${error.message}`))
  )

const readSecrets = (path: string) =>
  Effect.flatMap(readText("--tokens", path), (text) =>
    Schema.decode(Secrets)(text).pipe(
      // The error would show the file's text, and with it the secrets.
      Effect.mapError(() =>
        refuse(
          "tokens",
          `--tokens ${path}: not a JSON object of token ids and secrets, such as {"felhom-agent@pve!agent":"…"}`
        )
      )
    ))

const readWorld = (path: string): Effect.Effect<World, ServeRefused | WorldError, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const text = yield* readText("--world", path)
    const value = yield* Schema.decode(Schema.parseJson())(text).pipe(
      Effect.mapError(() => new WorldError({ reason: "not-json", source: path, detail: "it is no JSON" }))
    )
    return yield* decodeWorld(value, path)
  })

const readFaults = (path: string) =>
  Effect.flatMap(
    readText("--faults", path),
    (text) =>
      Schema.decode(Schema.parseJson(FaultRules), { onExcessProperty: "error" })(text).pipe(
        Effect.mapError((error) =>
          refuse(
            "faults",
            `--faults ${path}: ${error.message.split("\n").at(-1)?.trim()}; packages/pve-sim/README.md shows rules`
          )
        )
      )
  )

const announce = (given: ReadonlySet<string>) =>
  Effect.gen(function*() {
    const sim = yield* PveSim
    const front = yield* HttpsFront
    const control = yield* ControlFront
    const certificates = yield* front.certificates
    const secrets = Object.entries(yield* sim.secrets)
    // Made up at this start and gone with it, so they may be shown; those that somebody brought may not.
    const tokens = Object.fromEntries(secrets.filter(([id]) => !given.has(id)))
    yield* Console.log(JSON.stringify({ ready: true, url: front.url, control: control.url, certificates, tokens }))
    const [id, secret] = secrets.find(([id]) => id.endsWith("!agent")) ?? secrets[0] ?? ["TOKENID", "SECRET"]
    const shown = given.has(id) ? "SECRET" : secret
    yield* Console.error(
      `A simulated Proxmox VE host is up. Try: curl -k -H 'Authorization: PVEAPIToken=${id}=${shown}' ${front.url}/api2/json/nodes`
    )
  })

/** Runs a simulated host until it is interrupted. Prints one JSON line to stdout once it can be used. */
export const serve = (options: ServeOptions) =>
  Effect.gen(function*() {
    const given = yield* Effect.transposeMapOption(options.world, readWorld)
    const recorded = Effect.orDie(decodeWorld(recordedWorld, "the recorded world"))
    const world = yield* Option.match(given, { onNone: () => recorded, onSome: Effect.succeed })
    const secrets = yield* Effect.transposeMapOption(options.tokens, readSecrets)
    const faults = yield* Effect.transposeMapOption(options.faults, readFaults)
    const chosen = Option.getOrElse(secrets, () => ({}))
    const sim = PveSim.layer({
      nodes: options.nodes,
      speed: options.speed,
      secrets: chosen,
      world: Option.isSome(options.node) ? yield* renamed(world, options.node.value) : world,
      ...(Option.isSome(faults) ? { faults: faults.value } : {}),
      ...(Option.isSome(options.seed) ? { seed: options.seed.value } : {}),
      ...(options.privileges === undefined ? {} : { roles: { FelhomAgent: options.privileges } })
    })
    const front = HttpsFront.layer(options.listen)
    const control = ControlFront.layer(options.control)
    const root = Option.match(options.rootSockets, {
      onNone: () => Layer.empty,
      onSome: (folder) => Layer.unwrapEffect(Effect.map(RootDisks.RootDisks, (disks) => RootFront.layer(folder, disks)))
    })
    return yield* announce(new Set(Object.keys(chosen))).pipe(
      Effect.zipRight(Effect.never),
      Effect.provide(
        control.pipe(
          Layer.provideMerge(front),
          Layer.merge(root),
          Layer.provideMerge(RootDisks.layer),
          Layer.provideMerge(sim)
        )
      )
    )
  })
