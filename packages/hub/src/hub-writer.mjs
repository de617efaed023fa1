// The one that writes to the hub's store: a worker thread with a connection of its own, so that nobody who reads, or waits for
// anything else, waits for a disk. JavaScript, because Node 20 starts no worker from TypeScript.
import Database from "libsql"
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads"

/**
 * A batch is one row, see StoreWriter.ts: its number; the stamp that the store must have for it, or null; then of each statement
 * its number, its text or null when it came before, how many parameters it has, and these.
 *
 * What is answered is the store's stamp and an answer for each batch: the numbers of changed rows, what went wrong, or null where
 * the store had another stamp.
 * @typedef {ReadonlyArray<unknown>} Batch
 * @typedef {readonly [id: unknown, said: ReadonlyArray<number> | string | null]} Answer
 */

/** So many batches at most share one commit: those that wait are answered soon, too. */
const batchesAtOnce = 64

/** @type {import("node:worker_threads").MessagePort} */
const port = (() => {
  if (parentPort === null) throw new Error("hub-writer.mjs is started by the hub, as a worker")
  return parentPort
})()

/** @type {{ readonly path: string, readonly pragmas: ReadonlyArray<string> }} */
const { path, pragmas } = workerData

const db = new Database(path)
for (const pragma of pragmas) db.prepare(pragma).all()

/**
 * The statements that came, by their numbers. One is prepared when it is first run, as its text may be faulty.
 * @type {Array<{ readonly sql: string, prepared?: ReturnType<typeof db.prepare> }>}
 */
const statements = []

/** @param {{ readonly sql: string, prepared?: ReturnType<typeof db.prepare> }} statement */
const preparedOf = (statement) => (statement.prepared ??= db.prepare(statement.sql))

const foreignWrites = db.prepare("PRAGMA data_version").raw()

/** Another number once another program wrote to the store; what this connection writes leaves it as it is. */
const stampNow = () => foreignWrites.get([])[0]
let stamp = stampNow()

const begin = { sql: "BEGIN IMMEDIATE" }
const end = { sql: "COMMIT" }
const giveUp = { sql: "ROLLBACK" }
const savepoint = { sql: "SAVEPOINT batch" }
const release = { sql: "RELEASE batch" }
const backToSavepoint = { sql: "ROLLBACK TO batch" }
/** @type {ReadonlyArray<unknown>} */
const nothing = []

/** @param {unknown} cause */
const detailOf = (cause) => (cause instanceof Error ? cause.message : String(cause))

/**
 * The driver binds a Buffer and no other bytes.
 * @param {unknown} value
 */
const bindable = (value) =>
  value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value

/**
 * Takes in the texts that a batch brings, whatever becomes of the batch: they have their numbers from now on.
 * @param {Batch} batch
 * @returns {ReadonlyArray<readonly [statement: (typeof statements)[number], parameters: ReadonlyArray<unknown>]>}
 */
const read = (batch) => {
  const found = []
  for (let at = 2; at < batch.length;) {
    const number = Number(batch[at])
    const text = batch[at + 1]
    const first = at + 3
    at = first + Number(batch[at + 2])
    const statement = typeof text === "string" ? (statements[number] = { sql: text }) : statements[number]
    if (statement === undefined) throw new Error(`statement ${number} came without its text`)
    found.push(/** @type {const} */ ([statement, batch.slice(first, at).map(bindable)]))
  }
  return found
}

/**
 * @typedef {{ readonly id: unknown, readonly stamp: unknown, readonly work: ReturnType<typeof read> }} Work
 * @param {Work} batch
 * @returns {Answer}
 */
const runAlone = ({ id, work }) => [
  id,
  work.map(([statement, parameters]) => preparedOf(statement).run(parameters).changes)
]

/**
 * Within a savepoint of its own, so that what fails in here leaves the other batches as they are.
 * @param {Work} batch
 * @returns {Answer}
 */
const run = (batch) => {
  preparedOf(savepoint).run(nothing)
  try {
    const answer = runAlone(batch)
    preparedOf(release).run(nothing)
    return answer
  } catch (cause) {
    // A full disk ends the whole transaction by itself; what is left of it then is told by the commit.
    if (db.inTransaction) {
      preparedOf(backToSavepoint).run(nothing)
      preparedOf(release).run(nothing)
    }
    return [batch.id, detailOf(cause)]
  }
}

/**
 * All batches in one transaction. None is answered before the commit is on disk.
 * @param {ReadonlyArray<Work>} batches
 * @returns {ReadonlyArray<unknown>}
 */
const commit = (batches) => {
  try {
    preparedOf(begin).run(nothing)
    // From here to the commit nobody else writes.
    stamp = stampNow()
    /** @type {Array<unknown>} */
    const answers = [stamp]
    for (const batch of batches) {
      if (batch.stamp !== null && batch.stamp !== stamp) {
        answers.push([batch.id, null])
        continue
      }
      // One that is alone falls with the whole transaction.
      const answer = batches.length === 1 ? runAlone(batch) : run(batch)
      if (!db.inTransaction) {
        throw new Error(typeof answer[1] === "string" ? answer[1] : "the transaction ended before its commit")
      }
      answers.push(answer)
    }
    preparedOf(end).run(nothing)
    return answers
  } catch (cause) {
    if (db.inTransaction) preparedOf(giveUp).run(nothing)
    return [stamp, ...batches.map(({ id }) => [id, detailOf(cause)])]
  }
}

port.on("message", (/** @type {Batch | "close"} */ first) => {
  /** @type {Array<Work>} */
  const batches = []
  let closing = false
  for (
    /** @type {{ message: Batch | "close" } | undefined} */
    let next = { message: first };
    next !== undefined;
    next = batches.length < batchesAtOnce ? receiveMessageOnPort(port) : undefined
  ) {
    if (next.message === "close") {
      closing = true
      break
    }
    batches.push({ id: next.message[0], stamp: next.message[1], work: read(next.message) })
  }
  if (batches.length > 0) port.postMessage(commit(batches))
  if (!closing) return
  statements.length = 0
  db.close()
  port.close()
})

// Ready: the store is open.
port.postMessage([stamp])
