package main

import (
	"encoding/base64"

	"go.podman.io/image/v5/signature"
)

// signatureOf says what containers/image makes of one simple signing signature and one keyring (both base64), for an
// image that is called by this name and has this manifest: the reference that was signed, or a refusal.
func signatureOf(name string, values map[string]string) (answer, error) {
	keyring, err := base64.StdEncoding.DecodeString(values["keyring"])
	if err != nil {
		return answer{}, err
	}
	signed, err := base64.StdEncoding.DecodeString(values["signature"])
	if err != nil {
		return answer{}, err
	}
	mechanism, keys, err := signature.NewEphemeralGPGSigningMechanism(keyring)
	if err != nil {
		return answer{}, err
	}
	defer mechanism.Close()
	found, _, err := signature.VerifyImageManifestSignatureUsingKeyIdentityList(
		signed, []byte(values["manifest"]), name, mechanism, keys)
	if err != nil {
		return answer{}, err
	}
	return answer{Value: found.DockerReference}, nil
}
