import { FileSystem } from "@effect/platform"
import { Console, Effect, Option, Ref } from "effect"
import { randomUUID } from "node:crypto"
import { letIn } from "../story/Enrolment.ts"
import { makeToken, startHub } from "../story/Hub.ts"
import { command, quote, seen, tell } from "../story/Narrator.ts"
import { run, type Running, start } from "../story/Program.ts"
import { type Simulator, startSimulator } from "../story/Simulator.ts"
import { until } from "../story/Until.ts"

const tokenId = "felhom-agent@pve!agent"
const names = ["attic", "cellar", "shop"] as const

type Environment = { readonly [name: string]: string }

interface Host {
  readonly name: string
  readonly simulator: Simulator
  readonly agent: Running
}

/** Starts a simulated host and its agent, and lets it in at the hub, with the commands that a person would type. */
const enrolled = (
  name: string,
  oneTimeToken: string,
  options: { readonly folder: string; readonly hub: Environment; readonly admin: Environment }
) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const secret = randomUUID()
    const tokenFile = `${options.folder}/${name}-tokens.json`
    yield* fs.writeFileString(tokenFile, JSON.stringify({ [tokenId]: secret }), { mode: 0o600 })
    const simulator = yield* startSimulator(tokenFile, name)
    const environment = {
      ...options.hub,
      FELHOM_AGENT_PROXMOX_URL: simulator.url,
      FELHOM_AGENT_PROXMOX_NODE: name,
      FELHOM_AGENT_PROXMOX_FINGERPRINT: simulator.certificates.original.leaf,
      FELHOM_AGENT_PROXMOX_TOKEN_ID: tokenId,
      FELHOM_AGENT_PROXMOX_TOKEN: secret,
      FELHOM_AGENT_STATE_DIR: `${options.folder}/${name}`,
      FELHOM_AGENT_RUNTIME_DIR: `${options.folder}/${name}-run`
    }
    yield* letIn({
      host: environment,
      admin: options.admin,
      oneTimeToken,
      accepting: (code) => command(`node dist/felhom.js accept ${code}    # read on ${name}: node dist/main.js enrol`)
    })
    const agent = yield* start({
      name: `the agent of ${name}`,
      bundle: "main.js",
      args: ["daemon"],
      environment,
      printsReady: false
    })
    return { name, simulator, agent }
  })

/** `felhom hosts` as its user sees it; it ends with 1 when something needs attention. */
const listed = (environment: Environment) => run("felhom.js", ["hosts"], environment, [0, 1])

const untilListed = (environment: Environment, what: string, holds: (text: string) => boolean) =>
  until(what, Effect.map(listed(environment), (text) => (holds(text) ? Option.some(text) : Option.none())))

/** One host's storage goes away, another's agent dies, at the third somebody else answers: as it happens in a week of a year. */
const sicken = ([attic, cellar, shop]: ReadonlyArray<Host>) =>
  Effect.gen(function*() {
    if (attic === undefined || cellar === undefined || shop === undefined) return
    yield* attic.simulator.console({ _tag: "storage.avail", storage: "ctstore", bytes: 0 })
    yield* cellar.agent.stop
    yield* shop.simulator.serve("foreign")
  })

const sickWith = [/ctstore is \d+ % full/, /silent/, /certificate that no pin names/]

const howTo = (hosts: ReadonlyArray<Host>, operator: Environment) =>
  Effect.gen(function*() {
    const [attic, cellar, shop] = hosts
    yield* Console.log("\nAll of it goes on running. In another terminal:\n")
    for (const [name, value] of Object.entries(operator)) yield* Console.log(`  export ${name}='${value}'`)
    yield* Console.log(
      [
        "  node dist/felhom.js hosts",
        "",
        "Make them sick, one after the other, and ask again after some seconds:",
        "",
        `  curl -d '{"_tag":"storage.avail","storage":"ctstore","bytes":0}' ${attic?.simulator.control}/console`,
        `  curl -d '{"serve":"foreign"}' ${shop?.simulator.control}/certificates`,
        `  kill ${cellar?.agent.pid}    # the agent of cellar; it is silent after 15 s`,
        "",
        "felhom host NAME, felhom events NAME, felhom history NAME and felhom alarms tell more.",
        "Ctrl-C ends everything and leaves nothing behind."
      ].join("\n")
    )
  })

/** Three simulated hosts, enrolled at one hub. `once` makes them sick, shows that it is seen, and ends. */
export const fleet = (step: Ref.Ref<string>, options: { readonly once: boolean }) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "felhom-fleet-" })
    const data = `${folder}/hub`
    const hub = yield* startHub({ data, listen: "127.0.0.1:0" })
    const operator = {
      FELHOM_HUB_URL: hub.url,
      FELHOM_HUB_FINGERPRINT: hub.fingerprint,
      FELHOM_TOKEN: yield* makeToken(data, "admin", "fleet"),
      FELHOM_KNOWN_HOSTS: `${folder}/known-hosts`
    }
    yield* Ref.set(step, "letting three hosts in")
    yield* tell(`A hub is up at ${hub.url}. Three hosts are let in, each with a one-time token and its code:`)
    yield* command(`node dist/felhom.js enrol --count ${names.length}`)
    const tokens = (yield* run("felhom.js", ["enrol", "--count", String(names.length)], operator)).trim().split("\n")
    const hosts = yield* Effect.forEach(names, (name, index) =>
      enrolled(name, tokens[index] ?? "", {
        folder,
        hub: { FELHOM_AGENT_HUB_URL: hub.url, FELHOM_AGENT_HUB_FINGERPRINT: hub.fingerprint },
        admin: operator
      }))
    yield* Ref.set(step, "three hosts that are well")
    const isWell = (text: string) => (name: string) => new RegExp(`^${name} +\\w+ +ok `, "m").test(text)
    const well = yield* untilListed(operator, "three hosts at the hub, all well", (text) => names.every(isWell(text)))
    yield* command("node dist/felhom.js hosts")
    yield* quote(well)
    if (!options.once) {
      yield* howTo(hosts, operator)
      return yield* Effect.never
    }
    yield* tell(
      "A storage of attic is full, the agent of cellar is stopped, and at shop somebody else answers in the host's place:"
    )
    yield* Ref.set(step, "three hosts that are sick")
    yield* sicken(hosts)
    const sick = yield* untilListed(operator, "three sick hosts, each with its reason", (text) =>
      sickWith.every((reason) =>
        reason.test(text)
      ))
    yield* command("node dist/felhom.js hosts")
    yield* quote(sick)
    yield* seen("Each of the three is named, with what is wrong with it.")
  })
