import type { CommandExecutor } from "@effect/platform"
import { Effect, Option, type ParseResult } from "effect"
import { PrivilegedError } from "./Privileged.ts"
import { problemWords } from "./ProblemWords.ts"
import { smartExchange } from "./RootExchange.ts"
import { outputOf, type RootCommand, runCommand, unsuccessful } from "./RunCommand.ts"
import {
  diskPatienceSeconds,
  parseSensors,
  parseSmartctl,
  smartArgv,
  smartctlCouldNotRead,
  smartctlFoundItAsleep,
  type SmartRequest,
  type SmartResult,
  whyNotAsked
} from "./Smart.ts"
import { validated } from "./Validated.ts"

const commandOf = (request: SmartRequest): RootCommand => ({
  verb: "smart",
  argv: smartArgv(request),
  // For a disk longer than it is waited for, so that what is left of the program is told to stop after the answer.
  seconds: request.action === "smart" ? diskPatienceSeconds + 2 : 10,
  ...request.action === "smart"
    ? {
      install: "apt install smartmontools",
      late:
        `${request.device} does not answer, as a dying disk or one with a bad cable does; look at dmesg, and save what is on it`
    }
    : { install: "apt install lm-sensors", late: "a sensor does not answer; look at dmesg" }
})

const readable = (program: string, parsed: Effect.Effect<SmartResult, ParseResult.ParseIssue>) =>
  Effect.mapError(parsed, (issue) =>
    new PrivilegedError({
      verb: "smart",
      reason: "malformed",
      detail: `${program} answered in a form that is not known here: ${problemWords(issue)}`
    }))

/** The verb `smart`, done here: it reads, changes nothing and wakes no disk. */
export const smart = (
  unchecked: SmartRequest
): Effect.Effect<SmartResult, PrivilegedError, CommandExecutor.CommandExecutor> =>
  Effect.gen(function*() {
    const request = yield* validated(smartExchange, unchecked)
    const command = commandOf(request)
    if (request.action === "sensors") {
      return yield* readable(command.argv[0], parseSensors(yield* outputOf(command)))
    }
    const { action, device } = request
    const why = whyNotAsked(device)
    if (why !== undefined) return { action, device, state: "skipped", why }
    const ended = yield* Effect.timeoutOption(Effect.disconnect(runCommand(command)), `${diskPatienceSeconds} seconds`)
    if (Option.isNone(ended)) return { action, device, state: "silent", seconds: diskPatienceSeconds }
    const finished = ended.value
    if (smartctlFoundItAsleep(finished.exitCode)) return { action, device, state: "asleep" }
    if (smartctlCouldNotRead(finished.exitCode)) return yield* unsuccessful(command, finished)
    return yield* readable(command.argv[0], parseSmartctl(device, finished.exitCode, finished.stdout))
  })
