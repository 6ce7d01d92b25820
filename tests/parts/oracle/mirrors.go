package main

import (
	"os"
	"path/filepath"

	"github.com/distribution/reference"
	"go.podman.io/image/v5/pkg/sysregistriesv2"
	"go.podman.io/image/v5/types"
)

// place is one address that container tools would ask. Blocked and Insecure are also what the table of the place's own
// name says, as the docker transport looks it up before it connects.
type place struct {
	Reference string `json:"reference"`
	Insecure  bool   `json:"insecure"`
	Blocked   bool   `json:"blocked"`
}

// placesOf says where a reference would be read with a registries.conf and one file of its drop-in directory.
func placesOf(text, conf, dropIn string) (answer, error) {
	named, err := reference.ParseNormalizedNamed(text)
	if err != nil {
		return answer{}, err
	}
	directory, err := os.MkdirTemp("", "oracle")
	if err != nil {
		return answer{}, err
	}
	defer os.RemoveAll(directory)
	path, dropIns := filepath.Join(directory, "registries.conf"), filepath.Join(directory, "registries.conf.d")
	if err := os.Mkdir(dropIns, 0o700); err != nil {
		return answer{}, err
	}
	for name, content := range map[string]string{path: conf, filepath.Join(dropIns, "1.conf"): dropIn} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			return answer{}, err
		}
	}
	sysregistriesv2.InvalidateCache()
	system := &types.SystemContext{SystemRegistriesConfPath: path, SystemRegistriesConfDirPath: dropIns}
	registry, err := sysregistriesv2.FindRegistry(system, named.String())
	if err != nil {
		return answer{}, err
	}
	if registry == nil {
		return answer{Places: []place{{Reference: named.String()}}}, nil
	}
	sources, err := registry.PullSourcesFromReference(named)
	if err != nil {
		return answer{}, err
	}
	result := answer{}
	for _, source := range sources {
		found := place{Reference: source.Reference.String(), Insecure: source.Endpoint.Insecure}
		own, err := sysregistriesv2.FindRegistry(system, source.Reference.Name())
		if err != nil {
			return answer{}, err
		}
		if own != nil {
			found.Insecure, found.Blocked = found.Insecure || own.Insecure, own.Blocked
		}
		result.Places = append(result.Places, found)
	}
	return result, nil
}
