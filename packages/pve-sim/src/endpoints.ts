import * as Access from "./api/Access.ts"
import * as Acl from "./api/Acl.ts"
import * as Agent from "./api/Agent.ts"
import * as CloneQemu from "./api/CloneQemu.ts"
import * as Cluster from "./api/Cluster.ts"
import * as Content from "./api/Content.ts"
import * as CreateLxc from "./api/CreateLxc.ts"
import * as CreateQemu from "./api/CreateQemu.ts"
import * as Disks from "./api/Disks.ts"
import * as Groups from "./api/Groups.ts"
import * as GuestFirewall from "./api/GuestFirewall.ts"
import * as GuestIndexes from "./api/GuestIndexes.ts"
import * as Guests from "./api/Guests.ts"
import * as Jobs from "./api/Jobs.ts"
import * as Lifecycle from "./api/Lifecycle.ts"
import * as LxcConfig from "./api/LxcConfig.ts"
import * as Node from "./api/Node.ts"
import * as NodeReads from "./api/NodeReads.ts"
import * as Pools from "./api/Pools.ts"
import * as Power from "./api/Power.ts"
import * as PruneBackups from "./api/PruneBackups.ts"
import * as QemuConfig from "./api/QemuConfig.ts"
import * as Reshape from "./api/Reshape.ts"
import * as Roles from "./api/Roles.ts"
import * as Samples from "./api/Samples.ts"
import * as Snapshots from "./api/Snapshots.ts"
import * as Storage from "./api/Storage.ts"
import * as StorageConfig from "./api/StorageConfig.ts"
import * as Tasks from "./api/Tasks.ts"
import * as Users from "./api/Users.ts"
import * as UserTokens from "./api/UserTokens.ts"
import * as Vzdump from "./api/Vzdump.ts"
import type { Endpoint } from "./Endpoint.ts"

/** Everything this host answers; a path or method that is not in here is 501. A new area is one more line. */
export const endpoints: ReadonlyArray<Endpoint> = [
  ...Access.endpoints,
  ...Acl.endpoints,
  ...Agent.endpoints,
  ...CloneQemu.endpoints,
  ...Cluster.endpoints,
  ...Content.endpoints,
  ...CreateLxc.endpoints,
  ...CreateQemu.endpoints,
  ...Disks.endpoints,
  ...Groups.endpoints,
  ...GuestFirewall.endpoints,
  ...GuestIndexes.endpoints,
  ...Guests.endpoints,
  ...Jobs.endpoints,
  ...Lifecycle.endpoints,
  ...LxcConfig.endpoints,
  ...Node.endpoints,
  ...NodeReads.endpoints,
  ...Pools.endpoints,
  ...Power.endpoints,
  ...PruneBackups.endpoints,
  ...QemuConfig.endpoints,
  ...Roles.endpoints,
  ...Reshape.endpoints,
  ...Samples.endpoints,
  ...Snapshots.endpoints,
  ...Storage.endpoints,
  ...StorageConfig.endpoints,
  ...Tasks.endpoints,
  ...Users.endpoints,
  ...UserTokens.endpoints,
  ...Vzdump.endpoints
]
