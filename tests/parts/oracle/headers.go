package main

import (
	"archive/tar"
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"strings"

	"github.com/docker/distribution/registry/client/auth/challenge"
)

// member is one entry of a tar stream, as the tools that unpack layers see it: their reader is Go's own, or was made
// of it. Names and contents are base64, because they may be any bytes.
type member struct {
	Name    string `json:"name"`
	Link    string `json:"link"`
	Flag    string `json:"flag"`
	Mode    int64  `json:"mode"`
	UID     int    `json:"uid"`
	GID     int    `json:"gid"`
	Xattrs  bool   `json:"xattrs"`
	Content string `json:"content"`
}

// challenged is one challenge of a WWW-Authenticate header.
type challenged struct {
	Scheme     string            `json:"scheme"`
	Parameters map[string]string `json:"parameters"`
}

func membersOf(text string) (answer, error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return answer{}, err
	}
	result := answer{}
	for stream := tar.NewReader(bytes.NewReader(raw)); ; {
		header, err := stream.Next()
		if err == io.EOF {
			return result, nil
		}
		if err != nil {
			return answer{}, err
		}
		content, err := io.ReadAll(io.LimitReader(stream, 1<<20))
		if err != nil {
			return answer{}, err
		}
		one := member{Name: encoded(header.Name), Link: encoded(header.Linkname), Flag: string(header.Typeflag)}
		one.Mode, one.UID, one.GID = header.Mode, header.Uid, header.Gid
		one.Content = encoded(string(content))
		for key := range header.PAXRecords {
			one.Xattrs = one.Xattrs || strings.HasPrefix(key, "SCHILY.xattr.") || strings.HasPrefix(key, "LIBARCHIVE.xattr.")
		}
		result.Members = append(result.Members, one)
	}
}

func challengesOf(text string) (answer, error) {
	header := http.Header{"Www-Authenticate": {text}}
	result := answer{}
	for _, one := range challenge.ResponseChallenges(&http.Response{StatusCode: 401, Header: header}) {
		result.Challenges = append(result.Challenges, challenged{Scheme: one.Scheme, Parameters: one.Parameters})
	}
	return result, nil
}

func encoded(text string) string {
	return base64.StdEncoding.EncodeToString([]byte(text))
}
