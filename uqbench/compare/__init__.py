"""Two sets of results against each other: what got worse beyond noise; and records checked before they are taken."""
