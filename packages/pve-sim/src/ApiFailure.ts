import { Data } from "effect"

/**
 * A handler's way to say no, in the terms of the wire (platform-facts 3.4). It never leaves the simulator as an error: the
 * dispatcher turns it into a response. `message` is what stands in the body, without the newline that Proxmox adds.
 */
export class ApiFailure extends Data.TaggedError("ApiFailure")<{
  readonly status: number
  readonly message: string
  readonly errors?: { readonly [parameter: string]: string }
}> {}

/** A plain `die` in a handler: missing guest, wrong state, lock, conflict. There is no 404 and no 409. */
export const died = (message: string): ApiFailure => new ApiFailure({ status: 500, message })

/** 400, with a text for each parameter. */
export const badParameters = (errors: { readonly [parameter: string]: string }): ApiFailure =>
  new ApiFailure({ status: 400, message: "Parameter verification failed.", errors })

/** 403. Without `what`, Proxmox does not say which privilege was missing. */
export const forbidden = (what?: string): ApiFailure =>
  new ApiFailure({ status: 403, message: `Permission check failed${what === undefined ? "" : ` (${what})`}` })

/** The text of a guest that is not there; it is an internal error to Proxmox, too. */
export const noGuestConfig = (node: string, type: "lxc" | "qemu", vmid: number): ApiFailure =>
  died(`Configuration file 'nodes/${node}/${type === "lxc" ? "lxc" : "qemu-server"}/${vmid}.conf' does not exist`)
