"""The words that a matrix, a journal and their readers share: providers, boots, instruments."""

PROVIDERS = ("host", "cmb", "bar")
# Follows the provider of a boot in which the disk's own queues lie in its CMB, too.
SQES = "+sqes"
# A boot that only registers and removes a BAR has this and the size for its provider.
MEMORY = "memory"
# The provider in the plan of a boot that counts instructions; its workloads have their own.
COUNT = "count"

# What counted: the plugin in QEMU, which knows each function, or the CPU's own counters, a sum.
PLUGIN = "insncount"
PERF = "perf stat"
