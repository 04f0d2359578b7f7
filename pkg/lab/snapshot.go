package lab

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A snapshot is two files: the machine's memory, which QEMU has mapped all the time, and beside it
// the state of all else, in the format of a migration. A machine that resumes maps the memory with
// MAP_PRIVATE: it reads no page that it does not need, and the file stays as it is for the next
// one.

// stateFile holds the state of a machine's devices and processors.
func stateFile(memory string) string { return memory + ".state" }

var (
	errNoSaveTo  = errors.New("its MachineConfig has no SaveTo")
	errMigration = errors.New("qemu gave up")
)

// memoryArgs keep a machine's memory in a file, if it is to be saved there or was.
func memoryArgs(c MachineConfig) []string {
	path, share := c.SaveTo, "on"
	if c.Resume != "" {
		path, share = c.Resume, "off"
	}
	if path == "" {
		return nil
	}
	// In QEMU's options a comma ends a value, and two are one.
	object := fmt.Sprintf("memory-backend-file,id=memory,size=%sM,share=%s,mem-path=%s",
		strconv.Itoa(memoryMiB(c)), share, strings.ReplaceAll(path, ",", ",,"))
	args := []string{"-object", object, "-machine", "memory-backend=memory"}
	if c.Resume != "" {
		args = append(args, "-incoming", "defer")
	}
	return args
}

// Save writes the machine to [MachineConfig].SaveTo and ends it. Packets that it has sent before
// stay sent, and packets to it are lost: a machine is best saved before it uses the network.
func (m *Machine) Save(ctx context.Context) error {
	if err := m.save(ctx); err != nil {
		return fmt.Errorf("save machine: %w", err)
	}
	return nil
}

func (m *Machine) save(ctx context.Context) error {
	if m.saveTo == "" {
		return errNoSaveTo
	}
	if err := m.withoutMemory(ctx); err != nil {
		return err
	}
	// The machine runs until the very end, and then stands still. In the state it is running,
	// so it continues by itself.
	to := map[string]string{"uri": "exec:exec cat >" + shellQuote(stateFile(m.saveTo))}
	if _, err := m.QMP(ctx, "migrate", to); err != nil {
		return err
	}
	if err := m.migrated(ctx); err != nil {
		why, _ := m.QMP(ctx, "query-migrate", nil)
		return fmt.Errorf("write %s: %w: %s", stateFile(m.saveTo), err, why)
	}
	return m.Stop()
}

// resume makes a new machine, which waits, continue where the saved one stopped.
func (m *Machine) resume(ctx context.Context, memory string) error {
	if err := m.withoutMemory(ctx); err != nil {
		return err
	}
	from := map[string]string{"uri": "exec:exec cat " + shellQuote(stateFile(memory))}
	if _, err := m.QMP(ctx, "migrate-incoming", from); err != nil {
		return err
	}
	if err := m.migrated(ctx); err != nil { // QEMU's log names the device
		return fmt.Errorf("resume from %s: its machine must have been made alike: %w", memory, err)
	}
	return nil
}

// migrated waits until the state has been written, or read and the machine continues.
func (m *Machine) migrated(ctx context.Context) error {
	for {
		e, err := m.WaitEvent(ctx, "MIGRATION")
		switch {
		case err != nil:
			return err
		case e.Status == "completed":
			return nil
		case e.Status == "failed":
			return errMigration
		}
	}
}

// withoutMemory leaves memory that is in a file out of the state (QEMU docs/devel/migration,
// x-ignore-shared).
func (m *Machine) withoutMemory(ctx context.Context) error {
	type capability struct {
		Name string `json:"capability"`
		On   bool   `json:"state"`
	}
	_, err := m.QMP(ctx, "migrate-set-capabilities", map[string]any{"capabilities": []capability{{"events", true}, {"x-ignore-shared", true}}})
	return err
}

// shellQuote makes one word of text for the shell by which QEMU starts the commands of exec:
// (POSIX, XCU 2.2.2).
func shellQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
