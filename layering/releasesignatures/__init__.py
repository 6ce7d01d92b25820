"""Whether a release payload is what its publisher signed: keys, stores of signatures, what a signature says.

The signatures are containers' "simple signing" (github.com/containers/image, docs/containers-signature.5.md), laid out
in stores as github.com/openshift/library-go, pkg/verify/store, reads them.
"""
