package integration

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
)

// A machine that waits in the shell before the step modules has loaded no module and sent nothing:
// init has only read its parameters. A machine that is resumed from there gets other parameters in
// the shell, which take precedence, and runs every step with them. That is for tests of the steps.
// A test of the parsing of parameters, of rd.timeout=, rd.break=, rd.debug and other parameters
// that take effect at the start, of the kernel's start, or of numbers drawn at random before that
// must boot.

var snapshots sync.Map // image -> func() (string, error)

// beforeModules are the parameters with which a machine is saved.
const beforeModules = "console=ttyS0 rd.break=modules " + seedLine

// resume starts a machine in the step modules, with parameters of one word each.
func (r *rig) resume(img image, line string) *lab.Machine {
	r.t.Helper()
	m := r.resumeShell(img)
	r.continueBoot(m, line)
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

// continueBoot ends that shell with retry and the parameters, and waits for the end of their echo.
func (r *rig) continueBoot(m *lab.Machine, line string) {
	r.t.Helper()
	words := "retry modules"
	for word := range strings.FieldsSeq(line) {
		words += " '" + word + "'"
	}
	r.send(m, words+"\n", "continuing with step modules\n")
}

// save boots a machine until it waits in the shell, and saves it for all tests.
func (r *rig) save(img image) (string, error) {
	r.t.Helper()
	path := filepath.Join(built.dir, fmt.Sprintf("snapshot-%x", sha256.Sum256(fmt.Appendf(nil, "%#v", img))))
	m := r.start(img, lab.MachineConfig{Append: beforeModules, NICs: []lab.NIC{{Tap: r.tap}}, SaveTo: path})
	if _, err := m.Expect(r.ctx, "break before step modules"); err != nil {
		return "", err
	}
	if _, err := m.Expect(r.ctx, prompt); err != nil {
		return "", err
	}
	return path, m.Save(r.ctx)
}
