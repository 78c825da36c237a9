"""p2pbench: page-backed and pageless PCI peer-to-peer DMA, measured.

Layers, each importing only from those before it:
errors, paths -> matrix -> kernel, image -> channel, qemu -> evidence -> runner
-> journal -> stats -> report.
"""
