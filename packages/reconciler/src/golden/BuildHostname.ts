/** How the names of containers begin that golden images are built in; a key follows that nobody else has. */
export const buildHostname = "felhom-golden-"
