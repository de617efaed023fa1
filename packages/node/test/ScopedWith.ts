import { it } from "@effect/vitest"
import { Effect, type Layer, type Scope } from "effect"

/**
 * Tests with this layer and the machine's own clock. `layer` of @effect/vitest changes its `it` for good: for each file that runs
 * in the same process afterwards, too.
 */
export const scopedWith =
  <R>(layer: Layer.Layer<R>) => (name: string, test: () => Effect.Effect<void, unknown, R | Scope.Scope>): void =>
    it.scopedLive(name, () => Effect.provide(test(), layer))
