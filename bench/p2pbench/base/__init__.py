"""What every room stands on: errors, places, files, units, programs; no word of p2p."""
