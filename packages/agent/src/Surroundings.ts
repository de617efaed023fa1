import type { FileSystem } from "@effect/platform"
import { Effect, Layer, type Option } from "effect"
import * as Log from "./Log.ts"
import * as Settings from "./Settings.ts"
import type { SettingsError } from "./SettingsError.ts"

/** What the commands take from the process they run in. */
export interface Surroundings {
  readonly environment: { readonly [name: string]: string | undefined }
  readonly terminal: boolean
}

/** How the log is written for whoever runs the command. */
export const formatFor = (surroundings: Surroundings): Log.Format => (surroundings.terminal ? "pretty" : "json")

/** The settings alone, for what sets up no log. */
export const source = (
  surroundings: Surroundings,
  file: Option.Option<string>
): Layer.Layer<Settings.SettingsSource, SettingsError, FileSystem.FileSystem> =>
  Settings.layerSource({ file, environment: surroundings.environment })

const warnings = (surroundings: Surroundings) =>
  Effect.forEach(
    Settings.strayVariables(surroundings.environment),
    (problem) => Effect.logWarning(problem),
    { discard: true }
  )

/** The settings and the log that they ask for; a variable that looks like a setting and is none is warned of there. */
export const withSettings = (
  surroundings: Surroundings,
  file: Option.Option<string>,
  format: Log.Format
): Layer.Layer<Settings.SettingsSource, SettingsError, FileSystem.FileSystem> => {
  const logged = Layer.unwrapEffect(Effect.map(Settings.logLevel, (level) => Log.layer(format, level)))
  // Only once the log is set up, so that stdout stays the command's own.
  const warned = Layer.effectDiscard(warnings(surroundings))
  return warned.pipe(Layer.provideMerge(logged), Layer.provideMerge(source(surroundings, file)))
}

/** The same around a program that runs once, without the layers in between. */
export const inSettings = (surroundings: Surroundings, file: Option.Option<string>, format: Log.Format) =>
<A, E, R>(
  program: Effect.Effect<A, E, R>
) =>
  Effect.gen(function*() {
    const level = yield* Settings.logLevel
    return yield* Effect.zipRight(warnings(surroundings), program).pipe(Effect.provide(Log.layer(format, level)))
  }).pipe(
    Effect.provideServiceEffect(
      Settings.SettingsSource,
      Settings.makeSource({ file, environment: surroundings.environment })
    )
  )
