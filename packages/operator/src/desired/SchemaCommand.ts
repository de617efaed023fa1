import { Command } from "@effect/cli"
import { Console } from "effect"
import { wishFileJsonSchema } from "./WishSchema.ts"

export const schemaCommand = Command.make(
  "schema",
  {},
  () => Console.log(JSON.stringify(wishFileJsonSchema, null, 2))
).pipe(
  Command.withDescription(
    "The JSON Schema of the files that felhom apply takes, for editors: felhom schema > felhom.schema.json"
  )
)
