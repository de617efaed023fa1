import { HttpApiSchema } from "@effect/platform"
import { Schema } from "effect"

/** No token, or none that this hub knows. */
export class HubUnauthorized extends Schema.TaggedError<HubUnauthorized>()(
  "HubUnauthorized",
  { message: Schema.String },
  HttpApiSchema.annotations({ status: 401 })
) {}

/** The token is good, but not for this. */
export class HubForbidden extends Schema.TaggedError<HubForbidden>()(
  "HubForbidden",
  { message: Schema.String },
  HttpApiSchema.annotations({ status: 403 })
) {}

/** The hub has never heard of it. */
export class HubNotFound extends Schema.TaggedError<HubNotFound>()(
  "HubNotFound",
  { message: Schema.String },
  HttpApiSchema.annotations({ status: 404 })
) {}

/** The body is not a report: it says which field and what was expected. */
export class HubBadReport extends Schema.TaggedError<HubBadReport>()(
  "HubBadReport",
  { message: Schema.String },
  HttpApiSchema.annotations({ status: 400 })
) {}

/** The body, packed or unpacked, is larger than the hub takes. */
export class HubTooLarge extends Schema.TaggedError<HubTooLarge>()(
  "HubTooLarge",
  { message: Schema.String, limitBytes: Schema.Int },
  HttpApiSchema.annotations({ status: 413 })
) {}

/** The hub could not store or read; nothing was acknowledged. */
export class HubUnavailable extends Schema.TaggedError<HubUnavailable>()(
  "HubUnavailable",
  { message: Schema.String },
  HttpApiSchema.annotations({ status: 503 })
) {}

/** Too many requests in too short a time; the answer's `Retry-After` says the same in seconds. */
export class HubTooManyRequests extends Schema.TaggedError<HubTooManyRequests>()(
  "HubTooManyRequests",
  { message: Schema.String, retryAfterSeconds: Schema.Int },
  HttpApiSchema.annotations({ status: 429 })
) {}

/** It can't be done as things stand at the hub: the message says what stands in the way. */
export class HubConflict extends Schema.TaggedError<HubConflict>()(
  "HubConflict",
  { message: Schema.String },
  HttpApiSchema.annotations({ status: 409 })
) {}
