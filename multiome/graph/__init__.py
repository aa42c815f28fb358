"""Prior knowledge about which feature belongs to which, as a signed, weighted graph."""
