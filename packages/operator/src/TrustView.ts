import type { TokenSummary, WaitingHost } from "@felhom/domain/EnrolmentApi"
import { humanDuration } from "@felhom/domain/HumanText"
import { type Cell, type Column, renderTable, toned } from "./Table.ts"

const waitingColumns: ReadonlyArray<Column> = [
  { title: "HOST", atMost: 32 },
  { title: "ID" },
  { title: "CODE" },
  { title: "AGENT", atMost: 16 },
  { title: "WAITS" },
  { title: "SAME NAME", atMost: 60 }
]

/** The table of `felhom waiting`. `now` in milliseconds since the epoch. */
export const renderWaiting = (
  hosts: ReadonlyArray<WaitingHost & { readonly code: string }>,
  now: number,
  colours: boolean
): ReadonlyArray<string> =>
  hosts.length === 0 ? ["no host waits to be accepted"] : renderTable(
    waitingColumns,
    hosts.map(({ agentVersion, code, host, namesakes, node, since }): ReadonlyArray<Cell> => [
      toned("strong", node),
      host,
      code,
      agentVersion,
      humanDuration(now - since),
      namesakes.length === 0
        ? toned("dim", "-")
        : toned("warning", `reports already as ${namesakes.map(({ host }) => host.slice(0, 8)).join(", ")}`)
    ]),
    colours
  )

const tokenColumns: ReadonlyArray<Column> = [
  { title: "ID" },
  { title: "ROLE" },
  { title: "STATE" },
  { title: "MADE" },
  { title: "HOST" },
  { title: "LABEL", atMost: 60 }
]

const stateTones = { live: "good", used: "dim", expired: "dim", revoked: "dim" } as const

/** The table of `felhom tokens`. `now` in milliseconds since the epoch. */
export const renderTokens = (
  tokens: ReadonlyArray<TokenSummary>,
  now: number,
  colours: boolean
): ReadonlyArray<string> =>
  renderTable(
    tokenColumns,
    tokens.map(({ createdAt, host, id, label, role, state }): ReadonlyArray<Cell> => [
      id,
      role,
      toned(stateTones[state], state),
      `${humanDuration(now - createdAt)} ago`,
      host?.slice(0, 8) ?? toned("dim", "-"),
      label
    ]),
    colours
  )
