package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"runtime/debug"
	"slices"
	"strings"
)

// The part of CycloneDX 1.5 (ECMA-424) that is written here.
type (
	bill struct {
		Format       string       `json:"bomFormat"`
		Spec         string       `json:"specVersion"`
		Version      int          `json:"version"`
		Metadata     metadata     `json:"metadata"`
		Components   []component  `json:"components"`
		Dependencies []dependency `json:"dependencies"`
	}
	metadata struct {
		Component component `json:"component"`
	}
	component struct {
		Type    string `json:"type"`
		Ref     string `json:"bom-ref"`
		Name    string `json:"name"`
		Version string `json:"version"`
		PURL    string `json:"purl,omitempty"`
		Hashes  []sum  `json:"hashes,omitempty"`
	}
	sum struct {
		Algorithm string `json:"alg"`
		Content   string `json:"content"`
	}
	dependency struct {
		Ref       string   `json:"ref"`
		DependsOn []string `json:"dependsOn,omitempty"`
	}
)

// sbom writes the bill of materials of programs, of which the first is the one that holds the
// others. It has neither a time nor a serial number, so that the same programs have the same bill.
func sbom(version string, programs []*debug.BuildInfo) ([]byte, error) {
	b := bill{Format: "CycloneDX", Spec: "1.5", Version: 1, Components: []component{}}
	for i, p := range programs {
		name := path.Base(p.Path)
		own := component{Type: "application", Ref: name, Name: name, Version: version}
		if i == 0 {
			b.Metadata.Component = own
		} else {
			b.Components = append(b.Components, own)
			b.Dependencies[0].DependsOn = append(b.Dependencies[0].DependsOn, name)
		}
		needs := dependency{Ref: name}
		for _, c := range libraries(p) {
			if !slices.ContainsFunc(b.Components, func(have component) bool { return have.Ref == c.Ref }) {
				b.Components = append(b.Components, c)
			}
			needs.DependsOn = append(needs.DependsOn, c.Ref)
		}
		b.Dependencies = append(b.Dependencies, needs)
	}
	text, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write bill of materials: %w", err)
	}
	return append(text, '\n'), nil
}

// libraries returns what a program links: Go's own library, and modules as they are after
// replacing.
func libraries(p *debug.BuildInfo) []component {
	out := []component{library("std", strings.TrimPrefix(p.GoVersion, "go"), "")}
	for _, m := range p.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		out = append(out, library(m.Path, m.Version, m.Sum))
	}
	return out
}

// library describes a module. go.sum's h1 is a SHA-256, over the sums of all files of the module.
func library(name, version, h1 string) component {
	purl := "pkg:golang/" + name + "@" + version
	c := component{Type: "library", Ref: purl, Name: name, Version: version, PURL: purl}
	if raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(h1, "h1:")); err == nil && len(raw) > 0 {
		c.Hashes = []sum{{"SHA-256", hex.EncodeToString(raw)}}
	}
	return c
}
