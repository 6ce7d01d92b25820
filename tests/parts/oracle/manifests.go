package main

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"

	"go.podman.io/image/v5/manifest"
	"go.podman.io/image/v5/pkg/docker/config"
	"go.podman.io/image/v5/types"
)

// manifestOf says what containers/image reads in a manifest or index of this type: one line for each descriptor, the
// configuration's first.
func manifestOf(text, mediaType string) (answer, error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return answer{}, err
	}
	result := answer{Value: manifest.GuessMIMEType(raw)}
	if manifest.MIMETypeIsMultiImage(mediaType) {
		list, err := manifest.ListFromBlob(raw, mediaType)
		if err != nil {
			return answer{}, err
		}
		for _, digest := range list.Instances() {
			one, err := list.Instance(digest)
			if err != nil {
				return answer{}, err
			}
			result.Blobs = append(result.Blobs, fmt.Sprint(one.MediaType, " ", digest, " ", one.Size))
		}
		return result, nil
	}
	image, err := manifest.FromBlob(raw, mediaType)
	if err != nil {
		return answer{}, err
	}
	blobs := []types.BlobInfo{image.ConfigInfo()}
	for _, layer := range image.LayerInfos() {
		blobs = append(blobs, layer.BlobInfo)
	}
	for _, one := range blobs {
		result.Blobs = append(result.Blobs, fmt.Sprint(one.MediaType, " ", one.Digest, " ", one.Size))
	}
	return result, nil
}

// credentialOf says which login an auth file has for a repository: user, password and identity token.
func credentialOf(key, file string) (answer, error) {
	directory, err := os.MkdirTemp("", "oracle")
	if err != nil {
		return answer{}, err
	}
	defer os.RemoveAll(directory)
	path, conf := filepath.Join(directory, "auth.json"), filepath.Join(directory, "registries.conf")
	for name, content := range map[string]string{path: file, conf: ""} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			return answer{}, err
		}
	}
	system := &types.SystemContext{
		AuthFilePath:                path,
		SystemRegistriesConfPath:    conf,
		SystemRegistriesConfDirPath: directory + "/none",
	}
	found, err := config.GetCredentials(system, key)
	if err != nil {
		return answer{}, err
	}
	return answer{Credential: []string{found.Username, found.Password, found.IdentityToken}}, nil
}
