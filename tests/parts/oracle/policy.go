package main

import (
	"context"
	"os"
	"path/filepath"

	"go.podman.io/image/v5/docker"
	"go.podman.io/image/v5/image"
	"go.podman.io/image/v5/signature"
	"go.podman.io/image/v5/types"
)

// runs asks what a node asks before it runs an image: whether a policy.json allows this one, at a registry that is
// asked over plain http, with a file of registries.d. A refusal comes with containers/image's own reason.
func runs(text, policy, lookaside string) (answer, error) {
	directory, err := os.MkdirTemp("", "oracle")
	if err != nil {
		return answer{}, err
	}
	defer os.RemoveAll(directory)
	conf := filepath.Join(directory, "registries.conf")
	for path, content := range map[string]string{conf: "", filepath.Join(directory, "default.yaml"): lookaside} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return answer{}, err
		}
	}
	system := &types.SystemContext{
		SystemRegistriesConfPath:    conf,
		SystemRegistriesConfDirPath: directory + "/none",
		RegistriesDirPath:           directory,
		DockerInsecureSkipTLSVerify: types.OptionalBoolTrue,
	}
	rules, err := signature.NewPolicyFromBytes([]byte(policy))
	if err != nil {
		return answer{}, err
	}
	judge, err := signature.NewPolicyContext(rules)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = judge.Destroy() }()
	reference, err := docker.ParseReference("//" + text)
	if err != nil {
		return answer{}, err
	}
	source, err := reference.NewImageSource(context.Background(), system)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = source.Close() }()
	_, err = judge.IsRunningImageAllowed(context.Background(), image.UnparsedInstance(source, nil))
	return answer{}, err
}
