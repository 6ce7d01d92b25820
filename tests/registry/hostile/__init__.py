"""Hostile registries as real servers: what they try, how each attempt ends, and what honest registries may do."""
