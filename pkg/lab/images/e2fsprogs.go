package images

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// checkName rejects a name that debugfs would not parse as one word.
func checkName(name string) error {
	if strings.ContainsAny(name, "\"\\\n") {
		return &os.PathError{Op: "debugfs", Path: name, Err: os.ErrInvalid}
	}
	return nil
}

// runTool runs a program of e2fsprogs. debugfs reports errors by text alone, below its banner.
func runTool(name string, args ...string) ([]byte, error) {
	file, err := lookTool(name)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(file, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "E2FSPROGS_FAKE_TIME="+strconv.FormatInt(treeTime().Unix(), 10))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	_, report, _ := strings.Cut(stderr.String(), "\n")
	if name == "debugfs" && err == nil && strings.TrimSpace(report) != "" {
		err = errors.New("error reported")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(stderr.String()+stdout.String()))
	}
	return stdout.Bytes(), nil
}

// lookTool finds an administration program also if PATH has no sbin.
func lookTool(name string) (string, error) {
	if file, err := exec.LookPath(name); err == nil {
		return file, nil
	}
	file, err := exec.LookPath("/usr/sbin/" + name)
	if err != nil {
		file, err = exec.LookPath("/sbin/" + name)
	}
	if err != nil {
		return "", fmt.Errorf("%w; run scripts/deps.sh", err)
	}
	return file, nil
}
