import { Effect } from "effect"
import { run } from "./Program.ts"
import { StoryFailed } from "./StoryFailed.ts"

type Environment = { readonly [name: string]: string }

/**
 * Lets a host in, with the commands that people would type: at the host with a one-time token, and at the hub by the code that the
 * host shows. `accepting` is told the code
 * before it is accepted.
 */
export const letIn = (options: {
  /** The agent's. */
  readonly host: Environment
  /** An admin's. */
  readonly admin: Environment
  readonly oneTimeToken: string
  readonly accepting?: (code: string) => Effect.Effect<void>
  /** What the host's command printed, and the admin's. */
  readonly shown?: (text: string) => Effect.Effect<void>
  readonly accepted?: (text: string) => Effect.Effect<void>
}): Effect.Effect<void, StoryFailed> =>
  Effect.gen(function*() {
    const nothing = () => Effect.void
    const { accepted = nothing, accepting = nothing, admin, host, oneTimeToken, shown: showing = nothing } = options
    const environment = { ...host, FELHOM_AGENT_ENROL_TOKEN: oneTimeToken }
    const shown = yield* run("main.js", ["enrol", "--once"], environment, [1])
    yield* showing(shown)
    const code = /^code +(\S+)$/m.exec(shown)?.[1]
    if (code === undefined) return yield* new StoryFailed({ message: `no code was shown:\n${shown}` })
    yield* accepting(code)
    yield* accepted(yield* run("felhom.js", ["accept", code], admin))
    yield* run("main.js", ["enrol", "--once"], environment)
  })
