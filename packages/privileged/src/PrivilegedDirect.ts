import type { CommandExecutor } from "@effect/platform"
import { Effect, Layer } from "effect"
import type { MarkFiles } from "./MarkFiles.ts"
import { mountVerb } from "./MountDirect.ts"
import { pctCreate } from "./PctCreateDirect.ts"
import { Privileged } from "./Privileged.ts"
import { smart } from "./SmartDirect.ts"
import type { UnitFiles } from "./UnitFiles.ts"

type Needs = CommandExecutor.CommandExecutor | UnitFiles | MarkFiles

/**
 * Runs the commands itself: for who is root, and for nobody else. A request is validated against its schema again, since
 * it may have come over a socket.
 */
export const layer: Layer.Layer<Privileged, never, Needs> = Layer.effect(
  Privileged,
  Effect.map(Effect.context<Needs>(), (context) =>
    Privileged.of({
      pctCreate: (request) => Effect.provide(pctCreate(request), context),
      mount: (request) => Effect.provide(mountVerb(request), context),
      smart: (request) => Effect.provide(smart(request), context)
    }))
).pipe(Layer.ensureRequirementsType<Needs>())
