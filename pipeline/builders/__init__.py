"""The ways to build one layered image for one platform."""
