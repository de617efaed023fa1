import { Command, Options } from "@effect/cli"
import { Effect, Layer } from "effect"
import { askDaemon } from "../admin/AskDaemon.ts"
import * as HostFiles from "../configure/HostFiles.ts"
import { tellFindings } from "../doctor/Doctor.ts"
import * as Live from "../Live.ts"
import * as Checklist from "../selftest/Checklist.ts"
import * as Settings from "../Settings.ts"
import { formatFor, type Surroundings, withSettings } from "../Surroundings.ts"
import { concludedDetach, leavingFindings } from "./Detach.ts"

const config = Options.file("config").pipe(Options.optional, Options.withDescription("The config file"))

const output = Options.choice("output", ["text", "json"]).pipe(
  Options.withDefault("text"),
  Options.withDescription("text for people, json for programs")
)

/** `felhom-agent detach`. */
export const makeDetachCommand = (surroundings: Surroundings) =>
  Command.make("detach", { config, output }, (options) =>
    Effect.gen(function*() {
      const { tokenId } = yield* Settings.proxmoxPlace
      const runtimeDirectory = yield* Settings.runtimeDirectory
      const stateDirectory = yield* Settings.stateDirectory
      const leaving = { stateDirectory, tokenId, ops: askDaemon(runtimeDirectory, { ask: "ops.list" }) }
      yield* concludedDetach(options.output, tokenId, Effect.flatMap(leavingFindings(leaving), tellFindings))
    }).pipe(
      Effect.provide(
        Layer.mergeAll(Live.proxmox, HostFiles.layer, Checklist.layer(options.output)).pipe(
          Layer.provideMerge(Live.crypto),
          Layer.provideMerge(withSettings(surroundings, options.config, formatFor(surroundings)))
        )
      )
    )).pipe(
      Command.withDescription(
        "Before the package is removed: what stays, what goes, whether something is under way; changes nothing"
      )
    )
