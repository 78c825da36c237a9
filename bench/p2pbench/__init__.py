"""p2pbench: page-backed and pageless PCI peer-to-peer DMA, measured.

Layers, each importing only from those before it:
errors, paths -> located -> variants -> matrix, tree -> kernel, image -> accel, channel,
qemu -> evidence, fio -> boot, journal -> run. Statistics and report read a journal: they know
evidence, and no machine: questions -> stats; significance -> estimate -> comparisons -> aa,
stopping -> report. A run asks stopping which boots it still needs.
"""
