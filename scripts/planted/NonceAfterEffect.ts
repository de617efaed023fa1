import type { Planted } from "./Planted.ts"

export const planted: Planted = {
  name: "spends a nonce after what it is spent for",
  check: "NonceFirst",
  changes: [{
    file: "packages/authz/src/Authz.ts",
    line: "yield* Effect.catchTags(nonces.spend(op.nonce, op.exp), {",
    instead: `yield* Effect.catchTags(Effect.forkDaemon(Effect.delay(nonces.spend(op.nonce, op.exp), "1 minute")), {`
  }]
}
