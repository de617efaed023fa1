import { Context, Effect, Layer, Random } from "effect"
import recordedWorld from "../fixtures/scenario/world.json" with { type: "json" }
import * as Console from "./Console.ts"
import type { ConsoleChange, ConsoleRefused } from "./ConsoleChange.ts"
import type { FaultRule } from "./Fault.ts"
import { rulesOfSeed } from "./FaultPlan.ts"
import * as FaultyDispatch from "./FaultyDispatch.ts"
import { makeMachine } from "./Machine.ts"
import type { RequestCount, SimRequest, SimResponse } from "./SimWire.ts"
import { decodeWorld, type World } from "./World.ts"

/** How a simulated host is set up. Everything left out is as in the recorded world. */
export interface PveSimOptions {
  /** The host at the start; default: the recorded one. */
  readonly world?: World
  /** How many times faster than a real host tasks and delays pass; default 1. */
  readonly speed?: number
  /** Token id to secret. A token of the world without one gets a random secret, to be read from `secrets`. */
  readonly secrets?: { readonly [tokenId: string]: string }
  /** Privileges of roles, replacing or adding to the world's. */
  readonly roles?: { readonly [roleid: string]: ReadonlyArray<string> }
  /** What goes wrong, and when; default: nothing, or with a seed a mixture that the seed decides. */
  readonly faults?: ReadonlyArray<FaultRule>
  /** How many nodes its cluster has; 1, the default, is no cluster. The others are called after this one: `NAME-2`, `NAME-3`. */
  readonly nodes?: number
  /** Decides all that is left to chance: faults that are not sure, process ids, fresh addresses. */
  readonly seed?: number
}

const inCluster = (world: World, nodes: number): World => ({
  ...world,
  peers: [
    ...world.peers,
    ...Array.from({ length: Math.max(0, nodes - 1 - world.peers.length) }, (_, at) => ({
      name: `${world.node}-${world.peers.length + at + 2}`,
      ip: world.node_ip.replace(/\d+$/, (last) => String((Number(last) + world.peers.length + at + 1) % 255)),
      online: true
    }))
  ]
})

/**
 * One simulated Proxmox VE 9.2 host. It starts in its world, keeps its state in memory, and its tasks run as fibers of the
 * service's scope: in the time of the `Clock`, with the randomness of `Random`.
 */
export class PveSim extends Context.Tag("felhom/pve-sim/PveSim")<PveSim, {
  /** Answers one request, whatever is asked: errors are answers, too. Never fails. */
  readonly handle: (request: SimRequest) => Effect.Effect<SimResponse>
  /** A change by root on the console. */
  readonly change: (change: ConsoleChange) => Effect.Effect<void, ConsoleRefused>
  /** All requests so far, by method and decoded path without the query, in the order of first use. */
  readonly requests: Effect.Effect<ReadonlyArray<RequestCount>>
  /** The secrets of all tokens, by token id. */
  readonly secrets: Effect.Effect<{ readonly [tokenId: string]: string }>
  /** The node's name, as in `/nodes/{node}`. */
  readonly node: string
  /** How many times faster than real time this host's tasks and delays pass. */
  readonly speed: number
}>() {
  /** A host of its own for each layer built. */
  static readonly layer = (options: PveSimOptions = {}): Layer.Layer<PveSim> =>
    Layer.scoped(
      PveSim,
      Effect.gen(function*() {
        const world = options.world ?? (yield* Effect.orDie(decodeWorld(recordedWorld, "the recorded world")))
        const machine = yield* makeMachine({
          world: inCluster(world, options.nodes ?? 1),
          speed: options.speed ?? 1,
          secrets: options.secrets ?? {},
          roles: options.roles ?? {},
          faults: options.faults ?? (options.seed === undefined ? [] : rulesOfSeed(options.seed)),
          seed: options.seed ?? 0
        })
        const random = options.seed === undefined ? undefined : Random.make(options.seed)
        const byChance = <A>(work: Effect.Effect<A>): Effect.Effect<A> =>
          random === undefined ? work : Effect.withRandom(work, random)
        return PveSim.of({
          handle: (request) => byChance(FaultyDispatch.handle(machine, request)),
          change: (change) => Console.apply(machine, change),
          requests: Effect.sync(() => machine.requestCounts()),
          secrets: Effect.sync(() => machine.access.secrets()),
          node: machine.node,
          speed: machine.speed
        })
      })
    )
}
