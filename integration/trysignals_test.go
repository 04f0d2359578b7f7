package integration

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// An interrupted try leaves nothing behind: no process, no file, no namespace, and the disk as it
// was. One that is killed leaves files, which the next run removes.
func TestTrySignals(t *testing.T) {
	r := newTrial(t, hostsHead, "", "pxelinux.0", "ldlinux.c32")
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			cmd, errs := r.startTry()
			namespace := awaitQEMU(t, cmd.Process.Pid)
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // the status tells
			status := cmd.ProcessState.Sys().(syscall.WaitStatus)
			if signal != syscall.SIGKILL && status.ExitStatus() != 128+int(signal) {
				t.Errorf("status %v: %s", status, errs)
			}
			if signal == syscall.SIGKILL { // what it has started ends with it, a moment later
				for end := time.Now().Add(time.Minute); len(membersOf(namespace)) > 0 && time.Now().Before(end); {
					time.Sleep(time.Millisecond)
				}
				if left := r.left(); len(left) == 0 {
					t.Error("a run that was killed left nothing: this test looks at nothing")
				}
				if _, errs, err := r.try("--disk", "/nonexistent"); err == nil { // it checks what is left
					t.Errorf("a boot without a disk: %s", errs)
				}
			}
			if left := membersOf(namespace); len(left) > 0 {
				t.Errorf("processes left in its namespace: %q", left)
			}
			if left := r.left(); len(left) > 0 {
				t.Errorf("files left: %q", left)
			}
		})
	}
}

// startTry starts iscsiroot try.
func (r *trialRig) startTry() (*exec.Cmd, *bytes.Buffer) {
	r.t.Helper()
	program, err := iscsiroot()
	if err != nil {
		r.t.Fatalf("%v\n%s", err, program)
	}
	cmd := exec.CommandContext(r.ctx, program, "try", "remote1", "--hosts", r.hosts, "--dir", r.dir)
	cmd.Env = append(os.Environ(), "TMPDIR="+r.temp)
	errs := &bytes.Buffer{}
	cmd.Stderr = errs
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	return cmd, errs
}

// left lists the temporary files.
func (r *trialRig) left() []string {
	out, _ := filepath.Glob(filepath.Join(r.temp, "*")) // the pattern is good
	return out
}

// awaitQEMU waits until a process has started QEMU, and returns the network namespace of it.
func awaitQEMU(t *testing.T, parent int) (namespace string) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		children, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent))
		for _, name := range children {
			text, _ := os.ReadFile(name) // of a thread that has ended: none
			for _, pid := range strings.Fields(string(text)) {
				line, _ := os.ReadFile("/proc/" + pid + "/cmdline")
				ns, err := os.Readlink("/proc/" + pid + "/ns/net")
				if strings.Contains(string(line), "qemu-system") && err == nil {
					return ns
				}
			}
		}
	}
	t.Fatal("QEMU was not started")
	return ""
}

// membersOf lists the threads in a network namespace, each as its process and name.
func membersOf(namespace string) []string {
	var out []string
	links, _ := filepath.Glob("/proc/[0-9]*/task/*/ns/net")
	for _, link := range links {
		if ns, err := os.Readlink(link); err != nil || ns != namespace {
			continue
		}
		task := filepath.Dir(filepath.Dir(link))
		name, _ := os.ReadFile(filepath.Join(task, "comm"))
		pid, _ := strconv.Atoi(strings.Split(task, "/")[2])
		out = append(out, fmt.Sprintf("%d %s", pid, strings.TrimSpace(string(name))))
	}
	slices.Sort(out)
	return slices.Compact(out)
}
