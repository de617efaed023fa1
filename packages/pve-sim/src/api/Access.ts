import { Effect } from "effect"
import { textOf } from "../CallParameters.ts"
import { anyone, type Endpoint, type Json, missing } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"

const user = {
  type: "string",
  maxLength: 64,
  pattern: /^[^\s:/]+@[A-Za-z][A-Za-z0-9.\-_]+(?:![A-Za-z][A-Za-z0-9.\-_]+)?$/
} as const

const permissions: Endpoint = {
  method: "GET",
  path: "/access/permissions",
  permission: anyone,
  protected: false,
  parameters: { userid: Formats.optional(user), path: Formats.text() },
  handle: (call) =>
    Effect.gen(function*() {
      const { access } = call.machine
      const id = textOf(call, "userid") ?? call.identity.id
      if (id !== call.identity.id) {
        const refused = missing(call.machine, call.identity, "/access", ["Sys.Audit"])
        if (refused !== undefined) return yield* refused
      }
      const held = (path: string): Json => Object.fromEntries(access.privileges(id, path))
      const path = textOf(call, "path")
      // The path is answered for as it was written, held or not (platform-facts 11, item 8).
      if (path !== undefined) return { data: { [path]: held(path) } }
      return {
        data: Object.fromEntries(
          access.listed().filter((one) => access.privileges(id, one).size > 0).map((one) => [one, held(one)])
        )
      }
    })
}

/** What an identity effectively holds (platform-facts 3.3). */
export const endpoints: ReadonlyArray<Endpoint> = [permissions]
