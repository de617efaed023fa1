import type { Effect } from "effect"
import type { ChangedLine } from "./SourceVariant.ts"

/** What a check finds to be wrong: nothing, as long as nobody has planted a fault. */
export type Wrongs = Effect.Effect<ReadonlyArray<string>>

/** A fault, and the check that must not overlook it. */
export interface Planted {
  /** What a program with it does. */
  readonly name: string
  /** The check's module in `checks`, without `.ts`. */
  readonly check: "Vectors" | "OneMandate" | "OwnRecord" | "DesiredOrder" | "OtherHost" | "NonceFirst"
  readonly changes: ReadonlyArray<ChangedLine>
}
