//go:build linux

package initramfs

// AddSections adds a section to an EFI program.
func AddSections(program []byte) ([]byte, error) {
	return addSections(program, []peSection{{".probe", []byte("probe"), 0, peData}})
}
