"""The test's admin at an API server: may do everything, and does it by kind of object.

Unknown fields are refused, not dropped. It uses neither the product's client nor the Kubernetes client: what the
product gets wrong, the test shall not get wrong in the same way.
"""

from layering.cluster.resources import Resource
from tests.kubernetes.rest import Body, RefusedError, Rest

NAMESPACES = Resource(group="", version="v1", plural="namespaces", kind="Namespace")
SERVICE_ACCOUNTS = Resource(group="", version="v1", plural="serviceaccounts", kind="ServiceAccount")
ROLES = Resource(group="rbac.authorization.k8s.io", version="v1", plural="roles", kind="Role")
ROLE_BINDINGS = Resource(group="rbac.authorization.k8s.io", version="v1", plural="rolebindings", kind="RoleBinding")
CRDS = Resource(
    group="apiextensions.k8s.io", version="v1", plural="customresourcedefinitions", kind="CustomResourceDefinition"
)
_STRICT = "?fieldValidation=Strict"


class Admin(Rest):
    """All objects of one API server. Everything raises RefusedError where the server refuses."""

    def create(self, resource: Resource, body: Body, *, namespace: str | None = None) -> Body:
        """Create it; apiVersion and kind are filled in. A `status` in it is dropped by the server."""
        return self.call("POST", resource.path(namespace=namespace) + _STRICT, _typed(resource, body))

    def read(self, resource: Resource, name: str, *, namespace: str | None = None) -> Body:
        """One object. Raises RefusedError(404)."""
        return self.call("GET", resource.path(namespace=namespace, name=name))

    def exists(self, resource: Resource, name: str, *, namespace: str | None = None) -> bool:
        """Whether there is one of that name; also False when nobody serves the kind."""
        return self.get(resource.path(namespace=namespace, name=name)) is not None

    def list(self, resource: Resource, *, namespace: str | None = None) -> list[Body]:
        """All of a namespace, or of all namespaces."""
        return list(self.call("GET", resource.path(namespace=namespace))["items"])

    def replace(self, resource: Resource, body: Body, *, namespace: str | None = None) -> Body:
        """PUT; a stale metadata.resourceVersion is RefusedError(409)."""
        path = resource.path(namespace=namespace, name=body["metadata"]["name"])
        return self.call("PUT", path + _STRICT, _typed(resource, body))

    def write_status(self, resource: Resource, name: str, status: Body, *, namespace: str | None = None) -> Body:
        """Replace the whole status by PUT, which alone keeps nulls; of the newest version of the object."""
        path = resource.path(namespace=namespace, name=name)
        body = {**self.call("GET", path), "status": status}
        return self.call("PUT", f"{path}/status{_STRICT}", _typed(resource, body))

    def patch(self, resource: Resource, name: str, body: Body, *, namespace: str | None = None) -> Body:
        """A JSON merge patch: null deletes a key, a list replaces a list."""
        return self.merge(resource.path(namespace=namespace, name=name) + _STRICT, body)

    def patch_status(self, resource: Resource, name: str, status: Body, *, namespace: str | None = None) -> Body:
        """A JSON merge patch of the status alone."""
        path = resource.path(namespace=namespace, name=name)
        return self.merge(f"{path}/status{_STRICT}", {"status": status})

    def delete(self, resource: Resource, name: str, *, namespace: str | None = None) -> None:
        """Delete it; harmless when it is not there."""
        try:
            self.call("DELETE", resource.path(namespace=namespace, name=name))
        except RefusedError as error:
            if error.code != 404:
                raise

    def delete_all(self, resource: Resource, *, namespace: str | None = None) -> None:
        """Delete the whole collection."""
        self.call("DELETE", resource.path(namespace=namespace))


def _typed(resource: Resource, body: Body) -> Body:
    return {**body, "apiVersion": resource.api_version, "kind": resource.kind}
