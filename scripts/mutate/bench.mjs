// Runs the tests that were bundled with it, for whoever started it in a thread: all of them once, then some of them for a mutant.
import { parentPort } from "node:worker_threads"
import { tests } from "./vitest.mjs"

const state = globalThis.__stryker__

const finished = async ({ run }) => {
  const after = []
  const aborting = new AbortController()
  try {
    await run({ onTestFinished: (one) => after.push(one), signal: aborting.signal, expect: undefined })
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    for (const one of after) await one()
  }
}

/** Each test once, by itself: how long it takes, what it reaches, and whether it passes. */
const all = async () => {
  const found = []
  for (const [index, test] of tests.entries()) {
    state.currentTestId = String(index)
    const began = performance.now()
    const failure = await finished(test)
    found.push({ name: test.name, failure, ms: performance.now() - began })
  }
  state.currentTestId = undefined
  return { tests: found, coverage: state.mutantCoverage ?? { static: {}, perTest: {} } }
}

/** The first of these tests that fails; undefined when none does. */
const firstFailing = async (some) => {
  for (const index of some) {
    parentPort.postMessage({ test: index })
    const failure = await finished(tests[index])
    if (failure !== undefined) return { index, failure }
  }
  return undefined
}

const answers = {
  all,
  // What a failing test leaves behind could fail others: whether it passes without the mutant shows that it did not.
  mutant: async ({ hitLimit, id, some }) => {
    state.activeMutant = id
    state.hitCount = 0
    state.hitLimit = hitLimit
    const failing = await firstFailing(some)
    state.activeMutant = undefined
    state.hitCount = undefined
    const spoiled = failing === undefined ? undefined : await firstFailing([failing.index])
    return { failing, spoiled }
  },
  loaded: ({ some }) => firstFailing(some)
}

process.on("unhandledRejection", () => {})
parentPort.on("message", async ({ ask, ...rest }) => parentPort.postMessage({ answer: await answers[ask](rest) }))
parentPort.postMessage({ answer: "ready" })
