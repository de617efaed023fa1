import { payloadTargets } from "./PayloadTargets.ts"
import { signatureTargets } from "./SignatureTargets.ts"
import { differential, sshKeygen } from "./SshKeygen.ts"
import { fuzz } from "./Target.ts"

const usual = { parser: 100_000, differential: 20_000 } as const

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

process.exitCode = await main(process.argv[2])
