package main

import (
	"bytes"
	"debug/buildinfo"
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
)

// version is set by the linker (scripts/gobuild.sh) and never changes.
var version = "unknown"

const versionLong = `version prints the version of this program. With --sbom it prints what went into it
and into the init inside, each library with version and checksum, as a bill of
materials in CycloneDX 1.5, taken from the build information in the program.`

// newVersion returns the version command.
func newVersion() *cobra.Command {
	var bill bool
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "print the version, or a bill of materials",
		Long:    versionLong,
		Example: "  iscsiroot version --sbom > iscsiroot.cdx.json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !bill {
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "iscsiroot %s\n", version)
				return err
			}
			programs, err := programs()
			if err != nil {
				return err
			}
			text, err := sbom(version, programs)
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
	cmd.Flags().BoolVar(&bill, "sbom", false, "print a bill of materials in CycloneDX's JSON")
	return cmd
}

// programs returns what the linker noted in this program, and in the init inside if there is one.
func programs() ([]*debug.BuildInfo, error) {
	own, ok := debug.ReadBuildInfo()
	if !ok {
		return nil, fmt.Errorf("bill of materials: this program was built without Go modules")
	}
	out := []*debug.BuildInfo{own}
	if len(packedInit) == 0 {
		return out, nil
	}
	program, err := initramfs.UnpackInit(packedInit)
	if err != nil {
		return nil, fmt.Errorf("bill of materials: %w", err)
	}
	init, err := buildinfo.Read(bytes.NewReader(program))
	if err != nil {
		return nil, fmt.Errorf("bill of materials of the init inside: %w", err)
	}
	return append(out, init), nil
}
