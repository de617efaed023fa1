import { Effect } from "effect"
import { fuzzAnswers } from "./AnswerTarget.ts"
import { answerTargets } from "./AnswerTargets.ts"
import { agentsDie, powerIsCut } from "./CrashPart.ts"
import { payloadTargets } from "./PayloadTargets.ts"
import { rootSideTargets } from "./RootSideTargets.ts"
import { signatureTargets } from "./SignatureTargets.ts"
import { differential, sshKeygen } from "./SshKeygen.ts"
import { fuzz } from "./Target.ts"

const usual = { parser: 100_000, hostile: 1_000_000, differential: 20_000, crash: 100_000 } as const

/** The hub's answer, and Proxmox's to each call: these share among them what one parser is given. */
const answers = (runs: number, seed: number) =>
  Effect.gen(function*() {
    const { envelope, proxmox } = yield* answerTargets
    const each = Math.ceil(runs / proxmox.length)
    for (const [target, some] of [[envelope, runs] as const, ...proxmox.map((one) => [one, each] as const)]) {
      const { accepted, refused } = yield* fuzzAnswers(target, some, seed)
      console.log(`${target.name}: ${accepted} taken, ${refused} refused, no fault`)
    }
    console.log(`Proxmox's answers: ${each * proxmox.length} to ${proxmox.length} calls`)
  }).pipe(Effect.scoped, Effect.runPromise)

/** Each part says how many faults it found; `asked` is undefined for the usual numbers. */
type Part = (asked: number | undefined, seed: number) => Promise<number>

const parsers: Part = async (asked = usual.parser, seed) => {
  for (const target of [...signatureTargets(), ...payloadTargets]) {
    const { accepted, refused } = fuzz(target, asked, seed)
    console.log(`${target.name}: ${accepted} taken, ${refused} refused, no fault`)
  }
  return 0
}

/** What runs as root: these share among them what they are given. */
const hostile: Part = async (asked = usual.hostile, seed) => {
  const each = Math.ceil(asked / rootSideTargets.length)
  for (const target of rootSideTargets) {
    const { accepted, refused } = fuzz(target, each, seed)
    console.log(`${target.name}: ${accepted} taken, ${refused} refused, no fault`)
  }
  console.log(`hostile strings: ${each * rootSideTargets.length} at ${rootSideTargets.length} places of the root side`)
  return 0
}

const compared: Part = async (asked = usual.differential, seed) => {
  const program = sshKeygen()
  if (program === undefined) {
    console.log("not compared with ssh-keygen: there is none on this machine")
    return 0
  }
  const { both, laxer, neither, stricter } = await differential(asked, seed)
  console.log(
    `against ${program}, ${asked} cases: ${both} accepted by both, ${neither} by neither, ${stricter} by it alone`
  )
  for (const one of laxer) console.error(`ACCEPTED HERE ALONE: ${one}`)
  return laxer.length
}

const parts: { readonly [name: string]: Part } = {
  parsers,
  hostile,
  answers: (asked = usual.parser, seed) => answers(asked, seed).then(() => 0),
  openssh: compared,
  power: (asked = usual.crash, seed) => powerIsCut(asked, seed),
  kills: (asked) => agentsDie(asked === undefined)
}

const help = `npm run fuzz -- [NUMBER] [PART...]
NUMBER of inputs for each parser, of hostile strings at the root side, of disks after a power cut, and of signatures shown to
ssh-keygen as well; without it ${usual.parser}, ${usual.hostile}, ${usual.crash} and ${usual.differential}, and an agent is killed
at every step of its disk.
PART is ${Object.keys(parts).join(", ")}; all of them without one. Ends with 1 when there is a fault.`

const main = async (given: ReadonlyArray<string>): Promise<number> => {
  const numbers = given.filter((one) => /^[1-9]\d{0,8}$/.test(one))
  const names = given.filter((one) => !numbers.includes(one))
  const unknown = names.find((name) => parts[name] === undefined)
  if (unknown !== undefined || numbers.length > 1) {
    const asksForHelp = unknown === "--help" || unknown === "-h"
    if (asksForHelp) console.log(help)
    else console.error(`${JSON.stringify(unknown ?? numbers.join(" "))} is neither one number nor a part\n\n${help}`)
    return asksForHelp ? 0 : 2
  }
  const asked = numbers[0] === undefined ? undefined : Number(numbers[0])
  const seed = Date.now() % 2 ** 31
  console.log(`seed ${seed}`)
  let faults = 0
  for (const [name, part] of Object.entries(parts)) {
    if (names.length > 0 && !names.includes(name)) continue
    const began = Date.now()
    faults += await part(asked, seed)
    console.log(`-- ${name}: ${Math.round((Date.now() - began) / 1000)} s`)
  }
  console.log(`${faults} faults`)
  return faults === 0 ? 0 : 1
}

void main(process.argv.slice(2)).then((code) => {
  process.exitCode = code
})
