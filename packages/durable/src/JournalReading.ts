import { DurableFile } from "@felhom/domain/port/DurableFile"
import { Effect, Either, Option, Schema } from "effect"
import { decodeInit } from "./DurableLog.ts"
import { DurableLogError } from "./DurableLogError.ts"
import { JournalRecord } from "./JournalRecord.ts"
import { applied, emptyJournal, type JournalState } from "./JournalState.ts"
import { parseLog } from "./LogFormat.ts"

/** The journal is the file `journal.log` in the state folder. */
export const journalLogName = "journal"

const decode = Schema.decodeUnknown(Schema.parseJson(JournalRecord))
const text = new TextDecoder()

/** What the records of the log at `path`, which is only named, come to. */
export const journalOf =
  (path: string) => (records: ReadonlyArray<Uint8Array>): Effect.Effect<JournalState, DurableLogError> =>
    Effect.gen(function*() {
      const refuse = (detail: string) => new DurableLogError({ reason: "unreadable", path, detail })
      let state = emptyJournal
      for (const record of records) {
        const decoded = yield* Effect.mapError(
          decode(text.decode(record)),
          () => refuse("it holds a record that can't be read")
        )
        state = yield* Either.mapLeft(applied(state, decoded), refuse)
      }
      return state
    })

/**
 * What the journal in the state folder holds, for whoever only looks: nothing is opened or changed, and a daemon may write it
 * meanwhile. Empty where there is none yet.
 */
export const readJournal = (directory: string): Effect.Effect<JournalState, DurableLogError, DurableFile> =>
  Effect.gen(function*() {
    const path = `${directory.replace(/\/+$/, "")}/${journalLogName}.log`
    const refuse = (detail: string) => new DurableLogError({ reason: "unreadable", path, detail })
    const found = yield* Effect.mapError(
      Effect.flatMap(DurableFile, (files) => files.read(path)),
      ({ detail }) => refuse(detail)
    )
    if (Option.isNone(found)) return emptyJournal
    const { end, records: [init, ...records] } = parseLog(found.value)
    // What is being written right now looks as if it had been cut off.
    if (end._tag === "damaged" || Option.isNone(decodeInit(journalLogName, init))) {
      return yield* refuse("it is damaged")
    }
    return yield* journalOf(path)(records)
  })
