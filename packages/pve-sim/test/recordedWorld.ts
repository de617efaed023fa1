import { decodeWorld } from "@felhom/pve-sim/World"
import { Effect } from "effect"
import { readFileSync } from "node:fs"

const text: unknown = JSON.parse(readFileSync(new URL("../fixtures/scenario/world.json", import.meta.url), "utf8"))

/** The host that was recorded, to be changed into another one. */
export const recordedWorld = Effect.orDie(decodeWorld(text, "the recorded world"))
