import { FileSystem } from "@effect/platform"
import type { HostSummary } from "@felhom/domain/HubApi"
import { humanDuration } from "@felhom/domain/HumanText"
import { Clock, Console, Effect, Option, Ref } from "effect"
import { randomUUID } from "node:crypto"
import { beginDrill } from "./Drill.ts"
import { letIn } from "./Enrolment.ts"
import { eventsOf, makeToken, makeViewer, startHub, type Viewer, withoutGap } from "./Hub.ts"
import { lookAround } from "./LookAround.ts"
import { chapter, command, quote, seen, tell } from "./Narrator.ts"
import { makeOperatorKey } from "./OperatorKey.ts"
import { run, start } from "./Program.ts"
import { startSimulator } from "./Simulator.ts"
import { StoryFailed } from "./StoryFailed.ts"
import { until } from "./Until.ts"
import { playWishes } from "./Wishes.ts"

const node = "demo-felhom"
const tokenId = "felhom-agent@pve!agent"
const guest = { vmid: 9999, name: "tiny" }
/** The one whose owner moves out. */
const leaving = { vmid: 102, name: "future" }
const snapshots = ["before-upgrade", "after-upgrade"] as const

const withoutKeygen =
  "Operators sign with ssh-keygen, of OpenSSH, and it is not on this machine. With it, you would see here how " +
  "felhom op shows what a guest's destruction destroys, has it signed, and follows it to its end. The attacks below begin with a " +
  "signed op all the same."

const check = (holds: boolean, what: string): Effect.Effect<void, StoryFailed> =>
  holds ? Effect.void : new StoryFailed({ message: `this does not hold: ${what}` })

const untilHost = (viewer: Viewer) =>
  until("the host in the hub's list", Effect.map(viewer.hosts.list(), (hosts) => Option.fromNullable(hosts[0])))

const untilEvent = (viewer: Viewer, host: HostSummary, kind: string, after = 0) =>
  until(
    `an event ${kind} at the hub`,
    Effect.map(eventsOf(viewer, host.host.id), (events) =>
      Option.fromNullable(events.find((event) => event.kind === kind && event.seq > after)))
  )

/** All of it, step by step. The ref holds the step that is being told, for the message if it fails. */
export const story = (step: Ref.Ref<string>, options: { readonly once: boolean }) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const began = yield* Clock.currentTimeMillis
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "felhom-story-" })
    const act = (number: number, title: string) => Effect.zipRight(Ref.set(step, title), chapter(number, title))

    const drill = yield* beginDrill
    yield* act(1, "A Proxmox VE host")
    const secret = randomUUID()
    const tokenFile = `${folder}/tokens.json`
    yield* fs.writeFileString(tokenFile, JSON.stringify({ [tokenId]: secret }), { mode: 0o600 })
    const simulator = yield* startSimulator(tokenFile)
    yield* tell(
      `A simulator answers as Proxmox VE 9.2 would, at ${simulator.url}. It stands in the world that was recorded from a ` +
        "real host: four guests, two storages, one disk. Everything you see goes over real TLS on this machine."
    )

    yield* act(2, "Its hub, somewhere else")
    const hubData = `${folder}/hub`
    const hub = yield* startHub({ data: hubData, listen: "127.0.0.1:0" })
    const hubListen = new URL(hub.url).host
    const adminToken = yield* makeToken(hubData, "admin", "story")
    const viewerToken = yield* makeToken(hubData, "viewer", "story")
    const viewer = yield* makeViewer(hub, viewerToken)
    yield* tell(`The hub is up at ${hub.url}. Its owner made tokens for people; the hub keeps only their hashes.`)

    const agentEnvironment = {
      FELHOM_AGENT_PROXMOX_URL: simulator.url,
      FELHOM_AGENT_PROXMOX_NODE: node,
      // Two pins: the certificate of today and the one that the host's owner has prepared for its renewal.
      FELHOM_AGENT_PROXMOX_FINGERPRINT:
        `${simulator.certificates.original.leaf},${simulator.certificates.renewed.leaf}`,
      FELHOM_AGENT_PROXMOX_TOKEN_ID: tokenId,
      FELHOM_AGENT_PROXMOX_TOKEN: secret,
      FELHOM_AGENT_HUB_URL: hub.url,
      FELHOM_AGENT_HUB_FINGERPRINT: hub.fingerprint,
      FELHOM_AGENT_SIGNERS_FILE: `${folder}/allowed_signers`,
      FELHOM_AGENT_STATE_DIR: `${folder}/agent`,
      FELHOM_AGENT_RUNTIME_DIR: `${folder}/run`
    }
    const operatorEnvironment = {
      FELHOM_HUB_URL: hub.url,
      FELHOM_HUB_FINGERPRINT: hub.fingerprint,
      FELHOM_TOKEN: viewerToken,
      FELHOM_KNOWN_HOSTS: `${folder}/known-hosts`
    }
    const adminEnvironment = { ...operatorEnvironment, FELHOM_TOKEN: adminToken }

    yield* act(3, "The agent shows that it may do its work")
    yield* command("node dist/main.js selftest")
    yield* quote(yield* run("main.js", ["selftest"], agentEnvironment))
    yield* command(`node dist/main.js selftest task --vmid ${guest.vmid}`)
    yield* quote(yield* run("main.js", ["selftest", "task", "--vmid", String(guest.vmid)], agentEnvironment))

    yield* act(4, "The host is let in")
    const oneTimeToken = (yield* run("felhom.js", ["enrol"], adminEnvironment)).trim()
    yield* tell("The hub's owner made a one-time token, and somebody takes it to the host.")
    yield* command("node dist/main.js enrol")
    yield* letIn({
      host: agentEnvironment,
      admin: adminEnvironment,
      oneTimeToken,
      shown: quote,
      accepting: (code) =>
        Effect.zipRight(
          tell(
            "The code is derived from a key that was made on the host and never leaves it. The owner compares it, and accepts:"
          ),
          command(`node dist/felhom.js accept ${code}`)
        ),
      accepted: quote
    })
    yield* seen("By proof of its key the host got a token of its own. From now on it signs every report.")

    const operatorKey = yield* makeOperatorKey(folder)
    if (Option.isSome(operatorKey)) {
      yield* fs.writeFileString(`${folder}/allowed_signers`, `${operatorKey.value.line}\n`)
    }

    yield* act(5, "The agent reports")
    const agent = yield* start({
      name: "the agent",
      bundle: "main.js",
      args: ["daemon"],
      environment: agentEnvironment,
      printsReady: false
    })
    const host = yield* untilHost(viewer)
    yield* check(host.guests?.total === 4, "the hub knows four guests")
    yield* seen(`Host ${host.host.node} appeared at the hub.`)
    yield* command(`node dist/felhom.js host ${node}`)
    yield* quote(yield* run("felhom.js", ["host", node], operatorEnvironment))

    const allEvents = Effect.mapError(
      eventsOf(viewer, host.host.id),
      (error) => new StoryFailed({ message: `the hub did not give its events: ${error.message}` })
    )

    yield* act(6, "Somebody starts a guest by hand")
    yield* simulator.setGuest(guest.vmid, "running")
    const changed = yield* untilEvent(viewer, host, "guest.changed")
    yield* seen(`The hub knows: ${changed.message}.`)

    yield* act(7, "Somebody else answers in the host's place")
    yield* simulator.serve("foreign")
    yield* tell("The certificate at the host's address is now a stranger's.")
    const refused = yield* untilEvent(viewer, host, "proxmox.refused")
    const wire = yield* simulator.wire("foreign")
    yield* seen(`The agent tells its hub: ${refused.message}`)
    yield* check(wire.connections > 0, "the agent met the stranger's certificate")
    yield* check(wire.applicationBytes === 0, "no byte was sent to the stranger")
    yield* seen(
      `Times that it looked at the stranger's certificate: ${wire.connections}. Bytes that it sent: ${wire.applicationBytes}.`
    )

    yield* act(8, "The host renews its certificate")
    yield* simulator.serve("renewed")
    yield* tell("This is the certificate that the agent's second pin names.")
    yield* untilEvent(viewer, host, "proxmox.recovered", refused.seq)
    yield* seen("The agent took it, and reports again. Nobody had to restart anything.")

    yield* act(9, "The hub goes away")
    const before = (yield* allEvents).at(-1)?.seq ?? 0
    const logBefore = (yield* agent.log).length
    yield* hub.running.stop
    yield* tell("The hub is stopped. Meanwhile the guest is stopped, too, by hand.")
    const agentSays = (what: string) =>
      until(
        `the agent's log to say: ${what}`,
        Effect.map(agent.log, (text) => (text.slice(logBefore).includes(what) ? Option.some(what) : Option.none()))
      )
    yield* simulator.setGuest(guest.vmid, "stopped")
    yield* agentSays("from running to stopped")
    const pause = yield* until(
      "a try of the hub",
      Effect.map(agent.log, (text) => Option.fromNullable(/"nextTrySeconds":(\d+)/.exec(text.slice(logBefore))?.[1]))
    )
    yield* seen(
      `The agent keeps what it saw. It tried the hub, and waits ${pause} s before it tries again: longer each time, up to five ` +
        "minutes."
    )

    yield* act(10, "The hub comes back")
    const again = yield* startHub({ data: hubData, listen: hubListen })
    yield* untilEvent(viewer, host, "hub.recovered", before)
    const events = yield* allEvents
    yield* check(withoutGap(events), "the numbers of the hub's events have no gap")
    const missed = events.filter((event) => event.seq > before)
    yield* check(
      missed.filter((event) => event.kind === "guest.changed").length === 1,
      "the change that happened while it was away is at the hub"
    )
    for (const event of missed) yield* seen(`#${event.seq} ${event.message}`)
    yield* seen(`${events.length} of ${events.length} events are at the hub, without a gap: none was lost.`)

    yield* act(11, "An operator says what a guest should be")
    yield* playWishes({ node, guest, folder, simulator, environment: adminEnvironment, events: allEvents })

    yield* act(12, "An operator signs what destroys")
    yield* Option.match(operatorKey, {
      onNone: () => tell(withoutKeygen),
      onSome: ({ file, line }) =>
        Effect.gen(function*() {
          yield* tell(
            "The guest's owner has moved out. The hub can't have it destroyed: it takes the signature of somebody whom root of the " +
              "host lists there, over this one op, and the host verifies it. In the host's allowed_signers stands:"
          )
          yield* quote(line)
          yield* command(
            `node dist/felhom.js op guest.destroy --host ${node} --guest lxc/${leaving.vmid} --reason "moved out" --accept-no-proven-backup --wait`
          )
          yield* quote(
            yield* run(
              "felhom.js",
              [
                "op",
                "guest.destroy",
                `--host=${node}`,
                `--guest=lxc/${leaving.vmid}`,
                "--reason=moved out",
                "--accept-no-proven-backup",
                `--yes-i-mean=${leaving.name}`,
                "--wait"
              ],
              { ...adminEnvironment, FELHOM_SIGNING_KEY: file }
            )
          )
          const gone = yield* untilEvent(viewer, host, "guest.disappeared")
          yield* seen(`The hub knows: ${gone.message}. Nobody will do it twice: the op's nonce is spent.`)
        })
    })

    yield* act(13, "A hub falls into other hands")
    yield* tell(
      "All the while, more agents of this version stood on simulated hosts of their own, before a hub in an attacker's hands. It " +
        "lied, replayed, forged and flooded, with all that operators ever signed. First each host did what its operator signed; " +
        "what counts then is the host's own word that it is as it was, and the agent's reason:"
    )
    const outcome = yield* drill.telling

    yield* Ref.set(step, "the end")
    const took = humanDuration((yield* Clock.currentTimeMillis) - began)
    yield* Console.log(`\nThat was the story, in ${took}, and this is what came of the attacks:\n\n${outcome}`)
    if (!options.once) {
      for (const name of snapshots) yield* simulator.console({ _tag: "guest.snapshot", vmid: guest.vmid, name })
      yield* lookAround({
        hub: again,
        host: { id: host.host.id, node },
        environment: adminEnvironment,
        token: adminToken,
        key: Option.match(operatorKey, { onNone: () => null, onSome: ({ file }) => file }),
        guest: guest.vmid,
        snapshots
      })
      return yield* Effect.never
    }
    yield* agent.stop
    yield* again.running.stop
    yield* simulator.running.stop
  })
