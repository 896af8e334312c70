"""Layers that predict on a CPU in less time than torch's own; `swap.speed_up` puts them into a network."""
