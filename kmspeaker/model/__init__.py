"""The network, its motion space, and the sampler that turns noise into motion."""
