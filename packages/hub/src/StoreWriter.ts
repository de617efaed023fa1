import { Deferred, Effect, type Scope } from "effect"
import { Worker } from "node:worker_threads"
import { detailOf, pragmas, type SqlText } from "./StoreConnection.ts"
import { StoreChanged, StoreError } from "./StoreError.ts"

/** The thread that writes; see hub-writer.mjs. */
export interface StoreWriter {
  /** All statements or none, on disk when this succeeds. The numbers of changed rows. */
  readonly write: (statements: ReadonlyArray<SqlText>) => Effect.Effect<ReadonlyArray<number>, StoreError>
  /** The same, but only if no other program wrote to the store since it had this stamp. */
  readonly writeIfUnchanged: (
    stamp: StoreStamp,
    statements: ReadonlyArray<SqlText>
  ) => Effect.Effect<ReadonlyArray<number>, StoreError | StoreChanged>
  /** The stamp that the store had when the thread last looked, which is at each commit. */
  readonly stamp: () => StoreStamp
  /** Fails when the thread is gone: nothing can be stored from then on. */
  readonly died: Effect.Effect<never, StoreError>
}

/** Stands for all that other programs wrote to the store so far; what this one writes leaves it as it is. */
export type StoreStamp = number

/** A batch's number, and the numbers of changed rows, what went wrong, or that the store had another stamp. */
type Answer = readonly [id: number, said: ReadonlyArray<number> | string | null]

/** What the thread says: the store's stamp, and answers to batches; the first time none. */
type Said = readonly [stamp: StoreStamp, ...answers: ReadonlyArray<Answer>]

type Settle = (answer: Effect.Effect<ReadonlyArray<number>, StoreError | StoreChanged>) => void

/**
 * Says batches to the thread, each as one flat row of values: an object within an object costs both threads more than what is
 * in it. A row is the batch's number, the stamp that the store must have or null, and of each statement its number, its text (null
 * once the thread has it), how many parameters it has, and these.
 */
const speaker = (post: (row: ReadonlyArray<unknown>) => void) => {
  const numbers = new Map<string, number>()
  return (id: number, stamp: StoreStamp | null, statements: ReadonlyArray<SqlText>): void => {
    const unsaid = new Map<string, number>()
    const row: Array<unknown> = [id, stamp]
    for (const { parameters, sql } of statements) {
      const known = numbers.get(sql) ?? unsaid.get(sql)
      const number = known ?? numbers.size + unsaid.size
      if (known === undefined) unsaid.set(sql, number)
      row.push(number, known === undefined ? sql : null, parameters.length)
      // Only these bytes: what they are a piece of may be much larger.
      for (const value of parameters) row.push(value instanceof Uint8Array ? new Uint8Array(value) : value)
    }
    post(row)
    // Not before: a row that can't be posted takes its texts with it.
    for (const [sql, number] of unsaid) numbers.set(sql, number)
  }
}

const startThread = (workerData: object): Worker =>
  // Beside this file, and beside the bundle of the hub.
  new Worker(new URL("./hub-writer.mjs", import.meta.url), { workerData })

/** Starts the thread; it ends with the scope, after what it was given before. */
export const make = (path: string, start = startThread): Effect.Effect<StoreWriter, StoreError, Scope.Scope> =>
  Effect.gen(function*() {
    const failed = (detail: string) => new StoreError({ reason: "write", path, detail })
    const settled = (said: Answer[1]): Effect.Effect<ReadonlyArray<number>, StoreError | StoreChanged> => {
      if (said === null) return new StoreChanged()
      return typeof said === "string" ? failed(said) : Effect.succeed(said)
    }
    const death = yield* Deferred.make<never, StoreError>()
    const waiting = new Map<number, Settle>()
    let last = 0
    let stamp: StoreStamp = 0
    let dead: StoreError | undefined

    const worker = yield* Effect.acquireRelease(
      Effect.async<Worker, StoreError>((resume) => {
        const started = start({ path, pragmas })
        const die = (detail: string) => {
          dead ??= failed(detail)
          for (const settle of waiting.values()) settle(Effect.fail(dead))
          waiting.clear()
          Deferred.unsafeDone(death, Effect.fail(dead))
        }
        started.on("error", (cause) => {
          die(`the thread that writes it failed: ${detailOf(cause)}`)
          resume(Effect.fail(new StoreError({ reason: "open", path, detail: detailOf(cause) })))
        })
        started.on("exit", (code) => die(`the thread that writes it ended with ${code}`))
        started.on("message", ([now, ...answers]: Said) => {
          stamp = now
          if (answers.length === 0) resume(Effect.succeed(started))
          for (const [id, said] of answers) {
            const settle = waiting.get(id)
            waiting.delete(id)
            settle?.(settled(said))
          }
        })
      }),
      (worker) =>
        Effect.async<void>((resume) => {
          if (dead !== undefined) return resume(Effect.void)
          worker.once("exit", () => resume(Effect.void))
          worker.postMessage("close")
        })
    )

    const say = speaker((row) => worker.postMessage(row))
    const given = (required: StoreStamp | null, statements: ReadonlyArray<SqlText>) =>
      Effect.async<ReadonlyArray<number>, StoreError | StoreChanged>((resume) => {
        if (dead !== undefined) return resume(Effect.fail(dead))
        const id = ++last
        waiting.set(id, resume)
        say(id, required, statements)
        // What was begun is ended before an interrupt is heard: whoever waits for the commit learns whether it was made.
      }).pipe(Effect.uninterruptible)
    return {
      died: Deferred.await(death),
      stamp: () => stamp,
      // Without a stamp there is none to differ from.
      write: (statements) => Effect.catchTag(given(null, statements), "StoreChanged", Effect.die),
      writeIfUnchanged: given
    }
  })
