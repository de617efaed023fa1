import { Command, Options } from "@effect/cli"
import * as AcceptedPolicy from "@felhom/authz/AcceptedPolicy"
import * as HostPolicy from "@felhom/authz/HostPolicy"
import * as Hold from "@felhom/durable/Hold"
import * as NodeDurableFile from "@felhom/node/NodeDurableFile"
import * as NodeFileSteps from "@felhom/node/NodeFileSteps"
import * as DesiredStore from "@felhom/reconciler/desired/DesiredStore"
import * as GoldenStore from "@felhom/reconciler/golden/GoldenStore"
import { Effect, Layer } from "effect"
import * as Live from "../Live.ts"
import * as Settings from "../Settings.ts"
import { formatFor, type Surroundings, withSettings } from "../Surroundings.ts"
import { showPlan } from "./ShowPlan.ts"

const config = Options.file("config").pipe(Options.optional, Options.withDescription("The config file"))

const output = Options.choice("output", ["text", "json"]).pipe(
  Options.withDefault("text"),
  Options.withDescription("text for people, json for programs")
)

const json = Options.boolean("json").pipe(Options.withDescription("The same as --output json"))

/** What is kept in the state folder, for whoever only reads it; a daemon may run beside. */
const kept = Layer.unwrapEffect(
  Effect.zipWith(
    Settings.stateDirectory,
    Settings.trustFiles,
    (directory, { policyFile }) =>
      Layer.mergeAll(
        DesiredStore.layer(directory),
        GoldenStore.layer(directory),
        Hold.layer(directory),
        Layer.provide(HostPolicy.layer(policyFile), AcceptedPolicy.layer(directory))
      )
  )
)

/** `felhom-agent plan`. */
export const makePlanCommand = (surroundings: Surroundings) =>
  Command.make("plan", { config, output, json }, (options) =>
    Effect.flatMap(
      Settings.stateDirectory,
      (directory) => showPlan(options.json ? "json" : options.output, directory)
    ).pipe(
      Effect.provide(
        Layer.merge(Live.proxmox, kept).pipe(
          Layer.provideMerge(Layer.mergeAll(Live.crypto, NodeDurableFile.layer, NodeFileSteps.layer)),
          Layer.provideMerge(withSettings(surroundings, options.config, formatFor(surroundings)))
        )
      )
    )).pipe(
      Command.withDescription(
        "What would be done for the desired state that this host has taken, step by step, and what may be done now; changes nothing"
      )
    )
