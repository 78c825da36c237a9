"""The words that a journal and its readers share: what counts instructions."""

# What counted: the plugin in QEMU, which knows each function, or the CPU's own counters, a sum.
PLUGIN = "insncount"
PERF = "perf stat"
