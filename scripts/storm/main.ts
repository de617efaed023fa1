import type { Violation } from "@felhom/storm/Ledger"
import { type Found, replay, storm } from "@felhom/storm/Storm"
import { inJobs, noSums, sharesOf, type Sums } from "./Jobs.ts"

const usage = `storm [--schedules N] [--seed S] [--jobs J] [--until-one] [--until INVARIANT] [--whole]

Runs the whole agent on a virtual clock against the simulated Proxmox and a hub, with faults, crashes, lies and people, and
holds every invariant of docs/architecture.md after each step. 64 seeds share a world, in which one schedule follows on the other.

  --schedules N   how many schedules (2000; with --seed 1)
  --seed S        the first schedule's seed; one alone is played line by line, and is the same each time: those before it in its
                  world go first, without a word
  --jobs J        in so many processes, each with its share of the seeds (1); with more than one, the first violation ends all
  --until-one     ends with the first violation
  --until NAME    ends with the first violation of that invariant, such as I4 or converges
  --whole         shows a schedule that went wrong as it was, and not what of it is enough

How far it is stands on standard error, every 1,000 schedules or every minute. The last line's schedules/s are those of one core,
however many processes there are. It ends with 1 if there was a violation.`

const wrong = (why: string): never => {
  console.error(`${why}\n\n${usage}`)
  process.exit(2)
}

const numberAfter = (name: string, text: string | undefined): number =>
  text !== undefined && /^\d{1,10}$/.test(text)
    ? Number(text)
    : wrong(`${name} takes a whole number, not ${text ?? "nothing"}`)

const mostJobs = 64

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
  let jobs = 1
  for (let at = 0; at < texts.length; at++) {
    const text = texts[at]
    if (text === "--schedules") schedules = numberAfter(text, texts[++at])
    else if (text === "--seed") seed = numberAfter(text, texts[++at])
    else if (text === "--jobs") jobs = numberAfter(text, texts[++at])
    else if (text === "--until-one") untilOne = true
    else if (text === "--until") untilOne = invariantAfter(text, texts[++at])
    else if (text === "--whole") shrinks = false
    else if (text === "--help") {
      console.log(usage)
      process.exit(0)
    } else wrong(`there is no option ${text ?? ""}`)
  }
  if (jobs < 1 || jobs > mostJobs) wrong(`--jobs takes 1 to ${mostJobs}, not ${jobs}`)
  return {
    wanted: {
      schedules: schedules ?? (seed === undefined ? 2000 : 1),
      seed: seed ?? 1,
      untilOne,
      shrinks
    },
    jobs,
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

const { alone, jobs, wanted } = wantedFrom(process.argv.slice(2))

const everySchedules = 1000
const everyMillis = 60_000

const rateOf = ({ schedules, seconds }: Sums): number => Math.round(schedules / Math.max(seconds, 0.001))

/** A line now and then, for whoever waits for hours. */
const progress = (): (so: Sums) => void => {
  let next = everySchedules
  let since = performance.now()
  return (so) => {
    const now = performance.now()
    if (so.schedules < next && now - since < everyMillis) return
    next = (Math.floor(so.schedules / everySchedules) + 1) * everySchedules
    since = now
    console.error(
      `${so.schedules} of ${wanted.schedules} schedules, ${so.violations} violations, ${rateOf(so)} schedules/s`
    )
  }
}

const campaign = (told: (so: Sums) => void): Sums => {
  const begun = performance.now()
  const seconds = () => (performance.now() - begun) / 1000
  const so = { ...noSums }
  const { found, ...sums } = storm(wanted, (done, { violation }) => {
    so.schedules = done
    if (violation !== undefined) {
      so.violations += 1
      // What is enough of it is shown in the end, which may be hours away.
      console.error(`seed ${wanted.seed + done - 1}: ${violation.invariant} does not hold: ${violation.detail}`)
    }
    so.seconds = seconds()
    told(so)
  })
  const all = { ...sums, seconds: seconds() }
  for (const one of found) show(one)
  return all
}

const tell = (sums: Sums): void => {
  const { calls, changes, ended, lives, reports, schedules, violations } = sums
  console.log(
    `${lives} lives of the agent, ${reports} reports, ${calls} destructive calls, ${changes} others, ${ended} ops ended`
  )
  console.log(`${schedules} schedules, ${violations} violations, ${rateOf(sums)} schedules/s`)
  process.exit(violations === 0 ? 0 : 1)
}

/** How each process of several is to end, and what it shows. */
const optionsOfJobs = (): ReadonlyArray<string> => [
  ...(typeof wanted.untilOne === "string" ? ["--until", wanted.untilOne] : ["--until-one"]),
  ...(wanted.shrinks ? [] : ["--whole"])
]

/** As one of several processes, whose sums go to the one that started it. */
const asJob = (send: (so: Sums, sent: () => void) => void): void => {
  let since = performance.now()
  const sums = campaign((so) => {
    const now = performance.now()
    if (now - since < 1000) return
    since = now
    send(so, () => undefined)
  })
  send(sums, () => process.exit(sums.violations === 0 ? 0 : 1))
}

const aloneOrTogether = async (): Promise<void> => {
  if (jobs > 1) return tell(await inJobs(sharesOf(wanted, jobs), optionsOfJobs(), progress()))
  if (alone) {
    const { hash, lines } = replay(wanted.seed)
    for (const line of lines) console.log(line)
    console.log(`trace ${hash.toString(16).padStart(8, "0")}`)
  }
  tell(campaign(progress()))
}

if (process.send === undefined) {
  aloneOrTogether().catch((error) => {
    console.error(error instanceof Error ? error.message : String(error))
    process.exit(1)
  })
} else asJob((so, sent) => process.send?.(so, undefined, undefined, () => sent()))
