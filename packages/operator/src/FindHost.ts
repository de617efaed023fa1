import { Args } from "@effect/cli"
import type { HostSummary } from "@felhom/domain/HubApi"
import { Effect } from "effect"
import { shortIdLength } from "./HostsView.ts"
import { OperatorError } from "./OperatorError.ts"

export const wanted = Args.text({ name: "host" }).pipe(
  Args.withDescription("The beginning of a host's id, or its node name")
)

/** The one host that is meant, by its whole node name or by the beginning of its id. */
export const findHost = (
  list: ReadonlyArray<HostSummary>,
  text: string
): Effect.Effect<HostSummary, OperatorError> => {
  // A retired host gives way to the one that took its name.
  const named = list.filter(({ host }) => host.node === text)
  const inService = named.filter(({ retiredAt }) => retiredAt === null)
  const byName = inService.length > 0 ? inService : named
  const matches = byName.length > 0 ? byName : list.filter(({ host }) => host.id.startsWith(text.toLowerCase()))
  const [found] = matches
  if (found !== undefined && matches.length === 1) return Effect.succeed(found)
  const known = matches.map(({ host }) => `${host.node} (${host.id.slice(0, shortIdLength)})`).join(", ")
  return Effect.fail(
    new OperatorError({
      reason: "no-host",
      detail: matches.length === 0
        ? `no host is called ${JSON.stringify(text)}, nor does an id begin so; see felhom hosts`
        : `${JSON.stringify(text)} may be any of ${known}; give the beginning of an id`
    })
  )
}
