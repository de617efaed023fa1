import { Effect, Either, Logger, LogLevel, Schema } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { setTrap } from "./FileTrap.ts"
import { live, stateFolder } from "./Life.ts"
import { Assignment, assignmentFile, Line } from "./Report.ts"
import { spendMany } from "./Spending.ts"

const encode = Schema.encodeSync(Schema.parseJson(Line))

/** One life in each folder that is named, one after the other; of each, lines of how far it came, and one of what came of it. */
const lives = Effect.forEach(process.argv.slice(2), (folder) =>
  Effect.gen(function*() {
    const { home, spends, trap } = yield* Schema.decodeUnknown(Schema.parseJson(Assignment))(
      readFileSync(join(folder, assignmentFile), "utf8")
    )
    const faulty = trap?.how === "EIO" || trap?.how === "ENOSPC"
    const steps = setTrap(stateFolder(home), trap ?? undefined)
    if (spends !== undefined) {
      yield* spendMany(home, spends, (spent) => console.log(encode({ spent })))
      console.log(encode({ steps: steps().seen, sprung: steps().sprung ?? null, lived: null, failure: null }))
      return
    }
    const lived = yield* Effect.either(
      live(home, { faulty, onReached: (reached) => console.log(encode({ reached })) })
    )
    console.log(encode({
      steps: steps().seen,
      sprung: steps().sprung ?? null,
      lived: Either.getOrNull(lived),
      failure: Either.match(lived, { onLeft: ({ message }) => message, onRight: () => null })
    }))
  }), { discard: true })

void Effect.runPromise(Effect.provide(lives, Logger.minimumLogLevel(LogLevel.None)))
