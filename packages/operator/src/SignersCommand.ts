import { Args, Command, Options } from "@effect/cli"
import { readAllowedSigners } from "@felhom/authz/AllowedSigners"
import { displayText } from "@felhom/domain/DisplayText"
import type { TrustStatus } from "@felhom/domain/HostReport"
import { Crypto } from "@felhom/domain/port/Crypto"
import { Console, Effect, Either, Option } from "effect"
import { chosenFleet, fleetOption, requiredFleet } from "./ChosenFleet.ts"
import { connectionOptions } from "./Connection.ts"
import { HubReader } from "./HubReader.ts"
import { HubSigners } from "./HubSigners.ts"
import { type KnownFleet, KnownSigners } from "./KnownSigners.ts"
import { approvalOptions } from "./OpApproval.ts"
import { OperatorError } from "./OperatorError.ts"
import { trustIn } from "./OpExpectation.ts"
import { writeOpFile } from "./OpFile.ts"
import { sightOf } from "./OpSight.ts"
import { colours, output, print, withHub, withOps } from "./Root.ts"
import { approvedList } from "./SignersApproval.ts"
import { signersLayer } from "./SignersLayer.ts"
import { loggedHosts, loggedVersions, renderLog } from "./SignersLog.ts"
import { listFile, newFleet, nextVersion } from "./SignersProposal.ts"
import { followed, heldIn, trailOf } from "./SignersTrail.ts"
import { trustLayer } from "./TrustCommands.ts"

const usage = (detail: string): OperatorError => new OperatorError({ reason: "usage", detail })
const distrust = (detail: string): OperatorError => new OperatorError({ reason: "distrust", detail })

const host = Options.text("host").pipe(
  Options.withDescription("The host, by its node name or the beginning of its id; its key must be known here")
)

const fleetWords = ({ fleet }: TrustStatus): string => {
  if (fleet === undefined) return "its agent follows none"
  if (fleet === null) return "none yet: the list is root's own"
  const edited = fleet.followed ? "" : "; root has edited the host's own list since, and that one holds"
  return `${fleet.fleet}, version ${fleet.version}, document ${fleet.sha256}${edited}`
}

const show = Command.make("show", { host, ...connectionOptions, output }, ({ host, output, ...options }) =>
  withHub(
    options,
    Effect.gen(function*() {
      const sight = yield* sightOf(host)
      const { node } = sight.report.host
      const trust = yield* Either.mapLeft(
        trustIn(sight),
        (why) => new OperatorError({ reason: "attention", detail: `host ${node}: ${why}` })
      )
      if (output === "json") return yield* Console.log(JSON.stringify(trust))
      yield* print([
        `${node}, in its own signed words; key ${sight.code}`,
        `signers  ${trust.signers ?? "none: it takes no signed op"}`,
        `fleet    ${fleetWords(trust)}`,
        `policy   ${trust.policy ?? "none"}`,
        `hold     ${
          trust.hold === null
            ? "no"
            : `since ${new Date(trust.hold.since).toISOString()}: ${displayText(trust.hold.reason)}`
        }`,
        `ops      epoch ${trust.opEpoch}, record ${trust.storeSeq}`,
        "Lists and files are named by their SHA-256, as sha256sum shows it on the host or of your own copy."
      ])
    }).pipe(Effect.provide(trustLayer))
  )).pipe(Command.withDescription("Which list of signers and which policy hold on a host, in its own signed words"))

const thresholdOption = Options.integer("threshold").pipe(
  Options.withDefault(1),
  Options.withDescription("How many have to sign a new list, as your hosts' policies ask for signers.update")
)

const checkedThreshold = (threshold: number) =>
  threshold >= 1 && threshold <= 16 ? Effect.void : Effect.fail(usage("--threshold is 1 to 16"))

/** Where the next version begins: at the last one that the hub has and that holds, or at root's own list, edited since. */
const goingOn = (known: KnownFleet, root: string | undefined) =>
  Effect.gen(function*() {
    const { notes, trail } = yield* followed(known)
    if (notes.length > 0) return yield* distrust(`nothing was made: ${notes.join("; ")}`)
    return root === undefined || root === trail.texts.allowedSigners
      ? trail
      : yield* trailOf({ ...trail.known, root })
  })

const newList = Command.make(
  "new",
  {
    allowedSigners: Options.text("allowed-signers").pipe(
      Options.withDescription("The whole new list, a file in the form of ALLOWED SIGNERS in ssh-keygen(1)")
    ),
    revoked: Options.text("revoked").pipe(
      Options.optional,
      Options.withDescription(
        "The whole new list of revoked keys, one public key a line; without it, the one before stays"
      )
    ),
    from: Options.text("from").pipe(
      Options.optional,
      Options.withDescription(
        "A copy of the list that root has on the hosts: for the first version where the new one is another, and where root " +
          "edited it since the last version"
      )
    ),
    newFleet: Options.boolean("new-fleet").pipe(
      Options.withDescription("Begin another fleet, though this machine or the hub knows one already")
    ),
    reason: Options.text("reason").pipe(Options.withDescription("Why, for people and for the hosts' audit chains")),
    threshold: thresholdOption,
    needs: Options.integer("needs").pipe(
      Options.optional,
      Options.withDescription("How many signatures the hub waits for; without it, as many as the lists ask for")
    ),
    fleet: fleetOption,
    key: approvalOptions.key,
    yesIMean: Options.text("yes-i-mean").pipe(
      Options.optional,
      Options.withDescription("For scripts: what would be typed to confirm, \"version N\"")
    ),
    out: Options.text("out").pipe(
      Options.optional,
      Options.withDescription("Write the signed list to this file and send it nowhere")
    ),
    ...connectionOptions
  },
  (
    {
      allowedSigners,
      fingerprint,
      fleet,
      from,
      hub,
      newFleet: another,
      reason,
      revoked,
      threshold,
      tokenFile,
      ...approval
    }
  ) =>
    withOps(
      { fingerprint, hub, tokenFile },
      Effect.gen(function*() {
        yield* checkedThreshold(threshold)
        const list = yield* listFile(allowedSigners)
        yield* Either.mapLeft(
          readAllowedSigners(new TextEncoder().encode(list)),
          ({ message }) => usage(`${allowedSigners}: ${message}`)
        )
        const known = another ? Option.none<KnownFleet>() : yield* chosenFleet(fleet)
        if (Option.isNone(known) && !another) {
          const served = yield* Effect.flatMap(HubSigners, (signers) => signers.list)
          const [first] = served
          if (first !== undefined) {
            return yield* distrust(
              `the hub has the signers of fleet ${first.fleet}, and this machine knows none: felhom signers trust --host HOST ` +
                "follows them from what a host says that you trust; --new-fleet begins another fleet"
            )
          }
        }
        const root = Option.isSome(from) ? yield* listFile(from.value) : undefined
        const trail = Option.isSome(known)
          ? yield* goingOn(known.value, root)
          : yield* newFleet(root ?? list, threshold)
        const bytes = yield* nextVersion(
          trail,
          {
            allowedSigners: list,
            revoked: Option.isSome(revoked) ? yield* listFile(revoked.value) : trail.texts.revoked
          },
          reason
        )
        yield* approvedList(trail, { bytes, signatures: [] }, approval)
      }).pipe(Effect.provide(signersLayer))
    )
).pipe(
  Command.withDescription(
    "Make the next version of the list of those who may sign for all hosts: shows who comes, goes and is revoked, asks, signs, sends (operator)"
  )
)

/** Where to begin with what a host says: the version that it took, by that version's hash, or the list that root gave it. */
const anchored = (
  trust: TrustStatus,
  node: string,
  threshold: number,
  listPath: Option.Option<string>
) =>
  Effect.gen(function*() {
    const hub = yield* HubSigners
    const crypto = yield* Crypto
    const entries = yield* hub.list
    if (trust.fleet !== undefined && trust.fleet !== null) {
      const { fleet, sha256, version } = trust.fleet
      if (entries.every((entry) => entry.fleet !== fleet || entry.sha256 !== sha256)) {
        return yield* distrust(
          `${node} has version ${version} of fleet ${fleet}'s signers, document ${sha256}, and the hub does not: was it set back? ` +
            "Somebody who verified that version brings it: felhom signers push"
        )
      }
      const { signed } = yield* hub.one(fleet, version)
      const held = yield* Effect.mapError(heldIn(signed), (why) => distrust(`the hub's version ${version}: ${why}`))
      if (held.sha256 !== sha256) {
        return yield* distrust(`the hub's version ${version} is ${held.sha256}, and ${node} says that it has ${sha256}`)
      }
      const known: KnownFleet = { fleet, threshold, anchor: { version: signed }, versions: [] }
      if (trust.fleet.followed || Option.isNone(listPath)) return known
      const root = yield* listFile(listPath.value)
      return (yield* crypto.sha256(root)) === trust.signers
        ? { ...known, root }
        : yield* usage(`${listPath.value} is not the list of ${node}, which is ${trust.signers}`)
    }
    if (trust.signers === null) return yield* usage(`${node} has no list of signers: root puts the first one there`)
    const first = entries.find(({ from }) => from.allowedSigners === trust.signers)
    if (first === undefined) {
      return yield* usage(
        `the hub has no fleet's signers that begin with the list of ${node}; felhom signers new makes them`
      )
    }
    const { signed } = yield* hub.one(first.fleet, first.version)
    const held = yield* Effect.mapError(heldIn(signed), (why) => distrust(`the hub's version ${first.version}: ${why}`))
    const list = Option.isSome(listPath) ? yield* listFile(listPath.value) : held.document.allowedSigners
    if ((yield* crypto.sha256(list)) !== trust.signers) {
      return yield* usage(
        Option.isSome(listPath)
          ? `${listPath.value} is not the list of ${node}, which is ${trust.signers}`
          : `version ${first.version} changes the list that ${node} has: name a copy of that one with --allowed-signers FILE`
      )
    }
    const known: KnownFleet = { fleet: first.fleet, threshold, anchor: { allowedSigners: list }, versions: [] }
    return known
  })

const trust = Command.make(
  "trust",
  {
    host,
    threshold: thresholdOption,
    allowedSigners: Options.text("allowed-signers").pipe(
      Options.optional,
      Options.withDescription(
        "A copy of the host's own list, where it took no version yet and the first one changes it, or where root edited it since"
      )
    ),
    ...connectionOptions
  },
  ({ allowedSigners, host, threshold, ...options }) =>
    withOps(
      options,
      Effect.gen(function*() {
        yield* checkedThreshold(threshold)
        const sight = yield* sightOf(host)
        const { node } = sight.report.host
        const status = yield* Either.mapLeft(trustIn(sight), (why) => distrust(`host ${node}: ${why}`))
        const known = yield* anchored(status, node, threshold, allowedSigners)
        yield* Effect.flatMap(KnownSigners, (kept) => kept.keep(known))
        const { notes, trail } = yield* followed(known)
        yield* print([
          `fleet ${known.fleet}: begun with what ${
            displayText(node)
          } said itself (key ${sight.code}), verified to version ${trail.version}`,
          ...notes.map(displayText)
        ])
      }).pipe(Effect.provide(signersLayer))
    )
).pipe(
  Command.withDescription(
    "Begin to follow a fleet's signers on this machine, from what a host says itself whose key you compared"
  )
)

const log = Command.make(
  "log",
  { fleet: fleetOption, ...connectionOptions, output },
  ({ fleet, output, ...options }) =>
    withOps(
      options,
      Effect.gen(function*() {
        const { entries, notes, trail } = yield* Effect.flatMap(requiredFleet(fleet), followed)
        const hub = yield* HubReader
        const hosts = (yield* hub.hosts).filter(({ retiredAt }) => retiredAt === null)
        const versions = yield* Effect.mapError(loggedVersions(trail, entries), usage)
        const logged = yield* loggedHosts(hosts)
        yield* output === "json"
          ? Console.log(
            JSON.stringify({ fleet: trail.known.fleet, version: trail.version, versions, hosts: logged, notes })
          )
          : print(yield* renderLog(trail, versions, logged, yield* colours))
        if (notes.length > 0) return yield* new OperatorError({ reason: "attention", detail: notes.join("; ") })
      }).pipe(Effect.provide(signersLayer))
    )
).pipe(
  Command.withDescription(
    "The versions of a fleet's signers, verified here one by the other, and which of them each host has by its own signed word; " +
      "exits 1 when the hub's don't hold"
  )
)

const push = Command.make("push", { fleet: fleetOption, ...connectionOptions }, ({ fleet, ...options }) =>
  withOps(
    options,
    Effect.gen(function*() {
      const known = yield* requiredFleet(fleet)
      const hub = yield* HubSigners
      const { entries } = yield* followed(known)
      const own = [...("version" in known.anchor ? [known.anchor.version] : []), ...known.versions]
      const brought: Array<number> = []
      for (const signed of own) {
        const { document: { version } } = yield* Effect.mapError(heldIn(signed), usage)
        if (entries.some((entry) => entry.version === version && entry.state === "served")) continue
        yield* hub.submit(signed, 1)
        brought.push(version)
      }
      yield* print([
        brought.length === 0
          ? "the hub has all that was verified here"
          : `brought version ${brought.join(", ")} of fleet ${known.fleet}'s signers`
      ])
    }).pipe(Effect.provide(signersLayer))
  )).pipe(
    Command.withDescription(
      "Bring the versions that were verified here and the hub lacks, after it was restored (operator)"
    )
  )

const number = Args.integer({ name: "version" }).pipe(Args.withDescription("The version's number"))

const withdraw = Command.make(
  "withdraw",
  { version: number, fleet: fleetOption, ...connectionOptions },
  ({ fleet, version, ...options }) =>
    withOps(
      options,
      Effect.gen(function*() {
        const known = yield* requiredFleet(fleet)
        const hub = yield* HubSigners
        const entry = yield* hub.withdraw(known.fleet, version)
        const { version: verified } = yield* trailOf(known)
        yield* print([
          `the hub forgot version ${version} of fleet ${known.fleet}'s signers (${entry.sha256})`,
          ...(verified >= version
            ? ["it was verified on this machine, which goes on from it: a host may have it, too, and never goes back"]
            : [])
        ])
      }).pipe(Effect.provide(signersLayer))
    )
).pipe(
  Command.withDescription(
    "Have the hub forget its last version, where somebody brought one that does not hold and no host took it (admin)"
  )
)

const save = Command.make(
  "save",
  {
    version: number,
    out: Options.text("out").pipe(Options.withDescription("The file to write")),
    fleet: fleetOption,
    ...connectionOptions
  },
  ({ fleet, out, version, ...options }) =>
    withOps(
      options,
      Effect.gen(function*() {
        const { trail: { known } } = yield* Effect.flatMap(requiredFleet(fleet), followed)
        const own = [...("version" in known.anchor ? [known.anchor.version] : []), ...known.versions]
        const documents = yield* Effect.forEach(own, (signed) =>
          Effect.mapBoth(heldIn(signed), { onFailure: usage, onSuccess: ({ document }) => ({ document, signed }) }))
        const found = documents.find(({ document }) =>
          document.version === version
        )
        if (found === undefined) {
          return yield* usage(`version ${version} was not verified on this machine; felhom signers log`)
        }
        const { payload, signatures } = found.signed
        yield* writeOpFile(out, { payload, signatures })
        yield* print([
          `wrote ${out}; felhom op signers.update --document ${out} has a host take it that does not follow by itself`
        ])
      }).pipe(Effect.provide(signersLayer))
    )
).pipe(Command.withDescription("Write a version that was verified here to a file, with its signatures"))

/** Whose signatures hosts take. */
export const signersCommand = Command.make("signers").pipe(
  Command.withDescription(
    "Whose signatures hosts take: root's file on each host begins it, and what the signers sign for the whole fleet goes on from there"
  ),
  Command.withSubcommands([show, trust, newList, log, push, withdraw, save])
)
