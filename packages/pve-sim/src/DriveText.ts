import { parsePropertyString, propertyOf } from "@felhom/domain/PropertyString"

/** The bytes of a cloud-init drive, whatever lies on it (qemu-server, Cloudinit). */
export const cloudInitBytes = 4 * 1024 ** 2

/** Whether a drive is the one that cloud-init reads. */
export const isCloudInit = (text: string): boolean => /[:/]vm-\d+-cloudinit(?:\.\w+)?(?:,|$)/.test(text)

/** A drive without data of the machine's own: nothing is in it, or an image that stays where it is. */
export const isCdrom = (text: string): boolean => /(?:^|,)media=cdrom(?:,|$)/.test(text) && !isCloudInit(text)

/** The format in which a drive's volume lies on its storage. */
export const formatOf = (volid: string): string => /\.(qcow2|vmdk)$/.exec(volid)?.[1] ?? "raw"

/** One part of a drive, as it stands in the file. */
export const driveOption = (text: string, name: string): string | undefined =>
  propertyOf(parsePropertyString(text), name)
