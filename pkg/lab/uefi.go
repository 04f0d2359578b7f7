package lab

import (
	"io"
	"os"
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/lab/deps"
)

// addUEFI gives a machine OVMF, with variables of its own. OVMF takes 1 GiB of memory, and does not
// boot from the network without random numbers.
func (ns *Namespace) addUEFI(c MachineConfig) (MachineConfig, error) {
	code, err := deps.BootFile("OVMF_CODE_4M.fd")
	if err != nil {
		return c, err
	}
	fresh, err := deps.BootFile("OVMF_VARS_4M.fd")
	if err != nil {
		return c, err
	}
	variables, err := ns.copyFile(fresh, "ovmf-*.fd")
	if err != nil {
		return c, err
	}
	c.MemoryMiB = orDefault(c.MemoryMiB, 1024)
	c.Args = append(slices.Clone(c.Args),
		"-drive", "if=pflash,unit=0,format=raw,readonly=on,file="+code,
		"-drive", "if=pflash,unit=1,format=raw,file="+variables,
		"-device", "virtio-rng-pci")
	return c, nil
}

// copyFile copies a file into the namespace's directory.
func (ns *Namespace) copyFile(source, pattern string) (string, error) {
	in, err := os.Open(source)
	if err != nil {
		return "", err
	}
	defer in.Close()
	out, err := os.CreateTemp(ns.Dir(), pattern)
	if err != nil {
		return "", err
	}
	defer out.Close()
	if _, err := io.Copy(out, in); err != nil {
		return "", err
	}
	return out.Name(), out.Close()
}
