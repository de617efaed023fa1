// Stands in for vitest where tests are run again and again in one process: collects what is declared, and nothing else.
import { JestAsymmetricMatchers, JestChaiExpect, JestExtend } from "@vitest/expect"
import * as chai from "chai"

for (const plugin of [JestExtend, JestChaiExpect, JestAsymmetricMatchers]) chai.use(plugin)

export const expect = chai.expect

/** All tests that were declared, in their order. */
export const tests = []

const groups = []

export const describe = (name, declare) => {
  groups.push(name)
  declare()
  groups.pop()
}

const filled = (name, values) => {
  let next = 0
  return name.replaceAll(/%[sdijo]/g, () => String(values[next++]))
}

const declared = (name, ...rest) => {
  const run = rest.find((part) => typeof part === "function")
  tests.push({ name: [...groups, name].join(" > "), run })
}

const each = (cases) => (name, ...rest) => {
  const run = rest.find((part) => typeof part === "function")
  for (const one of cases) {
    const values = Array.isArray(one) ? one : [one]
    declared(filled(name, values), () => run(...values))
  }
}

const unknown = (name) => () => {
  throw new Error(`the tests that mutants are shown to use ${name}, which is not there`)
}

export const it = Object.assign(declared, {
  each,
  for: (cases) => (name, ...rest) => {
    const run = rest.find((part) => typeof part === "function")
    for (const one of cases) declared(name, (context) => run(one, context))
  },
  scoped: unknown("fixtures"),
  skip: unknown("it.skip"),
  only: unknown("it.only"),
  skipIf: unknown("it.skipIf"),
  runIf: unknown("it.runIf"),
  fails: unknown("it.fails")
})

export const beforeAll = unknown("beforeAll")
export const afterAll = unknown("afterAll")
export const beforeEach = unknown("beforeEach")
export const afterEach = unknown("afterEach")
export const vi = new Proxy({}, { get: (_, name) => unknown(`vi.${String(name)}`) })
