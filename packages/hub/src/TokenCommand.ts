import { Args, Command, Options } from "@effect/cli"
import { displayText } from "@felhom/domain/DisplayText"
import { Console, Effect, Redacted } from "effect"
import { tokenLayer } from "./Serve.ts"
import { data } from "./ServeCommand.ts"
import { tokenId, type TokenRow, TokenStore } from "./TokenStore.ts"

const output = Options.choice("output", ["text", "json"]).pipe(
  Options.withDescription("text for people, json for programs"),
  Options.withDefault("text")
)

const role = Options.choice("role", ["host", "viewer", "operator", "admin"]).pipe(
  Options.withDescription("host: one host's agent; the others are for people, each with what those before it may do")
)

const label = Options.text("label").pipe(Options.withDescription("Whose token it is, for the list"))

const shown = (row: TokenRow) => ({
  id: tokenId(row),
  role: row.role,
  label: row.label,
  createdAt: row.createdAt,
  hostId: row.hostId,
  revokedAt: row.revokedAt
})

const line = (row: TokenRow): string =>
  [
    tokenId(row),
    row.role.padEnd("operator".length),
    row.revokedAt === null ? "live   " : "revoked",
    new Date(row.createdAt).toISOString().slice(0, 10),
    (row.hostId ?? "-").padEnd(32),
    displayText(row.label)
  ].join("  ")

const create = Command.make(
  "create",
  { role, label, data, output },
  ({ data, label, output, role }) =>
    Effect.gen(function*() {
      const { row, token } = yield* Effect.flatMap(TokenStore, (tokens) => tokens.create(role, label))
      yield* Console.log(
        output === "json" ? JSON.stringify({ token: Redacted.value(token), ...shown(row) }) : Redacted.value(token)
      )
    }).pipe(Effect.provide(tokenLayer(data)))
).pipe(
  Command.withDescription("Make a token and print it, this once: only its SHA-256 is kept")
)

const list = Command.make("list", { data, output }, ({ data, output }) =>
  Effect.gen(function*() {
    const rows = yield* Effect.flatMap(TokenStore, (tokens) => tokens.list)
    if (output === "json") return yield* Console.log(JSON.stringify(rows.map(shown)))
    yield* Effect.forEach(rows, (row) => Console.log(line(row)), { discard: true })
  }).pipe(Effect.provide(tokenLayer(data)))).pipe(Command.withDescription("All tokens, live and revoked, oldest first"))

const id = Args.text({ name: "id" }).pipe(Args.withDescription("The beginning of a token's id, as in token list"))

const revoke = Command.make("revoke", { id, data, output }, ({ data, id, output }) =>
  Effect.gen(function*() {
    const row = yield* Effect.flatMap(TokenStore, (tokens) => tokens.revoke(id))
    yield* Console.log(
      output === "json" ? JSON.stringify(shown(row)) : `revoked ${tokenId(row)} (${displayText(row.label)})`
    )
  }).pipe(Effect.provide(tokenLayer(data)))).pipe(
    Command.withDescription("Revoke a token: the next request with it is refused")
  )

export const tokenCommand = Command.make("token").pipe(
  Command.withDescription("Tokens of hosts and of people"),
  Command.withSubcommands([create, list, revoke])
)
