package integration

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
)

// A machine that waits in the shell before the step modules has loaded no module and sent nothing: all that init has done is to
// read its parameters. One that is resumed from there gets others in the shell, which win over the first, and takes every step
// with them. That is for a test of what a step does. A test boots if it is about how parameters are read, about rd.timeout=,
// rd.break=, rd.debug and what else counts from the start on, about the kernel's start, or about what is drawn at random by then.

var snapshots sync.Map // image -> func() (string, error)

// beforeModules are the parameters with which a machine is saved.
const beforeModules = "console=ttyS0 rd.break=modules " + seedLine

// resume starts a machine in the step modules, with parameters of one word each.
func (r *rig) resume(img image, line string) *lab.Machine {
	r.t.Helper()
	m := r.resumeShell(img)
	r.goOn(m, line)
	return m
}

// resumeShell starts a machine in the shell before the step modules.
func (r *rig) resumeShell(img image) *lab.Machine {
	r.t.Helper()
	once, _ := snapshots.LoadOrStore(img, sync.OnceValues(func() (string, error) { return r.save(img) }))
	path, err := once.(func() (string, error))()
	if err != nil {
		r.t.Fatal(err)
	}
	return r.start(img, lab.MachineConfig{Append: beforeModules, NICs: []lab.NIC{{Tap: r.tap}}, Resume: path})
}

// goOn leaves that shell, and waits until its echo of the parameters has ended.
func (r *rig) goOn(m *lab.Machine, line string) {
	r.t.Helper()
	words := "retry modules"
	for word := range strings.FieldsSeq(line) {
		words += " '" + word + "'"
	}
	r.sends(m, words+"\n", "continuing with step modules\n")
}

// save boots a machine until it waits in the shell, and saves it for all tests, which an error is for as well.
func (r *rig) save(img image) (string, error) {
	r.t.Helper()
	path := filepath.Join(built.dir, fmt.Sprintf("snapshot-%x", sha256.Sum256(fmt.Appendf(nil, "%#v", img))))
	m := r.start(img, lab.MachineConfig{Append: beforeModules, NICs: []lab.NIC{{Tap: r.tap}}, SaveTo: path})
	if _, err := m.Expect(r.ctx, "break before step modules\n"); err != nil {
		return "", err
	}
	if _, err := m.Expect(r.ctx, prompt); err != nil {
		return "", err
	}
	return path, m.Save(r.ctx)
}
