import { Effect } from "effect"
import { fuzzAnswers } from "./AnswerTarget.ts"
import { answerTargets } from "./AnswerTargets.ts"
import { agentsDie, powerIsCut } from "./CrashPart.ts"
import { payloadTargets } from "./PayloadTargets.ts"
import { signatureTargets } from "./SignatureTargets.ts"
import { differential, sshKeygen } from "./SshKeygen.ts"
import { fuzz } from "./Target.ts"

const usual = { parser: 100_000, differential: 20_000, crash: 100_000 } as const

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

const main = async (asked: string | undefined): Promise<number> => {
  if (asked !== undefined && !/^[1-9]\d{0,8}$/.test(asked)) {
    console.error(`how many inputs? ${JSON.stringify(asked)} is no whole number above zero`)
    return 2
  }
  const seed = Date.now() % 2 ** 31
  console.log(`seed ${seed}`)
  for (const target of [...signatureTargets(), ...payloadTargets]) {
    const runs = Number(asked ?? usual.parser)
    const { accepted, refused } = fuzz(target, runs, seed)
    console.log(`${target.name}: ${accepted} taken, ${refused} refused, no fault`)
  }
  await answers(Number(asked ?? usual.parser), seed)
  const lost = await powerIsCut(Number(asked ?? usual.crash), seed)
  const died = await agentsDie(asked === undefined)
  if (lost + died > 0) return 1
  const program = sshKeygen()
  if (program === undefined) {
    console.log("not compared with ssh-keygen: there is none on this machine")
    return 0
  }
  const runs = Number(asked ?? usual.differential)
  const { both, laxer, neither, stricter } = await differential(runs, seed)
  console.log(
    `against ${program}, ${runs} cases: ${both} accepted by both, ${neither} by neither, ${stricter} by it alone`
  )
  for (const one of laxer) console.error(`ACCEPTED HERE ALONE: ${one}`)
  return laxer.length === 0 ? 0 : 1
}

void main(process.argv[2]).then((code) => {
  process.exitCode = code
})
