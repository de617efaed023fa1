import { Command, Options } from "@effect/cli"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import * as NodeDurableFile from "@felhom/node/NodeDurableFile"
import * as NodeRootSocket from "@felhom/node/NodeRootSocket"
import { Effect, Either, Layer, Option } from "effect"
import { join } from "node:path"
import { defaultConfigFile } from "../ConfigFile.ts"
import * as HostFiles from "../configure/HostFiles.ts"
import * as NameLookup from "../configure/NameLookup.ts"
import * as Live from "../Live.ts"
import { rootSockets } from "../RootSide.ts"
import * as Checklist from "../selftest/Checklist.ts"
import * as Settings from "../Settings.ts"
import type { SettingsError } from "../SettingsError.ts"
import { formatFor, type Surroundings, withSettings } from "../Surroundings.ts"
import { concludedDoctor, doctor, tellFindings } from "./Doctor.ts"
import { type Finding, fine, mend, worthKnowing } from "./Finding.ts"
import { fstabCheck } from "./FstabCheck.ts"
import { installChecks, installed } from "./InstallChecks.ts"
import { allowCheck, hubCheck } from "./NetworkChecks.ts"
import { rootSideChecks } from "./RootSideChecks.ts"
import * as ServedCertificate from "./ServedCertificate.ts"
import * as StateFolder from "./StateFolder.ts"
import { trustChecks } from "./TrustChecks.ts"

/** A helper that has nothing to do has answered long before. */
const socketSeconds = { smart: "10 seconds", mount: "10 seconds", "pct-create": "10 seconds" } as const

const problemsOf = <A>(read: Either.Either<A, SettingsError>): ReadonlyArray<string> =>
  Either.isLeft(read) ? read.left.problems : []

/** What the settings lack, each by a line of its own. */
const settingsFindings = (
  reads: ReadonlyArray<Either.Either<unknown, SettingsError>>,
  configFile: string
): ReadonlyArray<Finding> => {
  const problems = [...new Set(reads.flatMap(problemsOf))]
  return problems.length === 0
    ? [fine("config", `${configFile} and the environment say all that the agent needs to know`)]
    : problems.map((problem) => mend("config", problem))
}

/** Around Proxmox VE: the service, whom it may speak to, its hub and its helpers. */
const aroundFindings = (
  { configFile, hub, proxmox, runtimeDirectory, stateDirectory }: {
    readonly hub: Option.Option<Settings.Peer>
    readonly proxmox: Option.Option<Settings.Peer>
    readonly configFile: string
    readonly stateDirectory: string
    readonly runtimeDirectory: string
  }
) =>
  Effect.gen(function*() {
    const sockets = rootSockets(runtimeDirectory)
    const served = Option.isNone(hub) ? [] : yield* hubCheck(hub.value)
    if (!(yield* installed)) {
      return [
        worthKnowing(
          "installation",
          `it runs from ${import.meta.dirname}, and there is no felhom-agent.service: nothing keeps it running, and its helpers of root's are not looked for`
        ),
        ...served
      ]
    }
    const peers = [...Option.toArray(hub), ...Option.toArray(proxmox)].map(({ url }) => url)
    return [
      ...yield* installChecks({ configFile, stateDirectory, runtimeDirectory }),
      ...yield* allowCheck(peers),
      ...served,
      ...yield* Effect.provide(
        rootSideChecks({ sockets, state: stateDirectory }),
        NodeRootSocket.layer({ directory: sockets, timeouts: socketSeconds })
      ),
      ...yield* fstabCheck
    ]
  }).pipe(Effect.provide([HostFiles.layer, NameLookup.layer, ServedCertificate.layer]))

const config = Options.file("config").pipe(Options.optional, Options.withDescription("The config file"))

const output = Options.choice("output", ["text", "json"]).pipe(
  Options.withDefault("text"),
  Options.withDescription("text for people, json for programs")
)

/** `felhom-agent doctor`. */
export const makeDoctorCommand = (surroundings: Surroundings) =>
  Command.make("doctor", { config, output }, (options) =>
    Effect.gen(function*() {
      const configFile = Option.getOrElse(options.config, () => defaultConfigFile)
      const proxmox = yield* Effect.either(Settings.proxmoxSettings)
      const hub = yield* Effect.either(Settings.hubSettings)
      const stateDirectory = yield* Settings.stateDirectory
      const places = {
        hub: yield* Effect.option(Settings.hubPlace),
        proxmox: yield* Effect.option(Settings.proxmoxPlace),
        configFile,
        stateDirectory,
        runtimeDirectory: yield* Settings.runtimeDirectory
      }
      const trust = Effect.provide(
        trustChecks({ ...yield* Settings.trustFiles, stateDirectory }),
        [NodeDurableFile.layer, NodeCrypto.layer]
      )
      yield* concludedDoctor(
        options.output,
        Effect.gen(function*() {
          yield* tellFindings(settingsFindings([proxmox, hub], configFile))
          yield* tellFindings(yield* aroundFindings(places))
          if (Either.isLeft(proxmox)) return
          const { pins, url } = proxmox.right
          const patient = { url, pins, stateDirectory, daemonScript: join(import.meta.dirname, "daemon.js"), trust }
          yield* doctor(patient).pipe(
            Effect.provide(Live.proxmox),
            Effect.catchTag("SettingsError", (error) => tellFindings([mend("config", error.message)]))
          )
        })
      )
    }).pipe(
      Effect.provide(
        Layer.mergeAll(Checklist.layer(options.output), ServedCertificate.layer, StateFolder.layer, Live.crypto).pipe(
          Layer.provideMerge(withSettings(surroundings, options.config, formatFor(surroundings)))
        )
      )
    )).pipe(
      Command.withDescription(
        "Look at everything that has to be right, and say what to mend, until it says: ready; changes nothing"
      )
    )
