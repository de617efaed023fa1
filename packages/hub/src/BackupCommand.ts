import { Command, Options } from "@effect/cli"
import { displayText } from "@felhom/domain/DisplayText"
import { humanBytes } from "@felhom/domain/HumanText"
import { formatFingerprint } from "@felhom/domain/PeerPin"
import { Sha256Hex } from "@felhom/domain/Sha256"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import { Console, Effect } from "effect"
import { backup, type BackupSummary } from "./Backup.ts"
import { type LiveToken, restore, type RestoreSummary } from "./Restore.ts"
import { data } from "./ServeCommand.ts"

const output = Options.choice("output", ["text", "json"]).pipe(
  Options.withDescription("text for people, json for programs"),
  Options.withDefault("text")
)

const minute = (at: number): string => `${new Date(at).toISOString().slice(0, 16).replace("T", " ")} UTC`

const held = (made: BackupSummary): ReadonlyArray<string> => [
  `made     ${minute(made.madeAt)} by hub ${made.hubVersion}, ${
    made.bytes < 1024 ** 2 ? `${Math.ceil(made.bytes / 1024)} KiB` : humanBytes(made.bytes)
  }`,
  `holds    ${made.hosts} hosts (the last report of ${
    made.lastReportAt === null ? "none" : minute(made.lastReportAt)
  }), ${made.keys} accepted host keys, ${made.tokens} live tokens, ${made.events} events`,
  `epoch    ${made.storeEpoch}`,
  made.tlsKey
    ? "tls key  in it: agents and operators know the restored hub by the pins that they have"
    : "tls key  NOT in it: this folder has none. A restored hub makes a new one, and every pin has to be changed"
]

export const backupCommand = Command.make("backup", {
  data,
  to: Options.text("to").pipe(
    Options.withDescription("The file to write; it is a secret, and readable by its owner only")
  ),
  force: Options.boolean("force").pipe(Options.withDescription("Overwrite the file if it is there")),
  output
}, ({ data, force, output, to }) =>
  Effect.gen(function*() {
    const made = yield* backup({ data, to, force })
    yield* Console.log(
      output === "json" ? JSON.stringify(made) : [
        `wrote ${made.path}; checked, and whole`,
        ...held(made),
        made.tlsKey ? "It holds the hub's private key: keep it as a secret." : "Keep it as a secret all the same."
      ].join("\n")
    )
  })).pipe(Command.withDescription("Write all of the hub into one file, beside a running hub if need be"))

const tokenLine = ({ createdAt, id, label, role }: LiveToken): string =>
  `  ${id}  ${role.padEnd("operator".length)}  made ${minute(createdAt)}  ${displayText(label)}`

const told = (restored: RestoreSummary): ReadonlyArray<string> => [
  `restored ${restored.backup.path} into ${restored.data}`,
  ...held(restored.backup),
  `new epoch ${restored.storeEpoch}: operators' felhom says once that the store was set back`,
  ...(restored.fingerprint === null
    ? []
    : [`fingerprint ${formatFingerprint(Sha256Hex.make(restored.fingerprint))}, as before`]),
  "",
  "What happened after the backup, this store does not know:",
  "- Tokens that were revoked since are live again. Look through this list, and revoke them again (felhom revoke ID):",
  ...(restored.liveTokens.length === 0 ? ["  none"] : restored.liveTokens.map(tokenLine)),
  `- ${restored.revokedEnrolmentTokens} one-time tokens that had not been used were revoked now: make new ones (felhom enrol).`,
  "- Hosts that were let in since, and tokens that were made since, are unknown: let them in again (felhom enrol).",
  "- Hosts that were rejected or retired since are back: felhom hosts, felhom waiting.",
  "- Events that hosts reported since are gone. They are counted apart, and not as lost by the hosts.",
  "",
  "Never start the old store again beside this one. Start this one: hub serve --data " + restored.data
]

export const restoreCommand = Command.make("restore", {
  from: Options.text("from").pipe(Options.withDescription("A file that hub backup wrote")),
  data,
  output
}, ({ data, from, output }) =>
  Effect.gen(function*() {
    const restored = yield* restore({ data, from })
    yield* Console.log(output === "json" ? JSON.stringify(restored) : told(restored).join("\n"))
  }).pipe(Effect.provide(NodeCrypto.layer))).pipe(
    Command.withDescription("Make a hub's data folder, new or empty, out of a backup; the store gets a new epoch")
  )
