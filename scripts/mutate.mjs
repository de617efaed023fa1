// npm run mutate: makes one small change after the other to what decides over destruction, and looks whether a test notices.
// `npm run mutate -- NAME...` takes only these parts or files (VerifySignature); with tests among the names (durable/test/X.test.ts),
// only these are to notice. Ends with 1 when a score is below the least. With
// --continue, what was noticed before in a file that has not changed counts as noticed.
// Stryker's instrumenter makes the changes, all at once behind switches; the tests are bundled with them and run in one process,
// where a change costs as long as the tests that reach it, up to the first that fails, and not a start of everything.
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises"
import { basename, join } from "node:path"
import { Worker } from "node:worker_threads"
import { install, main, root } from "./toolchain.mjs"

const least = 90

const files = (name, some) => some.split(" ").map((file) => `packages/${name}/src/${file}.ts`)

/** What is changed, the tests that are to notice, and those among them that take too long to be run for each change. */
const parts = {
  verifier: {
    of: [
      ...files(
        "authz",
        "VerifySignature Threshold AllowedSigners SignerOptions SignerTime PatternList RevocationList Krl"
      ),
      ...files("authz", "InnerSignature PublicKey EcPoint Mpint KeyText SignatureRefused"),
      ...files("domain", "Sshsig SshWire ByteReader")
    ],
    by: ["authz/test"]
  },
  files: {
    of: files("authz", "HostPolicy PolicyDocument Signers"),
    by: ["agent/test/RootFiles.test.ts"]
  },
  policy: {
    of: files("authz", "Authz SignedDestruction OpRefused RateCap HubTime"),
    by: ["authz/test", "reconciler/test/op/Refusals.test.ts", "reconciler/test/op/Outcomes.test.ts"]
  },
  json: { of: files("domain", "StrictJson"), by: ["domain/test"] },
  mandate: { of: files("mandate", "Mandate"), by: ["mandate/test"] },
  stores: {
    of: [
      ...files(
        "durable",
        "DurableLog LogFormat Crc32c NonceStore NonceTable NonceRecord OpJournal JournalState Hold Reserve"
      ),
      ...files("durable", "AuditChain AuditVerdict StateFile KeptDocument DurableLogError JournalRecord Turns"),
      ...files("durable", "DesiredJournal StepRecord StepState MakingRecord MakingState JournalReading JournalError")
    ],
    by: ["durable/test"],
    without: ["PowerCuts.test.ts", "planted/Planted.test.ts"]
  }
}

const silent = { isDebugEnabled: () => false, debug: () => {}, info: () => {}, warn: () => {} }

/** The files with every change in them, each behind a switch of its own. */
const instrumented = async (names) => {
  const { Instrumenter } = await import("@stryker-mutator/instrumenter")
  const sources = await Promise.all(names.map(async (name) => ({
    name: join(root, name),
    mutate: true,
    content: await readFile(join(root, name), "utf8")
  })))
  const options = { plugins: null, excludedMutations: [], ignorers: [] }
  const result = await new Instrumenter(silent).instrument(sources, options)
  return { sources: new Map(sources.map(({ content, name }) => [name, content])), ...result }
}

const testsIn = async (folders, without) => {
  const found = await Promise.all(folders.map(async (folder) => {
    const path = join(root, "packages", folder)
    if (path.endsWith(".ts")) return [path]
    return (await readdir(path, { recursive: true })).filter((file) => file.endsWith(".test.ts")).map((file) =>
      join(path, file)
    )
  }))
  return found.flat().filter((file) => !without.some((name) => file.endsWith(`/${name}`))).toSorted()
}

const bundled = async (name, changed, tests) => {
  const { rolldown } = await import("rolldown")
  const sources = new Map(changed.map(({ content, name: file }) => [file, content]))
  const entry = "\0tests"
  const build = await rolldown({
    input: entry,
    platform: "node",
    // A change may well ask a module for what it does not have.
    logLevel: "silent",
    plugins: [{
      name: "mutants",
      resolveId: (id) => id === entry ? entry : id === "vitest" ? join(root, "scripts/mutate/vitest.mjs") : undefined,
      load: (id) => {
        if (id !== entry) return sources.has(id) ? { code: sources.get(id), moduleType: "ts" } : undefined
        const all = [...tests, join(root, "scripts/mutate/bench.mjs")]
        return all.map((file) => `import ${JSON.stringify(file)}`).join("\n")
      }
    }]
  })
  const file = join(root, `build/mutate/${name}.mjs`)
  await build.write({ file, format: "esm", codeSplitting: false })
  await build.close()
  return file
}

/** How much longer a test may take than it did: the machine does other things, too. */
const patience = (ms) => 3_000 + 20 * ms

/** A thread with the tests in it. Whatever it does not answer in time, it will not answer any more. */
const startBench = async (bundle, tests, activeMutant) => {
  const worker = new Worker(join(root, "scripts/mutate/thread.mjs"), {
    workerData: { bundle, activeMutant },
    resourceLimits: { maxOldGenerationSizeMb: 2048 },
    stdout: true,
    stderr: true
  })
  const answer = (ms) =>
    new Promise((resolve) => {
      let timer
      const end = (value) => {
        clearTimeout(timer)
        worker.removeAllListeners("message").removeAllListeners("error").removeAllListeners("exit")
        worker.on("error", () => {})
        resolve(value)
      }
      const wait = (longest) => {
        clearTimeout(timer)
        timer = setTimeout(() => end("late"), longest)
      }
      wait(ms)
      worker.on("message", ({ answer: value, test }) => {
        if (test === undefined) end({ value })
        else wait(patience(tests[test].ms))
      })
      worker.once("error", () => end("dead"))
      worker.once("exit", () => end("dead"))
    })
  const ready = await answer(120_000)
  return {
    ready,
    ask: (question, ms = 60_000) => {
      worker.postMessage(question)
      return answer(ms)
    },
    end: () => worker.terminate()
  }
}

const allTests = async (bundle) => {
  const bench = await startBench(bundle, [])
  const answer = await bench.ask({ ask: "all" }, 1_800_000)
  await bench.end()
  if (answer.value === undefined) throw new Error(`the tests did not end without a mutant: ${answer}`)
  const { coverage, tests } = answer.value
  const failing = tests.filter(({ failure }) => failure !== undefined)
  if (failing.length > 0) {
    throw new Error(
      `tests fail without a mutant:\n${failing.map(({ failure, name }) => `${name}: ${failure}`).join("\n")}`
    )
  }
  return { coverage, tests }
}

const noticed = new Set(["killed", "late", "dead"])

/** For each mutant whether a test noticed it: `killed`, `late` (it never ends), `survived`, or `unreached` by any test. */
const judged = async (bundle, mutants, { coverage, tests }, verdicts, keep) => {
  // What noticed other changes to the file comes first, then the quickest.
  const fileOf = new Map(mutants.map(({ fileName, id }) => [id, fileName]))
  const killings = new Map()
  const killingsOf = (id) => {
    const file = fileOf.get(id)
    if (!killings.has(file)) killings.set(file, new Map())
    return killings.get(file)
  }
  // What takes long, and a tenth of all the time, would be run for each change that nothing notices: others must do.
  const longest = Math.max(5_000, tests.reduce((sum, { ms }) => sum + ms, 0) / 10)
  const byPromise = (id, all) => {
    const quick = all.filter((test) => tests[test].ms < longest)
    const some = quick.length > 0 ? quick : all
    const kills = killingsOf(id)
    const price = (test) => tests[test].ms / (1 + (kills.get(test) ?? 0))
    return some.toSorted((a, b) => price(a) - price(b))
  }
  const noticedBy = (id, test) => {
    const kills = killingsOf(id)
    kills.set(test, (kills.get(test) ?? 0) + 1)
    return "killed"
  }
  const reaching = new Map()
  const hits = new Map()
  for (const [test, counts] of Object.entries(coverage.perTest)) {
    for (const [id, count] of Object.entries(counts)) {
      reaching.set(id, [...reaching.get(id) ?? [], Number(test)])
      hits.set(id, (hits.get(id) ?? 0) + count)
    }
  }
  let bench = await startBench(bundle, tests)
  const anew = async () => {
    await bench.end()
    bench = await startBench(bundle, tests)
  }
  const verdictOf = async (id) => {
    const some = byPromise(id, reaching.get(id) ?? [])
    if (some.length === 0) {
      if (coverage.static[id] === undefined) return "unreached"
      // What is done once, when a module is loaded, needs a thread of its own.
      const own = await startBench(bundle, tests, id)
      const every = byPromise(id, tests.map((_, index) => index))
      const answer = own.ready === "late" || own.ready === "dead"
        ? own.ready
        : await own.ask({ ask: "loaded", some: every })
      await own.end()
      if (typeof answer === "string") return answer
      return answer.value === undefined ? "survived" : noticedBy(id, answer.value.index)
    }
    const question = { ask: "mutant", id, some, hitLimit: 100 * (hits.get(id) ?? 0) + 1000 }
    let answer = await bench.ask(question)
    if (typeof answer === "object" && answer.value.spoiled !== undefined) {
      await anew()
      answer = await bench.ask(question)
    }
    if (typeof answer === "string" || answer.value.spoiled !== undefined) await anew()
    if (typeof answer === "string") return answer
    return answer.value.failing === undefined ? "survived" : noticedBy(id, answer.value.failing.index)
  }
  let told = Date.now()
  // Those that need a thread of their own come last.
  const inOrder = mutants.map(({ id }) => id).toSorted((a, b) => Number(!reaching.has(a)) - Number(!reaching.has(b)))
  for (const id of inOrder) {
    if (verdicts.has(id)) continue
    verdicts.set(id, await verdictOf(id))
    if (Date.now() - told < 20_000) continue
    told = Date.now()
    await keep(verdicts)
    console.error(
      `  ${verdicts.size} of ${mutants.length}; unnoticed ${
        [...verdicts.values()].filter((verdict) => !noticed.has(verdict)).length
      }`
    )
  }
  await bench.end()
  await keep(verdicts)
}

/** Change by change what nobody noticed, and how much was. */
const told = (name, sources, mutants, verdicts) => {
  const score = (some) => some.filter(({ id }) => noticed.has(verdicts.get(id))).length
  for (const [file, source] of sources) {
    const own = mutants.filter(({ fileName }) => fileName === file)
    console.log(`${basename(file)}: ${score(own)} of ${own.length}`)
    const lines = source.split("\n")
    for (const { id, location: { end, start }, mutatorName, replacement } of own) {
      if (noticed.has(verdicts.get(id))) continue
      const line = lines[start.line] ?? ""
      const old = line.slice(start.column, start.line === end.line ? end.column : undefined).trim()
      const now = replacement.replaceAll(/\s+/g, " ").slice(0, 120)
      console.log(`  ${start.line + 1}:${start.column + 1} ${verdicts.get(id)} ${mutatorName}: ${old}  ->  ${now}`)
    }
  }
  const percent = 100 * score(mutants) / mutants.length
  console.log(`${name}: ${score(mutants)} of ${mutants.length} changes noticed, ${percent.toFixed(1)} %`)
  return percent
}

/** One file for each file that is changed, so that it does not matter which others were asked for with it. */
const record = (file) => join(root, "build/mutate/found", `${basename(file)}.json`)

const placeOf = ({ location: { end, start }, replacement }) =>
  `${start.line}:${start.column}-${end.line}:${end.column} ${replacement}`

/** What was noticed before, in files that are as they were then. */
const foundBefore = async (sources, mutants) => {
  const verdicts = new Map()
  for (const [file, source] of sources) {
    const found = JSON.parse(await readFile(record(file), "utf8").catch(() => "{}"))
    if (found.source !== source) continue
    for (const mutant of mutants.filter(({ fileName }) => fileName === file)) {
      const verdict = found.verdicts[placeOf(mutant)]
      if (noticed.has(verdict)) verdicts.set(mutant.id, verdict)
    }
  }
  return verdicts
}

const keepFound = (sources, mutants) => async (verdicts) => {
  await mkdir(join(root, "build/mutate/found"), { recursive: true })
  for (const [file, source] of sources) {
    const own = mutants.filter(({ fileName, id }) => fileName === file && verdicts.has(id))
    const found = Object.fromEntries(own.map((mutant) => [placeOf(mutant), verdicts.get(mutant.id)]))
    await writeFile(record(file), JSON.stringify({ source, verdicts: found }))
  }
}

const tried = async (name, { by, of, without }, continued) => {
  const { files: changed, mutants, sources } = await instrumented(of)
  const bundle = await bundled(name, changed, await testsIn(by, without))
  const began = Date.now()
  const baseline = await allTests(bundle)
  console.error(`${name}: ${mutants.length} changes, ${baseline.tests.length} tests in ${Date.now() - began} ms`)
  const verdicts = continued ? await foundBefore(sources, mutants) : new Map()
  await judged(bundle, mutants, baseline, verdicts, keepFound(sources, mutants))
  return told(name, sources, mutants, verdicts)
}

main(async () => {
  await install()
  await mkdir(join(root, "build/mutate"), { recursive: true })
  const names = process.argv.slice(2).filter((argument) => argument !== "--continue")
  const asked = names.filter((name) => !name.endsWith(".test.ts"))
  const only = names.filter((name) => name.endsWith(".test.ts"))
  const continued = process.argv.includes("--continue")
  let low = false
  let found = false
  for (const [part, { by, of, without = [] }] of Object.entries(parts)) {
    const chosen = asked.length === 0 || asked.includes(part)
      ? of
      : of.filter((file) => asked.includes(basename(file, ".ts")))
    if (chosen.length === 0) continue
    found = true
    const name = chosen === of ? part : `${part}-${chosen.map((file) => basename(file, ".ts")).join("-")}`
    if (await tried(name, { by: only.length > 0 ? only : by, of: chosen, without }, continued) < least) low = true
  }
  if (!found) throw new Error(`there is no such part; there are ${Object.keys(parts).join(", ")}, and their files`)
  if (low) throw new Error(`a score is below ${least} %`)
})
