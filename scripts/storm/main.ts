import type { Violation } from "@felhom/storm/Ledger"
import { type Found, replay, storm } from "@felhom/storm/Storm"

const usage = `storm [--schedules N] [--seed S] [--until-one] [--until INVARIANT] [--whole]

Runs the whole agent on a virtual clock against the simulated Proxmox and a hub, with faults, crashes, lies and people, and
holds every invariant of docs/architecture.md after each step. 64 seeds share a world, in which one schedule follows on the other.

  --schedules N   how many schedules (2000; with --seed 1)
  --seed S        the first schedule's seed; one alone is played line by line, and is the same each time: those before it in its
                  world go first, without a word
  --until-one     ends with the first violation
  --until NAME    ends with the first violation of that invariant, such as I4 or converges
  --whole         shows a schedule that went wrong as it was, and not what of it is enough

It ends with 1 if there was a violation.`

const wrong = (why: string): never => {
  console.error(`${why}\n\n${usage}`)
  process.exit(2)
}

const numberAfter = (name: string, text: string | undefined): number =>
  text !== undefined && /^\d{1,10}$/.test(text)
    ? Number(text)
    : wrong(`${name} takes a whole number, not ${text ?? "nothing"}`)

const invariantAfter = (name: string, text: string | undefined): Violation["invariant"] => {
  const [, number] = /^I(\d{1,2})$/.exec(text ?? "") ?? []
  if (text === "converges") return text
  return number === undefined
    ? wrong(`${name} takes an invariant, such as I4 or converges, not ${text ?? "nothing"}`)
    : `I${Number(number)}`
}

const wantedFrom = (texts: ReadonlyArray<string>) => {
  let schedules: number | undefined
  let seed: number | undefined
  let untilOne: boolean | Violation["invariant"] = false
  let shrinks = true
  for (let at = 0; at < texts.length; at++) {
    const text = texts[at]
    if (text === "--schedules") schedules = numberAfter(text, texts[++at])
    else if (text === "--seed") seed = numberAfter(text, texts[++at])
    else if (text === "--until-one") untilOne = true
    else if (text === "--until") untilOne = invariantAfter(text, texts[++at])
    else if (text === "--whole") shrinks = false
    else if (text === "--help") {
      console.log(usage)
      process.exit(0)
    } else wrong(`there is no option ${text ?? ""}`)
  }
  return {
    schedules: schedules ?? (seed === undefined ? 2000 : 1),
    seed: seed ?? 1,
    untilOne,
    shrinks,
    alone: seed !== undefined && (schedules ?? 1) === 1
  }
}

const show = ({ earlier, lines, plan, seed, violation }: Found): void => {
  console.log(`\nseed ${seed}: ${violation.invariant} does not hold: ${violation.detail}`)
  console.log(
    `  with ${plan.actions.length} action(s): ${plan.actions.map(({ at, name }) => `${name} at ${at} ms`).join(", ")}`
  )
  if (earlier.length > 0) {
    console.log(
      `  after ${earlier.length} schedule(s) before it in its world, with seeds ${
        earlier.map((one) => one.seed).join(", ")
      }`
    )
  }
  for (const line of lines) console.log(`  ${line}`)
  console.log(`  again, with all that happened beside it: npm run storm -- --seed ${seed}`)
}

const { alone, ...wanted } = wantedFrom(process.argv.slice(2))
if (alone) {
  const { hash, lines } = replay(wanted.seed)
  for (const line of lines) console.log(line)
  console.log(`trace ${hash.toString(16).padStart(8, "0")}`)
}
const begun = performance.now()
const every = Math.max(1, Math.round(wanted.schedules / 20))
const campaign = storm(wanted, (done) => {
  if (done % every === 0 && process.stderr.isTTY) process.stderr.write(`\r${done} of ${wanted.schedules} schedules`)
})
if (process.stderr.isTTY) process.stderr.write("\r\u001b[K")
const seconds = (performance.now() - begun) / 1000
for (const found of campaign.found) show(found)
const { calls, changes, ended, lives, reports, schedules, violations } = campaign
console.log(
  `${lives} lives of the agent, ${reports} reports, ${calls} destructive calls, ${changes} others, ${ended} ops ended`
)
console.log(`${schedules} schedules, ${violations} violations, ${Math.round(schedules / seconds)} schedules/s`)
process.exit(violations === 0 ? 0 : 1)
