// Command oracle answers what the originals make of a text that layerwatch parses by itself: one JSON object a line in,
// one a line out. It holds layering/reference.py to distribution/reference, layering/containerfile.py to buildkit,
// layering/tarheaders.py to archive/tar and what layering/registry parses to distribution and containers/image. It judges
// nothing; the tests compare.
package main

import (
	"bufio"
	_ "crypto/sha256" // go-digest knows only the hashes that are linked in
	_ "crypto/sha512"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

type question struct {
	Op     string            `json:"op"`
	Text   string            `json:"text"`
	Values map[string]string `json:"values"`
	Escape string            `json:"escape"`
}

type answer struct {
	OK       bool    `json:"ok"`
	Error    string  `json:"error,omitempty"`
	Value    string  `json:"value,omitempty"`
	Escape   string  `json:"escape,omitempty"`
	Stages   []stage `json:"stages,omitempty"`
	MetaArgs []arg   `json:"meta_args,omitempty"`
	Lines    []line  `json:"lines,omitempty"`
	Places   []place `json:"places,omitempty"`

	Members    []member     `json:"members,omitempty"`
	Challenges []challenged `json:"challenges,omitempty"`
	Blobs      []string     `json:"blobs,omitempty"`
	Credential []string     `json:"credential,omitempty"`
}

// line is one instruction before anything is made of it. Text is what stands behind its flags, where the parser keeps
// that in one piece.
type line struct {
	Keyword  string   `json:"keyword"`
	Flags    []string `json:"flags"`
	Line     int      `json:"line"`
	Original string   `json:"original"`
	Text     *string  `json:"text"`
	Heredocs []string `json:"heredocs"`
}

type stage struct {
	Name     string   `json:"name"`
	Base     string   `json:"base"`
	Expanded string   `json:"expanded"`
	Platform string   `json:"platform"`
	Line     int      `json:"line"`
	Commands []string `json:"commands"`
}

type arg struct {
	Name    string  `json:"name"`
	Default *string `json:"default"`
}

func main() {
	lines := bufio.NewReader(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "oracle:", err)
			os.Exit(1)
		}
		if err := out.Encode(answered(line)); err != nil {
			fmt.Fprintln(os.Stderr, "oracle:", err)
			os.Exit(1)
		}
	}
}

func answered(line []byte) (result answer) {
	defer func() { // buildkit is known to panic on some texts; that is an answer too
		if cause := recover(); cause != nil {
			result = answer{Error: fmt.Sprint("panic: ", cause)}
		}
	}()
	var asked question
	if err := json.Unmarshal(line, &asked); err != nil {
		return answer{Error: err.Error()}
	}
	var err error
	switch asked.Op {
	case "reference":
		result, err = referenceOf(asked.Text)
	case "dockerfile":
		result, err = dockerfileOf(asked.Text, asked.Values)
	case "lines":
		result, err = linesOf(asked.Text)
	case "places":
		result, err = placesOf(asked.Text, asked.Values["conf"], asked.Values["drop_in"])
	case "signature":
		result, err = signatureOf(asked.Text, asked.Values)
	case "runs":
		result, err = runs(asked.Text, asked.Values["policy"], asked.Values["lookaside"])
	case "tar":
		result, err = membersOf(asked.Text)
	case "challenges":
		result, err = challengesOf(asked.Text)
	case "manifest":
		result, err = manifestOf(asked.Text, asked.Values["type"])
	case "credential":
		result, err = credentialOf(asked.Text, asked.Values["file"])
	case "word":
		result, err = wordOf(asked)
	default:
		err = fmt.Errorf("unknown op %q", asked.Op)
	}
	if err != nil {
		return answer{Error: err.Error()}
	}
	result.OK = true
	return result
}

func referenceOf(text string) (answer, error) {
	named, err := reference.ParseNormalizedNamed(text)
	if err != nil {
		return answer{}, err
	}
	return answer{Value: named.String()}, nil
}

func wordOf(asked question) (answer, error) {
	value, err := expanded(shell.NewLex(rune(asked.Escape[0])), asked.Text, asked.Values)
	return answer{Value: value}, err
}

func dockerfileOf(text string, given map[string]string) (answer, error) {
	tree, err := parser.Parse(strings.NewReader(text))
	if err != nil {
		return answer{}, err
	}
	stages, globals, err := instructions.Parse(tree.AST, nil)
	if err != nil {
		return answer{}, err
	}
	lex := shell.NewLex(tree.EscapeToken)
	result := answer{Escape: string(tree.EscapeToken)}
	values := map[string]string{}
	for _, command := range globals {
		for _, pair := range command.Args {
			result.MetaArgs = append(result.MetaArgs, arg{Name: pair.Key, Default: pair.Value})
			if value, ok := given[pair.Key]; ok {
				values[pair.Key] = value
			} else if pair.Value != nil {
				if values[pair.Key], err = expanded(lex, *pair.Value, values); err != nil {
					return answer{}, err
				}
			}
		}
	}
	for _, found := range stages {
		base, err := expanded(lex, found.BaseName, values)
		if err != nil {
			return answer{}, err
		}
		one := stage{Name: found.Name, Base: found.BaseName, Expanded: base, Platform: found.Platform}
		one.Line = found.Location[0].Start.Line
		for _, command := range found.Commands {
			one.Commands = append(one.Commands, command.Name())
		}
		result.Stages = append(result.Stages, one)
	}
	return result, nil
}

func linesOf(text string) (answer, error) {
	tree, err := parser.Parse(strings.NewReader(text))
	if err != nil {
		return answer{}, err
	}
	result := answer{Escape: string(tree.EscapeToken)}
	for _, node := range tree.AST.Children {
		one := line{Keyword: strings.ToUpper(node.Value), Flags: node.Flags, Line: node.StartLine, Original: node.Original}
		switch one.Keyword {
		case "RUN", "CMD", "ENTRYPOINT", "USER", "WORKDIR", "STOPSIGNAL", "MAINTAINER":
			if node.Next != nil && !node.Attributes["json"] {
				one.Text = &node.Next.Value
			}
		}
		for _, heredoc := range node.Heredocs {
			one.Heredocs = append(one.Heredocs, heredoc.Name)
		}
		result.Lines = append(result.Lines, one)
	}
	return result, nil
}

func expanded(lex *shell.Lex, word string, values map[string]string) (string, error) {
	pairs := make([]string, 0, len(values))
	for name, value := range values {
		pairs = append(pairs, name+"="+value)
	}
	value, _, err := lex.ProcessWord(word, shell.EnvsFromSlice(pairs))
	return value, err
}
