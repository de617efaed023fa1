import { compile } from "@felhom/node/Program"
import { Effect } from "effect"
import { type Finding, fine, worthKnowing } from "./Finding.ts"

/** Whether the daemon starts from the compiled code beside it. Without it a start takes longer, and all else is the same. */
export const startCheck = (daemonScript: string): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.try(() => compile(daemonScript).use).pipe(
    Effect.match({
      onFailure: (error) => [worthKnowing("start", `${daemonScript} could not be read: ${String(error.cause)}`)],
      onSuccess: (use) => [
        use.state === "used"
          ? fine("start", "the daemon starts from its compiled code")
          : worthKnowing("start", `the daemon starts without its compiled code, which takes longer: ${use.reason}`)
      ]
    })
  )
