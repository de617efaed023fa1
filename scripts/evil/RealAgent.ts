import { FileSystem } from "@effect/platform"
import { Console, Effect, Ref } from "effect"
import { StoryFailed } from "../story/StoryFailed.ts"
import { acts } from "./Acts.ts"
import { type Arena, factsIn, obeyed, type Truth, untilReport } from "./Arena.ts"
import type { Attack, Named } from "./Attack.ts"
import { needsHands } from "./Attack.ts"
import { concluded, told } from "./Campaign.ts"
import { type EvilHub, startEvilHub } from "./EvilHub.ts"
import { makeKeys } from "./Keys.ts"
import { playAll, type Verdict } from "./Round.ts"
import { rootFiles } from "./World.ts"

export interface RealAgent {
  readonly host: string
  readonly port: number
  /** How the agent reaches it, if not by the address that is listened on. */
  readonly url: string | undefined
  /** A guest that may be stopped hard. */
  readonly vmid: number
  /** Where root's files for the drill are put; made, if it is not there. */
  readonly folder: string
  readonly wanted: (attack: Named) => boolean
}

/** What can be played by the hub alone, and what takes hands at the host. */
export const playableOnRealHosts: { readonly yes: ReadonlyArray<Attack>; readonly no: ReadonlyArray<Named> } = {
  yes: acts.flatMap((act) => act.plain.filter((attack) => !needsHands(attack))),
  no: acts.flatMap((act) =>
    act.attacks.filter(({ name }) => !act.plain.some((attack) => attack.name === name && !needsHands(attack)))
  )
}

// There is nobody else to ask: what the agent says of its host, in reports that were made after the attack was received.
const truthByReports = (hub: EvilHub): Truth => ({
  all: Effect.sync(() => hub.reports().at(-1)?.inventoryHash ?? ""),
  changes: Effect.sync(() =>
    new Set(
      hub.reports().flatMap(({ events }) => events).flatMap(({ kind, seq }) => kind === "op.started" ? [seq] : [])
    ).size
  )
})

const writeFiles = (folder: string, keys: Effect.Effect.Success<typeof makeKeys>) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    yield* fs.makeDirectory(folder, { recursive: true })
    for (const [name, text] of Object.entries(rootFiles(keys))) {
      // Never over somebody's own: it could be the folder in which a host's root keeps its real ones.
      yield* fs.writeFileString(`${folder}/${name}`, text, { flag: "wx" })
    }
  }).pipe(Effect.mapError(({ message }) =>
    new StoryFailed({ message: `${folder} has to be a new or empty folder for the drill's own files: ${message}` })
  ))

const aDay = 86_400

const instructions = ({ folder, vmid }: RealAgent, url: string, fingerprint: string): string =>
  [
    `An attacker's hub is up. Configure the agent of a host that nobody needs today, and start its daemon:`,
    "",
    `  FELHOM_AGENT_HUB_URL=${url}`,
    `  FELHOM_AGENT_HUB_FINGERPRINT=${fingerprint}`,
    `  FELHOM_AGENT_HUB_TOKEN=felhom_host_${"x".repeat(43)}`,
    "  FELHOM_AGENT_STATE_DIR=        a new folder: not the agent's own",
    `  FELHOM_AGENT_SIGNERS_FILE=${folder}/allowed_signers`,
    `  FELHOM_AGENT_REVOCATION_FILE=${folder}/revoked_keys`,
    `  FELHOM_AGENT_POLICY_FILE=${folder}/policy.json`,
    "",
    "What it needs to reach its Proxmox VE stays as it is. The three files have to be on that host, at whatever path; their keys",
    "were made just now, and end with this program.",
    "",
    `Guest ${vmid} has to run. First it is stopped hard, by an op that is properly signed, so that the host is seen to obey;`,
    "then every attack tries to stop or destroy it. What the agent reports is all there is to judge them by here.",
    ""
  ].join("\n")

/** Takes the place of a real agent's hub, and plays what needs nobody at the host. */
export const attackReal = (step: Ref.Ref<string>, real: RealAgent) =>
  Effect.gen(function*() {
    const keys = yield* makeKeys
    yield* writeFiles(real.folder, keys)
    const hub = yield* startEvilHub(real)
    yield* Console.log(instructions(real, real.url ?? hub.url, hub.fingerprint))
    const arena: Arena = { hub, truth: truthByReports(hub), hands: keys.hands, vmid: real.vmid, host: null }
    const runs = (what: string, after: number) =>
      untilReport(hub, after, what, (report) => factsIn(report, real.vmid)._tag === "Some", aDay)
    yield* Ref.set(step, "the agent's first reports")
    yield* runs(`a report of guest ${real.vmid} running beside another one, by an agent that takes signed ops`, 0)
    yield* Ref.set(step, "the operator's own op")
    const { message, signed } = yield* obeyed(arena, () => ({}), keys.hands.anna)
    yield* Console.log(`the operator's own op is done: ${message}`)
    yield* Console.log(`Now start guest ${real.vmid} again, by hand.`)
    yield* runs(`guest ${real.vmid} running again`, hub.reports().length)
    yield* Ref.set(step, "the attacks")
    const verdicts = yield* Ref.make<ReadonlyArray<{ readonly attack: Named; readonly verdict: Verdict }>>([])
    yield* playAll({ ...arena, spent: signed }, playableOnRealHosts.yes.filter(real.wanted), (attack, verdict) =>
      Effect.zipRight(
        Ref.update(verdicts, (all) => [...all, { attack, verdict }]),
        Console.log(told(attack, verdict))
      ))
    for (const attack of playableOnRealHosts.no.filter(real.wanted)) {
      yield* Console.log(
        `-      ${attack.name}\n       not played: it takes hands at the host; evil-hub without "real" plays it on a simulated one`
      )
    }
    yield* concluded(yield* Ref.get(verdicts), Console.log)
  })
