package switchroot

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// heads returns the first bytes of real programs, up to the end of what readProgram looks at: Go
// programs without a statement, built for several machines, the dynamic ones with -buildmode=pie.
// There must be some, or the fuzzer would start from nothing.
func heads(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/*.elf")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d heads, %v", len(files), err)
	}
	out := map[string][]byte{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out[strings.TrimSuffix(filepath.Base(f), ".elf")] = b
	}
	return out
}

func TestReadELF(t *testing.T) {
	all := heads(t)
	for _, tt := range []struct {
		head, arch, interpreter string
		err                     error
		text                    string
	}{
		{head: "amd64-static", arch: "amd64"},
		{head: "386-static", arch: "amd64"},
		{head: "arm64-static", arch: "arm64"},
		{head: "amd64-dynamic", arch: "amd64", interpreter: "/lib64/ld-linux-x86-64.so.2"},
		{head: "arm64-dynamic", arch: "arm64", interpreter: "/lib/ld-linux-aarch64.so.1"},
		{head: "arm64-static", arch: "amd64", err: errMachine, text: "built for another kind of machine: ELF machine 183 (aarch64), this one is amd64"},
		{head: "amd64-dynamic", arch: "arm64", err: errMachine, text: "built for another kind of machine: ELF machine 62 (x86_64), this one is arm64"},
		{head: "386-static", arch: "arm64", err: errMachine, text: "built for another kind of machine: ELF machine 3 (i386), this one is arm64"},
		{head: "s390x-static", arch: "amd64", err: errMachine, text: "built for another kind of machine: big-endian"},
	} {
		p, err := readProgram(bytes.NewReader(all[tt.head]), tt.arch)
		if p.interpreter != tt.interpreter || p.script || !errors.Is(err, tt.err) || err != nil && err.Error() != tt.text {
			t.Errorf("%s on %s: %+v, %v", tt.head, tt.arch, p, err)
		}
	}
}

// A truncated program is an error.
func TestTruncated(t *testing.T) {
	for name, head := range heads(t) {
		arch, _, _ := strings.Cut(name, "-")
		if arch != "amd64" && arch != "arm64" {
			continue
		}
		for n := range head {
			if p, err := readProgram(bytes.NewReader(head[:n]), arch); err == nil {
				t.Fatalf("%s: %d bytes are %+v", name, n, p)
			}
		}
	}
}

// Programs that the kernel's loader refuses (fs/binfmt_elf.c).
func TestBadELF(t *testing.T) {
	le := binary.LittleEndian
	dynamic := heads(t)["amd64-dynamic"]
	interp := bytes.Index(dynamic, []byte("/lib64/"))
	var phdr int // that of PT_INTERP
	for phdr = 64; le.Uint32(dynamic[phdr:]) != ptInterp; phdr += 56 {
	}
	for name, spoil := range map[string]func(b []byte){
		"class":                   func(b []byte) { b[4] = 3 },
		"object file":             func(b []byte) { le.PutUint16(b[16:], 1) },
		"core dump":               func(b []byte) { le.PutUint16(b[16:], 4) },
		"size of program headers": func(b []byte) { le.PutUint16(b[54:], 32) },
		"no program headers":      func(b []byte) { le.PutUint16(b[56:], 0) },
		"too many":                func(b []byte) { le.PutUint16(b[56:], 1171) },
		"headers beyond the end":  func(b []byte) { le.PutUint64(b[32:], 1<<40) },
		"headers nowhere":         func(b []byte) { le.PutUint64(b[32:], 1<<63) },
		"loader nowhere":          func(b []byte) { le.PutUint64(b[phdr+8:], 1<<63) },
		"loader beyond the end":   func(b []byte) { le.PutUint64(b[phdr+8:], 1<<40) },
		"loader's name too long":  func(b []byte) { le.PutUint64(b[phdr+32:], 4097) },
		"loader's name too short": func(b []byte) { le.PutUint64(b[phdr+32:], 1) },
		"loader's name endless":   func(b []byte) { le.PutUint64(b[phdr+32:], 10) },
		"loader's name empty":     func(b []byte) { b[interp] = 0 },
	} {
		b := bytes.Clone(dynamic)
		spoil(b)
		if p, err := readProgram(bytes.NewReader(b), "amd64"); err == nil {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

func TestScripts(t *testing.T) {
	long := strings.Repeat("x", 300)
	for text, want := range map[string]string{
		"#!/bin/sh\n":                   "/bin/sh",
		"#!/bin/sh":                     "/bin/sh",
		"#! \t/bin/sh -e\necho\n":       "/bin/sh",
		"#!/usr/bin/env\tsh\n":          "/usr/bin/env",
		"#!bin/sh\n":                    "bin/sh",
		"#!/bin/sh\r\n":                 "/bin/sh\r", // the kernel looks for just that
		"#!/bin/sh\x00rest\n":           "/bin/sh",
		"#!/bin/sh " + long + "\n":      "/bin/sh",
		"#!/" + long[:252] + "\n":       "/" + long[:252],
		"#!/" + long[:253] + "\n":       "", // one more: cut off
		"#!" + strings.Repeat(" ", 300): "",
		"#!":                            "",
		"#!\n/bin/sh\n":                 "",
		"#!\x00/bin/sh\n":               "",
		"#":                             "",
		"":                              "",
		"echo hello\n":                  "",
		"\x7fEL":                        "",
	} {
		p, err := readProgram(strings.NewReader(text), "amd64")
		if p.interpreter != want || (err == nil) != (want != "") || err != nil && !errors.Is(err, errNotProgram) {
			t.Errorf("%q: %+v, %v", text, p, err)
		}
	}
}

// brokenDisk is a disk that gives errors.
type brokenDisk struct{}

func (brokenDisk) ReadAt([]byte, int64) (int, error) { return 0, os.ErrDeadlineExceeded }

func TestReadError(t *testing.T) {
	if _, err := readProgram(brokenDisk{}, "amd64"); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// FuzzReadProgram: any bytes are a program that names a path, or an error.
func FuzzReadProgram(f *testing.F) {
	for _, head := range heads(f) {
		f.Add(head, "amd64")
		f.Add(head, "arm64")
	}
	f.Add([]byte("#! /bin/sh -e\n"), "amd64")
	f.Fuzz(func(t *testing.T, b []byte, arch string) {
		p, err := readProgram(bytes.NewReader(b), arch)
		switch {
		case err != nil:
			if p != (program{}) {
				t.Fatalf("%+v with %v", p, err)
			}
		case p.script && (p.interpreter == "" || !bytes.HasPrefix(b, []byte("#!"))),
			!p.script && !bytes.HasPrefix(b, []byte("\x7fELF")):
			t.Fatalf("%q is %+v", b, p)
		case len(p.interpreter) >= maxInterp || strings.ContainsAny(p.interpreter, "\x00") || !bytes.Contains(b, []byte(p.interpreter)):
			t.Fatalf("interpreter %q", p.interpreter)
		}
	})
}
