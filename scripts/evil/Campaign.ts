import { FileSystem } from "@effect/platform"
import type { HostReport } from "@felhom/domain/HostReport"
import { Console, Effect, Either, Encoding, Fiber, Option, Ref } from "effect"
import { createHash, randomUUID } from "node:crypto"
import { run, start } from "../story/Program.ts"
import { type Simulator, startSimulator } from "../story/Simulator.ts"
import { StoryFailed } from "../story/StoryFailed.ts"
import { until } from "../story/Until.ts"
import type { Answer, Attack, Stage } from "./Attack.ts"
import { attacks } from "./attacks/all.ts"
import { type EvilHub, startEvilHub } from "./EvilHub.ts"
import { makeKeys } from "./Keys.ts"
import { opOn, signedBy, target } from "./Payload.ts"
import { type Truth, truthOf } from "./Truth.ts"

const tokenId = "felhom-agent@pve!agent"
const node = "victim"

/** Two people for what destroys a guest; root wrote it on the host. */
const policy = { typ: "felhom/policy/v1", signatures: { thresholds: { "guest.destroy": 2 } } }

interface World {
  readonly hub: EvilHub
  readonly simulator: Simulator
  readonly truth: Truth
  readonly hands: Stage["hands"]
  readonly hold: Stage["hold"]
}

const running = (report: HostReport): boolean => {
  const { inventory, trust } = report
  const guests = inventory?.guests.state === "ok" ? inventory.guests.value : []
  return trust != null && guests.some(({ status, vmid }) => vmid === target && status === "running")
}

/** A report after the first so many, of which this holds. */
const reportAfter = (hub: EvilHub, count: number, what: string, holds: (report: HostReport) => boolean) =>
  until(what, Effect.sync(() => Option.fromNullable(hub.reports().slice(count).find(holds))))

const factsIn = (report: HostReport) => {
  const { host, inventory, trust } = report
  const guests = inventory?.guests.state === "ok" ? inventory.guests.value : []
  return trust == null
    ? Effect.fail(new StoryFailed({ message: "the agent does not say that it takes signed ops" }))
    : Effect.succeed({
      host: host.id,
      now: Date.now(),
      trust,
      guest: (vmid: number) => {
        const found = guests.find((guest) => guest.vmid === vmid)
        if (found === undefined) throw new Error(`the agent reports no guest ${vmid}`)
        return found
      }
    })
}

const nameOf = (payload: string): string =>
  createHash("sha256").update(
    Either.getOrElse(Encoding.decodeBase64(payload), () => new TextEncoder().encode(payload))
  ).digest("hex")

/** The agent's own words on what the hub tried, in a report after the first so many. */
const seenIn = (hub: EvilHub, count: number, attack: Attack, answer: Answer) => {
  const { seen } = attack
  if (seen === "silent") {
    return Effect.as(
      until(
        "two more reports",
        Effect.sync(() => hub.reports().length >= count + 3 ? Option.some(true) : Option.none())
      ),
      "it was received again without a word"
    )
  }
  const names = new Set("ops" in answer ? answer.ops.map(({ payload }) => nameOf(payload)) : [])
  const look = Effect.sync(() =>
    Option.fromNullable(
      hub.reports().slice(count).flatMap(({ events }) => events).find(({ kind, message, subject }) =>
        seen.kind.test(kind) && seen.message.test(message) &&
        (names.size === 0 || !kind.startsWith("op.") || names.has(subject ?? ""))
      )
    )
  )
  return Effect.map(
    Effect.mapError(
      until(`the agent says ${seen.kind.source} with ${seen.message.source}`, look),
      (error) =>
        new StoryFailed({
          message: `${error.message}; it said: ${
            hub.reports().slice(count).flatMap(({ events }) => events).map(({ kind, message }) => `${kind}: ${message}`)
              .join(
                " | "
              )
          }`
        })
    ),
    ({ kind, message }) => `${kind}: ${message}`
  )
}

/** The operator's own word is obeyed: without that, a host that does nothing at all would pass. */
const control = ({ hands, hub, simulator, truth }: World) =>
  Effect.gen(function*() {
    const facts = yield* factsIn(
      yield* reportAfter(hub, 0, "the agent reports the guest and takes signed ops", running)
    )
    const op = opOn(facts, { reason: "the operator's own" })
    const spent = yield* signedBy(op, hands.anna)
    const before = yield* truth.all
    const name = nameOf(spent.payload)
    yield* Effect.promise(() => hub.play({ ops: [spent] }))
    const done = (report: HostReport) =>
      report.events.some(({ kind, subject }) =>
        subject === name && /^op\.(?:finished|failed|unknown|refused)$/.test(kind)
      )
    const told = yield* reportAfter(hub, 0, "the operator's own op ends", done)
    const outcome = told.events.findLast(({ subject }) => subject === name)
    if (outcome?.kind !== "op.finished" || (yield* truth.all) === before) {
      return yield* new StoryFailed({ message: `the operator's own op was not done: ${outcome?.message ?? "?"}` })
    }
    yield* Console.log(`       the operator's own op is done: ${outcome.message}`)
    yield* simulator.console({ _tag: "guest.status", vmid: target, status: "running" })
    yield* reportAfter(hub, hub.reports().length, "the agent reports the guest as running again", running)
    return spent
  })

/** Has the agent given one attack, and gives what judges it: the agent's word on it, or why it went through. */
const delivered = (attack: Attack, { hands, hold, hub, simulator, truth }: World, spent: Stage["spent"]) =>
  Effect.gen(function*() {
    const latest = hub.reports().findLast(running)
    if (latest === undefined) return yield* new StoryFailed({ message: "the agent reports no running guest any more" })
    const stage: Stage = { ...(yield* factsIn(latest)), hands, hold, spent, console: simulator.console }
    if (attack.before !== undefined) yield* attack.before(stage)
    const answer = yield* attack.answer(stage)
    const before = { all: yield* truth.all, changes: yield* truth.changes }
    yield* Effect.promise(() => hub.play(answer))
    const count = hub.reports().length
    const judge = Effect.gen(function*() {
      const word = yield* Effect.ensuring(
        seenIn(hub, count, attack, answer),
        Effect.ignore(attack.after?.(stage) ?? Effect.void)
      )
      const after = { all: yield* truth.all, changes: yield* truth.changes }
      if (after.all !== before.all) return yield* new StoryFailed({ message: "THE HOST IS NOT AS IT WAS" })
      if (after.changes !== before.changes) {
        return yield* new StoryFailed({
          message: `${after.changes - before.changes} calls that change something reached the host`
        })
      }
      return word
    })
    return { judge }
  })

/** A hub that can't even play its attack did not have it refused. */
const deliveredOrNot = (attack: Attack, world: World, spent: Stage["spent"]) =>
  Effect.catchAll(delivered(attack, world, spent), (error) => Effect.succeed({ judge: Effect.fail(error) }))

const told = (attack: Attack, word: Either.Either<string, StoryFailed>) =>
  Console.log(
    Either.match(word, {
      onRight: (said) => `ok     ${attack.name}\n       ${said}`,
      onLeft: ({ message }) => `FAILED ${attack.name} (${attack.invariant})\n       ${message}`
    })
  )

/** Plays all attacks against a real agent, over TLS with its own pins, on a simulated host. */
export const campaign = (step: Ref.Ref<string>) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "felhom-evil-" })
    const secret = randomUUID()
    yield* fs.writeFileString(`${folder}/tokens.json`, JSON.stringify({ [tokenId]: secret }), { mode: 0o600 })
    const simulator = yield* startSimulator(`${folder}/tokens.json`, node)
    yield* simulator.console({ _tag: "guest.status", vmid: target, status: "running" })
    const { allowedSigners, hands, revokedKeys } = yield* makeKeys
    yield* fs.writeFileString(`${folder}/allowed_signers`, allowedSigners)
    yield* fs.writeFileString(`${folder}/revoked_keys`, revokedKeys)
    yield* fs.writeFileString(`${folder}/policy.json`, JSON.stringify(policy))
    const hub = yield* startEvilHub
    const agentEnvironment = {
      FELHOM_AGENT_RUNTIME_DIR: `${folder}/run`,
      FELHOM_AGENT_STATE_DIR: `${folder}/state`
    }
    const agent = yield* start({
      name: "the agent",
      bundle: "main.js",
      args: ["daemon"],
      environment: {
        FELHOM_AGENT_PROXMOX_URL: simulator.url,
        FELHOM_AGENT_PROXMOX_NODE: node,
        FELHOM_AGENT_PROXMOX_FINGERPRINT: simulator.certificates.original.leaf,
        FELHOM_AGENT_PROXMOX_TOKEN_ID: tokenId,
        FELHOM_AGENT_PROXMOX_TOKEN: secret,
        FELHOM_AGENT_HUB_URL: hub.url,
        FELHOM_AGENT_HUB_FINGERPRINT: hub.fingerprint,
        FELHOM_AGENT_HUB_TOKEN: `felhom_host_${"x".repeat(43)}`,
        ...agentEnvironment,
        FELHOM_AGENT_SIGNERS_FILE: `${folder}/allowed_signers`,
        FELHOM_AGENT_REVOCATION_FILE: `${folder}/revoked_keys`,
        FELHOM_AGENT_POLICY_FILE: `${folder}/policy.json`
      },
      printsReady: false
    })
    const hold = (held: boolean) =>
      Effect.asVoid(run("main.js", ["hold", ...(held ? ["--reason", "looking"] : ["--release"])], agentEnvironment))
    const world: World = { hub, simulator, truth: truthOf(simulator, { node, tokenId, secret }), hands, hold }
    yield* Ref.set(step, "the operator's own op")
    const spent = yield* control(world)
    // One attack a report: while the agent's word on one is waited for, it is given the next.
    const judged = yield* Effect.forEach(attacks, (attack) =>
      Effect.gen(function*() {
        yield* Ref.set(step, attack.name)
        const judging = Effect.either((yield* deliveredOrNot(attack, world, spent)).judge)
        const fiber = yield* Effect.fork(Effect.tap(judging, (word) => told(attack, word)))
        // The agent asks less often when the hub seems broken, and says what it thought of that once it is well again.
        if (attack.alone === true) yield* Fiber.await(fiber)
        return { attack, fiber }
      }))
    const words = yield* Effect.forEach(judged, ({ attack, fiber }) =>
      Effect.map(Fiber.join(fiber), (word) => ({ attack, word })))
    const failed = words.filter(({ word }) =>
      Either.isLeft(word)
    ).map(({ attack }) => attack.name)
    yield* agent.stop
    yield* Console.log(`${attacks.length - failed.length} of ${attacks.length} attacks refused`)
    if (failed.length > 0) {
      return yield* new StoryFailed({ message: `not refused, or not noticed: ${failed.join("; ")}` })
    }
  })
