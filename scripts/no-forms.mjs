// Stands in the agent's bundles for Node's own FormData, of which nothing the agent sends or reads is one. Effect's client asks
// of every body whether it is such a form, and the mere name makes Node load its fetch: 25 ms of a start, and 7 MB for good.
export function FormData() {
  throw new Error("the agent sends no forms")
}
