"""From patches to kernels: bases, variants, trees, builds, and what differs between builds."""
