// The one that writes to the hub's store: a worker thread with a connection of its own, so that nobody who reads, or waits for
// anything else, waits for a disk. JavaScript, because Node 20 starts no worker from TypeScript.
import Database from "libsql"
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads"

/**
 * @typedef {{ readonly sql: string, readonly parameters: ReadonlyArray<unknown> }} Statement
 * @typedef {{ readonly id: number, readonly statements: ReadonlyArray<Statement> }} Batch
 * @typedef {{ readonly id: number, readonly changes?: ReadonlyArray<number>, readonly error?: string }} Answer
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

/** @type {Map<string, ReturnType<typeof db.prepare>>} */
const prepared = new Map()

/** @param {string} sql */
const statementOf = (sql) => {
  const known = prepared.get(sql)
  if (known !== undefined) return known
  const made = db.prepare(sql)
  prepared.set(sql, made)
  return made
}

/** @param {unknown} cause */
const detailOf = (cause) => (cause instanceof Error ? cause.message : String(cause))

/**
 * The driver binds a Buffer and no other bytes.
 * @param {unknown} value
 */
const bindable = (value) =>
  value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value

/**
 * @param {Batch} batch
 * @returns {Answer}
 */
const runAlone = ({ id, statements }) => ({
  id,
  changes: statements.map(({ parameters, sql }) => statementOf(sql).run(parameters.map(bindable)).changes)
})

/**
 * Within a savepoint of its own, so that what fails in here leaves the other batches as they are.
 * @param {Batch} batch
 * @returns {Answer}
 */
const run = (batch) => {
  const { id } = batch
  statementOf("SAVEPOINT batch").run([])
  try {
    const answer = runAlone(batch)
    statementOf("RELEASE batch").run([])
    return answer
  } catch (cause) {
    // A full disk ends the whole transaction by itself; what is left of it then is told by the commit.
    if (db.inTransaction) {
      statementOf("ROLLBACK TO batch").run([])
      statementOf("RELEASE batch").run([])
    }
    return { id, error: detailOf(cause) }
  }
}

/**
 * All batches in one transaction. None is answered before the commit is on disk.
 * @param {ReadonlyArray<Batch>} batches
 * @returns {ReadonlyArray<Answer>}
 */
const commit = (batches) => {
  try {
    statementOf("BEGIN IMMEDIATE").run([])
    const answers = []
    for (const batch of batches) {
      // One that is alone falls with the whole transaction.
      const answer = batches.length === 1 ? runAlone(batch) : run(batch)
      if (!db.inTransaction) throw new Error(answer.error ?? "the transaction ended before its commit")
      answers.push(answer)
    }
    statementOf("COMMIT").run([])
    return answers
  } catch (cause) {
    if (db.inTransaction) statementOf("ROLLBACK").run([])
    return batches.map(({ id }) => ({ id, error: detailOf(cause) }))
  }
}

port.on("message", (/** @type {Batch | "close"} */ first) => {
  /** @type {Array<Batch>} */
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
    batches.push(next.message)
  }
  if (batches.length > 0) port.postMessage(commit(batches))
  if (!closing) return
  prepared.clear()
  db.close()
  port.close()
})

// Ready: the store is open.
port.postMessage([])
