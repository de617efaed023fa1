import * as NodeRootSocket from "@felhom/node/NodeRootSocket"
import { type Privileged } from "@felhom/privileged/Privileged"
import * as PrivilegedSocket from "@felhom/privileged/PrivilegedSocket"
import { answerWithinMillis } from "@felhom/privileged/RootExchange"
import type { Context } from "effect"

/**
 * Beside the agent's own folder, and not in it: systemd hands each socket that it makes there to the agent by its path, so the folder
 * must not be the agent's to put something else into.
 */
export const rootSockets = (runtimeDirectory: string): string => `${runtimeDirectory.replace(/\/+$/, "")}-root`

/** The root side, reached over its sockets: this process starts no program. */
export const rootSide = (runtimeDirectory: string): Context.Tag.Service<Privileged> =>
  PrivilegedSocket.make(
    NodeRootSocket.make({ directory: rootSockets(runtimeDirectory), timeouts: answerWithinMillis })
  )
