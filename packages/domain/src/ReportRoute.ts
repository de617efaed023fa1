import type { HostId } from "./HostId.ts"

// Apart from the declaration of the whole API, which is many times of what the agent sends and reads.

/** Where everything of the hub's API is. */
export const apiPrefix = "/api/v1"

/** Where a host's reports go, below that. */
export const reportRoute = "/hosts/:hostId/report"

/** The whole path for one host's reports. */
export const reportPath = (host: HostId): string => `${apiPrefix}${reportRoute.replace(":hostId", host)}`
