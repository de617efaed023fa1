import type { GuestRef, StorageId, Vmid, Volid } from "@felhom/domain/ProxmoxId"
import type { Upid } from "@felhom/domain/Upid"
import type { Mandate, MandateRefused } from "@felhom/mandate/Mandate"
import type { Effect } from "effect"
import { type Caller, upid } from "./Caller.ts"
import type { Parameters } from "./FormEncoding.ts"
import {
  type ContainerShape,
  machineParameters,
  type MachineShape,
  type NetworkCards,
  networkParameters,
  type NewRootVolume,
  rootVolumeText,
  shapeParameters
} from "./GuestShape.ts"
import type { ProxmoxError } from "./ProxmoxError.ts"
import type { Call } from "./Transport.ts"

/** A container made from a template; always unprivileged. */
export interface NewContainer {
  readonly vmid: Vmid
  /** A `vztmpl` volume. */
  readonly template: Volid
  readonly root: NewRootVolume
  readonly network?: NetworkCards
  /** The only feature that a token may set (platform-facts 5.2). */
  readonly nesting?: boolean
  readonly shape?: ContainerShape
}

/**
 * The network of what is restored: as archived, addresses included; as archived with fresh hardware addresses; or given, where
 * a card without `hwaddr` gets a fresh one. Given cards and Proxmox's `unique` can't be had together, because `unique` throws
 * the given ones away (platform-facts 5.6, 11 item 2).
 */
export type RestoredNetwork =
  | { readonly kind: "archived" }
  | { readonly kind: "fresh-addresses" }
  | { readonly kind: "given"; readonly cards: NetworkCards }

/** What an archive of a container becomes. */
export interface ContainerRestore {
  readonly archive: Volid
  /** Where its volumes go; Proxmox's own default often takes none (platform-facts 5.6). */
  readonly storage: StorageId
  /** Gives the root volume a size of its own; then no other archived volume is restored (platform-facts 5.3). */
  readonly root?: NewRootVolume
  readonly network: RestoredNetwork
  readonly shape?: ContainerShape
}

/**
 * What an archive of a virtual machine becomes. Its disks can't be chosen: they are the archive's, all on one storage. Unlike a
 * container's, given cards and fresh addresses go together: what is given wins over the archive (qemu-server's own merge).
 */
export interface MachineRestore {
  readonly archive: Volid
  readonly storage: StorageId
  /** Cards and the SMBIOS uuid are not those of the archive's machine. */
  readonly freshAddresses: boolean
  /** Cards beside, or in place of, the archived ones: `virtio,bridge=vmbr0`; one without an address gets a fresh one. */
  readonly network?: NetworkCards
  readonly shape?: MachineShape
}

/**
 * Making guests. `features` and `unprivileged` are never passed on a restore: the archived ones, keyctl included, are kept
 * only then (platform-facts 5.3). Nothing made here is started.
 *
 * An archive is trusted as root is: its hook script and devices come along, so it is looked at first (`archivedConfig`). And
 * `OK` does not say that the guest is whole: onto a full directory storage a restore ends `OK` with an empty one
 * (platform-facts 11, item 6).
 */
export interface ProvisionApi {
  /** A number that is taken is `already-exists`. @see platform-facts 1.2.1 */
  readonly createContainer: (container: NewContainer) => Effect.Effect<Upid, ProxmoxError>
  /** Restores to a number that is free; one that is taken is `already-exists`. @see platform-facts 5.3 to 5.6 */
  readonly restoreContainer: (vmid: Vmid, restore: ContainerRestore) => Effect.Effect<Upid, ProxmoxError>
  /**
   * The same for a virtual machine. A missing archive is refused at once (`storage-not-found`). One that fails after its begin
   * leaves a machine without disks and without a lock under the number: it is never cleaned up by Proxmox. @see platform-facts 1.3
   */
  readonly restoreMachine: (vmid: Vmid, restore: MachineRestore) => Effect.Effect<Upid, ProxmoxError>
  /**
   * Restores a container over itself. The old one is lost before the new one is there, and both are lost if unpacking fails:
   * restore to a free number first. @see platform-facts 5.7
   */
  readonly restoreContainerOver: (
    vmid: Vmid,
    restore: ContainerRestore,
    mandate: Mandate
  ) => Effect.Effect<Upid, ProxmoxError | MandateRefused>
}

const restoreParameters = (vmid: Vmid, restore: ContainerRestore): Parameters => ({
  vmid,
  ostemplate: restore.archive,
  restore: true,
  storage: restore.storage,
  rootfs: restore.root === undefined ? undefined : rootVolumeText(restore.root),
  unique: restore.network.kind === "fresh-addresses" ? true : undefined,
  ...(restore.network.kind === "given" ? networkParameters(restore.network.cards) : {}),
  ...shapeParameters(restore.shape ?? {})
})

export const makeProvisionApi = ({ destroy, node, write }: Caller): ProvisionApi => {
  const make = (type: GuestRef["type"], parameters: Parameters): Call => ({
    method: "POST",
    path: [...node, type],
    parameters
  })
  return {
    createContainer: (container) =>
      write(
        make("lxc", {
          vmid: container.vmid,
          ostemplate: container.template,
          unprivileged: true,
          rootfs: rootVolumeText(container.root),
          features: container.nesting === true ? "nesting=1" : undefined,
          ...networkParameters(container.network ?? {}),
          ...shapeParameters(container.shape ?? {})
        }),
        upid
      ),
    restoreContainer: (vmid, restore) => write(make("lxc", restoreParameters(vmid, restore)), upid),
    restoreMachine: (vmid, { archive, freshAddresses, network = {}, shape = {}, storage }) =>
      write(
        make("qemu", {
          vmid,
          archive,
          storage,
          unique: freshAddresses ? true : undefined,
          ...networkParameters(network),
          ...machineParameters(shape)
        }),
        upid
      ),
    restoreContainerOver: (vmid, restore, mandate) =>
      destroy(
        make("lxc", { ...restoreParameters(vmid, restore), force: true }),
        mandate,
        { op: "guest.restore_over", guest: { type: "lxc", vmid }, archive: restore.archive },
        upid
      )
  }
}
