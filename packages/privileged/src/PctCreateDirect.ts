import type { CommandExecutor } from "@effect/platform"
import { displayTextWithin } from "@felhom/domain/DisplayText"
import { Effect } from "effect"
import {
  pctConfigArgv,
  pctCreateArgv,
  type PctCreateRequest,
  type PctCreateResult,
  whatIsMissing
} from "./PctCreate.ts"
import { PrivilegedError } from "./Privileged.ts"
import { pctCreateExchange } from "./RootExchange.ts"
import { outputOf, type RootCommand } from "./RunCommand.ts"
import { validated } from "./Validated.ts"

const install = "this is no Proxmox VE host, or pve-container is not installed"

const createOf = (request: PctCreateRequest): RootCommand => ({
  verb: "pctCreate",
  argv: pctCreateArgv(request),
  seconds: 600,
  install,
  late:
    `it was told to stop, and whether CT ${request.vmid} is there is not known: look with pct list and pct config ${request.vmid}`
})

const configOf = ({ vmid }: PctCreateRequest): RootCommand => ({
  verb: "pctCreate",
  argv: pctConfigArgv(vmid),
  seconds: 30,
  install,
  late: `CT ${vmid} was created, and what it is was not read: look with pct config ${vmid}`
})

// The end of what pct prints tells how it went; a line of answer holds about twice this.
const mostLines = 20
const longestLine = 160

/** The verb `pctCreate`, done here: created, and then read back, since only the configuration shows what is there. */
export const pctCreate = (
  unchecked: PctCreateRequest
): Effect.Effect<PctCreateResult, PrivilegedError, CommandExecutor.CommandExecutor> =>
  Effect.gen(function*() {
    const request = yield* validated(pctCreateExchange, unchecked)
    const output = yield* outputOf(createOf(request))
    const missing = whatIsMissing(yield* outputOf(configOf(request)))
    if (missing.length > 0) {
      return yield* new PrivilegedError({
        verb: "pctCreate",
        reason: "failed",
        detail: `pct created CT ${request.vmid}, but its configuration lacks ${
          missing.join(" and ")
        }: don't use it as an image`
      })
    }
    const lines = output.split("\n").filter((line) => line.trim() !== "")
    return { output: lines.slice(-mostLines).map((line) => displayTextWithin(line, longestLine)) }
  })
