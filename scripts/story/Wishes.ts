import { FileSystem } from "@effect/platform"
import type { HostEvent } from "@felhom/domain/HostEvent"
import { Effect, Option } from "effect"
import { command, quote, seen, tell } from "./Narrator.ts"
import { run } from "./Program.ts"
import type { Simulator } from "./Simulator.ts"
import type { StoryFailed } from "./StoryFailed.ts"
import { until } from "./Until.ts"

interface Stage {
  readonly node: string
  readonly guest: { readonly vmid: number; readonly name: string }
  readonly folder: string
  readonly simulator: Simulator
  /** What `felhom` reads from the environment, as an operator. */
  readonly environment: { readonly [name: string]: string }
  readonly events: Effect.Effect<ReadonlyArray<HostEvent>, StoryFailed>
}

const fileOf = (node: string, name: string): string =>
  `host: ${node}
guests:
  ${name}:
    power: running
    memory: 192 MiB
    tags: [family]
    description: the family's calendar
`

/** How people say what a guest should be, and how the host keeps it so. */
export const playWishes = ({ environment, events, folder, guest, node, simulator }: Stage) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const lxc = `lxc/${guest.vmid}`
    const file = `${folder}/attic.yaml`
    const last = Effect.map(events, (all) => all.at(-1)?.seq ?? 0)
    /** The first event of this kind about the guest that says so, after another one. */
    const told = (kind: string, what: string, after: number) =>
      until(
        `the hub to hear of ${lxc}: ${kind} ${what}`,
        Effect.map(events, (all) =>
          Option.fromNullable(
            all.find((event) =>
              event.kind === kind && event.seq > after && event.subject === lxc && event.message.includes(what)
            )
          )),
        120
      )

    yield* fs.writeFileString(file, fileOf(node, guest.name))
    yield* tell(
      "What a guest should be stands in a file of the operator's. It can say nothing that destroys, so nobody signs it:"
    )
    yield* quote(fileOf(node, guest.name))
    const before = yield* last
    yield* command("node dist/felhom.js apply -f attic.yaml")
    yield* quote(yield* run("felhom.js", ["apply", "-f", file, "--yes", "--reason=for the family"], environment))
    const started = yield* told("desired.done", "start", before)
    yield* seen(`The host took it, changed the guest's settings, and started it: ${started.message}.`)
    // What is stopped before the host has seen it run was never running for it.
    const runs = yield* told("guest.changed", "from stopped to running", before)

    yield* simulator.setGuest(guest.vmid, "stopped")
    yield* tell("Somebody stops the guest by hand.")
    const stopped = yield* told("guest.changed", "from running to stopped", runs.seq)
    const again = yield* told("desired.done", "start", stopped.seq)
    yield* told("guest.changed", "from stopped to running", stopped.seq)
    yield* seen(`It came back, and nobody had to do anything: ${again.message}.`)

    yield* command(`node dist/felhom.js why ${node} ${guest.name}`)
    yield* quote(yield* run("felhom.js", ["why", node, guest.name], environment))
  })
